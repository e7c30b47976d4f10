"""A fake chat platform in memory, for tests of what uses a Channel."""

import asyncio
import hmac
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from polyant.domain.channel_events import (
    InboundBatch,
    InboundEvent,
    MediaReference,
    WebhookRefusedError,
    WebhookRequest,
)
from polyant.domain.channel_info import AccountState, ChannelInfo, Credential, SetUp, TearDown
from polyant.domain.channel_sends import Chunk, FetchOutcome, MediaUnavailable, Progress, SendOutcome, Sent
from polyant.domain.channels import ChannelAccess, ChannelAccount, Delivery
from polyant.domain.ports.channel import Channel, EventSource

FAKE_TOKEN = "fake-token-0123456789"  # noqa: S105 - it opens nothing


class FakeChannel(Channel):
    """A channel whose webhook takes a JSON array of InboundEvents, and that records everything it sends.

    Set `outcomes` or `media` to decide what `send` and `fetch` return; requests need the header `x-fake-token`.
    """

    info = ChannelInfo(
        name="fake",
        label="Fake",
        credentials=(Credential(name="token", label="Token"),),
        access=ChannelAccess.EVERYBODY,
        accesses=tuple(ChannelAccess),
        deliveries=tuple(Delivery),
        max_units=4_000,
        typing_seconds=5.0,
        draft_seconds=1.0,
    )

    def __init__(self) -> None:
        self.sent: list[Chunk] = []
        """The chunks that the platform took, in order."""
        self.attempts: list[Chunk] = []
        """All chunks that were passed to `send`."""
        self.progress: list[Progress] = []
        self.draft: str | None = None
        """The message with the text so far, if the platform keeps one."""
        self.changes: list[SetUp | TearDown] = []
        self.outcomes: deque[SendOutcome | Callable[[Chunk], SendOutcome]] = deque()
        """The outcomes of the next calls of `send`; afterwards, everything is sent."""
        self.media: dict[str, FetchOutcome] = {}
        self.state = AccountState(account="fake-account", name="@fake")
        self.waiting: asyncio.Queue[InboundEvent] = asyncio.Queue()
        """The events that `pull` delivers."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        if change is not None:
            self.changes.append(change)
        return self.state

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        token = account.credentials["token"].reveal()
        if not hmac.compare_digest(request.headers.get("x-fake-token", "").encode(), token.encode()):
            raise WebhookRefusedError(forged=True)
        try:
            return InboundBatch(events=msgspec.json.decode(request.body, type=tuple[InboundEvent, ...]))
        except msgspec.DecodeError:
            raise WebhookRefusedError(forged=False) from None

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        yield _QueueSource(self.waiting)

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        self.attempts.append(chunk)
        outcome = self.outcomes.popleft() if self.outcomes else Sent(f"fake-{len(self.attempts)}")
        outcome = outcome(chunk) if callable(outcome) else outcome
        if isinstance(outcome, Sent):
            self.sent.append(chunk)
        return outcome

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        return self.media.get(media.id, MediaUnavailable("gone"))

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        self.progress.append(progress)
        return self.draft if progress.text else None


class _QueueSource(EventSource):
    def __init__(self, waiting: "asyncio.Queue[InboundEvent]") -> None:
        self._waiting = waiting

    async def receive(self, seconds: float) -> InboundBatch:
        try:
            return InboundBatch(events=(await asyncio.wait_for(self._waiting.get(), seconds),))
        except TimeoutError:
            return InboundBatch()


def fake_request(events: Sequence[InboundEvent], *, token: str = FAKE_TOKEN) -> WebhookRequest:
    """Returns a webhook request of the fake platform."""
    return WebhookRequest(method="POST", headers={"x-fake-token": token}, body=msgspec.json.encode(events))
