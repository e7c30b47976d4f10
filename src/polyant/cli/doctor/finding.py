"""The result of one check."""

from typing import Literal

import msgspec

from polyant.arguments import WiringError
from polyant.domain.errors import PolyantError
from polyant.settings import SettingsError

ExpectedError = PolyantError | SettingsError | WiringError
"""The errors that a check may raise; each becomes a fault."""


class Finding(msgspec.Struct, frozen=True):
    """The result of one check."""

    state: Literal["ok", "warning", "fault"]
    about: str
    """The subject that was checked."""
    description: str = msgspec.field(name="says")
    """The result, with the value that was found."""
    fix: str | None = None
    """The action that fixes it, as a sentence; None only if there is nothing to fix."""

    @property
    def text(self) -> str:
        """The description and the fix."""
        return self.description if self.fix is None else f"{self.description}. {self.fix}"


def ok(about: str, description: str) -> Finding:
    """Returns a finding that needs no action."""
    return Finding("ok", about, description)


def warning(about: str, description: str, *, fix: str) -> Finding:
    """Returns a finding that the server tolerates."""
    return Finding("warning", about, description, fix)


def fault(about: str, description: str, *, fix: str) -> Finding:
    """Returns a finding that keeps the server or an instance from working."""
    return Finding("fault", about, description, fix)


def faults_of(about: str, error: ExpectedError) -> list[Finding]:
    """Returns the faults that an error describes: one for each line of a SettingsError."""
    if isinstance(error, PolyantError):
        return [fault(about, error.message, fix=error.hint or "See the log of the server for the reason")]
    return [Finding("fault", about, line) for line in str(error).splitlines()]
