"""One check and the order in which checks run."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from polyant.cli.doctor.finding import Finding, faults_of
from polyant.domain.errors import PolyantError
from polyant.settings import SettingsError

Subject = TypeVar("Subject")


class Check(msgspec.Struct, Generic[Subject], frozen=True):
    """One check, independent of all others except those that block it."""

    about: str
    """The subject of faults that the check raises as errors."""
    run: Callable[[Subject], AsyncIterator[Finding]]
    """Yields any number of findings; may raise a PolyantError or a SettingsError instead."""
    blocks: bool = False
    """Whether later checks are pointless after a fault of this one."""


async def run_checks(checks: Iterable[Check[Subject]], subject: Subject, findings: list[Finding]) -> bool:
    """Adds the findings of the checks to the list, and returns whether no fault blocked later checks.

    Args:
        checks: The checks in their order.
        subject: The settings, the data or the instance to check.
        findings: The list to extend.

    Raises:
        WiringError: An adapter can't be used.
    """
    for check in checks:
        before = len(findings)
        try:
            async for finding in check.run(subject):
                findings.append(finding)  # noqa: PERF401 - those before an error count, too
        except (PolyantError, SettingsError) as error:
            findings += faults_of(check.about, error)
        if check.blocks and any(finding.state == "fault" for finding in findings[before:]):
            return False
    return True
