"""The rig of a Channel over HTTP: a scripted platform, in the protocol that a test describes."""

import itertools
from collections.abc import Sequence
from typing import Protocol

import msgspec

from polyant.domain.channel_events import Peer, WebhookRequest
from polyant.domain.channels import ChannelAccount
from polyant.domain.ports.channel import Channel
from polyant.testing.channel import ChannelRig, Fault, wrong_secrets
from polyant.testing.upstream import DROP, Received, Reply, ScriptedUpstream, Then

USER = "user"
"""The chat of `ChannelRig.message`, unless the test names another one."""

_SERVER_ERROR = Reply(status=502, pieces=(b"<html>Bad Gateway</html>",))
_CUT = Reply(framing="raw", pieces=(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Then.CUT))
"""The end of a response is lost. Unlike a GET without a response, this one isn't repeated by any HTTP client."""


class ShownMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that users see."""

    chat: str
    text: str


class PlatformState:
    """The platform's data, which the protocol changes."""

    def __init__(self) -> None:
        self.messages: list[ShownMessage] = []
        self.files: dict[str, bytes] = {}
        """The contents of media, by their ids."""
        self.typing = 0
        """The number of calls that say that the account is typing."""
        self.webhook: str | None = None
        self.refuses_formatting = False


class UserMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a user wrote on the platform."""

    number: int
    """Grows with each message, from 1 on."""
    peer: Peer
    text: str = ""
    name: str = "Ada"
    """The user's display name."""
    quote: str | None = None
    file_id: str | None = None
    """The id of a document in `PlatformState.files`."""
    file_name: str = ""
    file_size: int = 0


class PlatformProtocol(Protocol):
    """The protocol of a platform, as its server speaks it."""

    has_quotes: bool
    """Whether the platform's requests contain the text that a message quotes."""

    def call_of(self, request: Received) -> str:
        """Returns the kind of a call: `send`, `fetch`, `check` or `progress`; another word for other calls."""

    def respond(self, request: Received, platform: PlatformState) -> Reply:
        """Returns the reply to a call, after it has changed the platform; it refuses wrong credentials."""

    def busy(self) -> Reply:
        """Returns the reply of a platform that asks to wait for 7 s."""

    def refusal(self) -> Reply:
        """Returns the reply of a platform that refuses a call for good, though not because of the credentials."""

    def gone(self) -> Reply:
        """Returns the reply of a platform whose media have expired."""

    def message(self, message: UserMessage) -> WebhookRequest:
        """Returns the platform's request with a message of a user in a private chat."""

    def own_message(self) -> WebhookRequest | None:
        """Returns a request with a message of the account itself; None if the platform never sends one."""

    def malformed(self) -> WebhookRequest:
        """Returns a genuine request whose body isn't that of the platform."""


class HttpChannelRig(ChannelRig):
    """A Channel, and a scripted upstream as its platform.

    Args:
        upstream: The running upstream.
        channel: The channel under test.
        protocol: The platform's protocol.
        account: The account, with its credentials.
    """

    def __init__(
        self, upstream: ScriptedUpstream, channel: Channel, protocol: PlatformProtocol, account: ChannelAccount
    ) -> None:
        self.channel = channel
        self.account = account
        self.wrong_account = wrong_secrets(account)
        self.has_quotes = protocol.has_quotes
        self.platform = PlatformState()
        self._upstream = upstream
        self._upstream.otherwise = self._respond
        self._protocol = protocol
        self._faults: dict[str, Fault] = {}
        self._numbers = itertools.count(1)

    def message(
        self, text: str, *, peer: Peer | None = None, name: str = "Ada", quote: str | None = None
    ) -> WebhookRequest:
        return self._protocol.message(
            UserMessage(number=next(self._numbers), peer=peer or Peer(USER), text=text, name=name, quote=quote)
        )

    def media_message(self, content: bytes, *, file_name: str) -> WebhookRequest:
        number = next(self._numbers)
        file_id = f"file-{number}"
        self.platform.files[file_id] = content
        return self._protocol.message(
            UserMessage(number=number, peer=Peer(USER), file_id=file_id, file_name=file_name, file_size=len(content))
        )

    def own_message(self) -> WebhookRequest | None:
        return self._protocol.own_message()

    def malformed(self) -> WebhookRequest:
        return self._protocol.malformed()

    async def fault(self, call: str, fault: Fault) -> None:
        self._faults[call] = fault

    async def refuse_formatting(self) -> None:
        self.platform.refuses_formatting = True

    async def stop(self) -> None:
        await self._upstream.__aexit__()

    async def deliver(self, request: WebhookRequest) -> None:
        """Fails: override it if the channel can pull.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("let the source of `pull` deliver the events of the request")

    def texts(self, peer: Peer) -> Sequence[str]:
        return [shown.text for shown in self.platform.messages if shown.chat == peer.chat]

    def typing(self) -> int:
        return self.platform.typing

    def requests(self) -> int:
        return len(self._upstream.requests)

    def setup(self) -> object:
        return self.platform.webhook

    def _respond(self, request: Received) -> Reply:
        fault = self._faults.pop(self._protocol.call_of(request), None)
        if fault is not None:
            return self._failure(fault, request)
        return self._protocol.respond(request, self.platform)

    def _failure(self, fault: Fault, request: Received) -> Reply:
        match fault:
            case Fault.BUSY:
                return self._protocol.busy()
            case Fault.REFUSAL:
                return self._protocol.refusal()
            case Fault.SERVER_ERROR:
                return _SERVER_ERROR
            case Fault.LOST_RESPONSE:
                return _CUT if request.method == "GET" else DROP
            case Fault.GONE:
                return self._protocol.gone()
