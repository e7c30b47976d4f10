"""Port: a chat platform."""

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from polyant.domain.channel_events import InboundBatch, MediaReference, WebhookRequest
from polyant.domain.channel_info import AccountState, ChannelInfo, SetUp, TearDown
from polyant.domain.channel_sends import Chunk, FetchOutcome, Progress, SendOutcome
from polyant.domain.channels import ChannelAccount


@runtime_checkable
class EventSource(Protocol):
    """The open subscription of a pulled account."""

    @abstractmethod
    async def receive(self, seconds: float) -> InboundBatch:
        """Returns the next events; a batch without events if there are none within that many seconds.

        Calling it again acknowledges the batch that it returned before, so store the events first. Events that weren't
        acknowledged are delivered again, to this source or the next one.

        Raises:
            PullConflictError: Another program pulls the events of the account.
            ChannelRefusedError: The platform refuses the credentials.
            ChannelUnreachableError: The platform doesn't respond; call again after its `retry_after`.
        """


@runtime_checkable
class Channel(Protocol):
    """Speaks the protocol of a chat platform for any number of accounts. It stores nothing.

    Calls may overlap, and a cancelled call ends immediately. Credentials go only to the platform's own hosts, and never
    appear in results, errors, a repr or the log. No call is repeated by the adapter itself, except that `send` sends a
    text again without formatting if the platform refuses the formatting, and that `check` may repeat a refused change
    for a few seconds, until all servers know a new connection.
    """

    info: ChannelInfo

    @abstractmethod
    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        """Returns what the platform says about the account, after the change to it, if one is given.

        The account's id in the connection is ignored, since a new connection doesn't know it. Without a change, nothing
        changes on the platform. Changes can be repeated. A `TearDown` leaves another webhook than its own, and
        reports it as a problem.

        Raises:
            ChannelRefusedError: The platform refuses the credentials or the change.
            ChannelUnreachableError: The platform doesn't respond.
        """

    @abstractmethod
    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        """Returns the events of a request to the account's webhook, without any I/O.

        The signature of the raw bytes is verified in constant time before anything else is read. Each delivery of an
        event has the same id. Events of other accounts, and kinds of events that are unknown, are only counted.

        Raises:
            WebhookRefusedError: The request isn't from the platform, or it can't be understood.
        """

    @abstractmethod
    def pull(self, account: ChannelAccount) -> AbstractAsyncContextManager[EventSource]:
        """Returns a context manager that yields the source of the account's events; exiting closes it.

        One process at a time enters it for an account. Entering makes no call.
        """

    @abstractmethod
    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        """Sends a message and returns what is known about it; never raises an error of the platform.

        If the platform refuses the formatting, the text is sent without it. If the message that it replaces is gone, it
        is sent as a new one. `Ambiguous` covers a time-out or a lost connection after the request was written, and a
        server error. It takes at most `info.send_seconds`.
        """

    @abstractmethod
    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        """Returns the content of media, or why it can't be fetched; never raises an error of the platform.

        It reads at most `max_bytes` and takes at most 60 s. Only the platform's own hosts are contacted, also after a
        redirect.
        """

    @abstractmethod
    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        """Shows that the account is typing, or the text so far; never raises an error of the platform.

        Returns:
            The id of a message that shows the text so far and that the first chunk has to replace, see
            `Chunk.replaces` and `Progress.draft`; None if there is none, for example because the platform removes
            drafts by itself.
        """
