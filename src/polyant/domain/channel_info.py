"""The requirements and abilities of channel adapters, and the state of their accounts."""

import math
from collections.abc import Mapping

import msgspec

from polyant.domain.errors import InvalidInputError, UnavailableError


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """The account as the platform describes it."""

    account: str
    """The platform's id of the account."""
    name: str = ""
    """How users find it."""
    options: Mapping[str, str] = {}
    """Facts to store with the connection."""
    problems: tuple[str, ...] = ()
    """The faults of the setup, each with its remedy, for operators."""


class SetUp(msgspec.Struct, frozen=True, tag="set_up"):
    """Let events arrive at the webhook's URL; None to let this server pull them."""

    webhook: str | None = None


class TearDown(msgspec.Struct, frozen=True, tag="tear_down"):
    """End the arrival of events at a webhook."""

    webhook: str | None
    """The webhook's URL, or the end of it if this server doesn't know its own address; None if it pulls events."""

    def ends(self, address: str) -> bool:
        """Returns whether that address is the webhook; another server may have taken the account over."""
        return self.webhook is not None and address.endswith(self.webhook)


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that a channel needs."""

    name: str
    """Also the end of the secret's name: `telegram_token` for `token`."""
    label: str
    help: str = ""
    """Where an operator finds it."""
    required: bool = True
    generated: bool = False
    """Whether Polyant generates the value: at least 32 random characters of base64url."""
    needed_for: str | None = None
    """The only Delivery that needs it; None for both."""


class ChannelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The requirements and abilities of a channel adapter."""

    name: str
    label: str
    """The platform's own name, such as `Telegram`."""
    credentials: tuple[Credential, ...]
    options: tuple[Credential, ...] = ()
    """Facts that an operator has to enter and that aren't secret."""
    access: str
    """The default ChannelAccess."""
    accesses: tuple[str, ...]
    """The ChannelAccess values that make sense."""
    deliveries: tuple[str, ...]
    """The Delivery values that the platform supports."""
    max_units: int
    """The maximum length of a Chunk's text."""
    utf16: bool = False
    """Whether lengths are counted in UTF-16 units instead of characters."""
    command_prefix: str = "/"
    """The character before a command, such as `/new`, in messages to users."""
    typing_seconds: float = math.inf
    """How often to call `show_progress` without text, so that the user sees that a turn runs."""
    draft_seconds: float | None = None
    """The minimum time between two calls of `show_progress` with text; None if drafts aren't shown."""
    send_seconds: float = 20.0
    """The longest time that `send` takes."""


class ChannelRefusedError(InvalidInputError):
    """The platform refuses the credentials or the setup; the message says which and what to do."""


class ChannelUnreachableError(UnavailableError):
    """The platform doesn't respond, or not in a form that can be understood."""

    def __init__(self, label: str) -> None:
        super().__init__(f"{label} can't be reached", retry_after=5)


class PullConflictError(UnavailableError):
    """Another program pulls the events of the account."""

    def __init__(self) -> None:
        super().__init__("Another program polls this bot", hint="Stop it, or give it a bot of its own", retry_after=30)
