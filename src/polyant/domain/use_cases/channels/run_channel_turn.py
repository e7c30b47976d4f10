"""Use case: run the turn of a channel while its lane's lease is renewed and its progress shown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from polyant.domain.channel_events import InboundEvent
from polyant.domain.channel_sends import Progress
from polyant.domain.channels import BurstPolicy, ChannelAccount
from polyant.domain.chat import AssistantMessage, ChatRequest, SupervisorEvent, ToolStarted, UserMessage
from polyant.domain.conversations import ConversationId
from polyant.domain.errors import LeaseLostError, StorageUnavailableError
from polyant.domain.final_text import FinalText
from polyant.domain.injectables import LeaseSeconds
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lease
from polyant.domain.ports.channel import Channel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.lanes import Lanes
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.running_turns import CallerGoneError, Interruption
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.use_cases.channels.background_tasks import end
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun

_RENEWALS_PER_LEASE = 3
_INTERRUPT_POLL_SECONDS = 1.0


class TurnInterruptedError(Exception):
    """The lane received an event, and the turn is to start again with it."""


class ChannelTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a turn."""

    text: str
    tools: tuple[str, ...] = ()
    draft: str | None = None
    """The message on the platform that shows the text so far."""


class TurnPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a turn."""

    lease: Lease
    instance: Instance
    account: ChannelAccount
    event: InboundEvent
    """The last event that the turn answers."""
    conversation: ConversationId
    messages: tuple[UserMessage | AssistantMessage, ...]
    draft: str | None = None
    """The message on the platform with the text of an earlier attempt."""
    may_restart: bool = False
    """Whether a new event interrupts the turn, as long as no tool ran."""


class RunChannelTurn:
    """Runs turns with the limits and metrics of all turns."""

    def __init__(
        self, *, run_turn: RunTurn, lanes: Lanes, clock: Clock, tokens: TokenSource, lease_seconds: LeaseSeconds
    ) -> None:
        self._run_turn = run_turn
        self._lanes = lanes
        self._clock = clock
        self._tokens = tokens
        self._lease_seconds = lease_seconds

    async def __call__(
        self, plan: TurnPlan, channel: Channel, *, on_draft: Callable[[str], None] = lambda _: None
    ) -> ChannelTurn:
        """Returns the result of the turn.

        Args:
            plan: The input of the turn.
            channel: The adapter.
            on_draft: Receives a new draft, which stays on the platform if the turn fails.

        Raises:
            LeaseLostError: The lane was taken over.
            StorageUnavailableError: The lease expired, or the lane was taken over, during an outage of the store.
            TurnInterruptedError: The lane received an event, and the turn may be restarted.
            PolyantError: The turn failed, as for RunTurn.
        """
        watch = _Watch(plan, self._lanes, self._clock, self._lease_seconds)
        run = self._run_turn(plan.instance, _request(plan, channel), self._context(plan))
        final = FinalText()
        shown = _Shown(plan, channel, self._clock, on_draft)
        try:
            async with run, watch.over(run), shown.typing():
                async for event in run:
                    watch.take(event)
                    final.add(event)
                    await shown.text(final.text)
        except CallerGoneError:
            if watch.is_woken:
                raise TurnInterruptedError from None
            if watch.had_outage:
                raise StorageUnavailableError from None
            raise LeaseLostError from None
        return ChannelTurn(text=final.text, tools=tuple(watch.tools), draft=shown.draft)

    def _context(self, plan: TurnPlan) -> TurnContext:
        return TurnContext(
            request_id=self._tokens.turn_id(),
            channel=plan.lease.lane.channel,
            caller=Caller(channel_user=plan.event.user.id),
            chat_id=plan.conversation,
        )


def _request(plan: TurnPlan, channel: Channel) -> ChatRequest:
    streams = channel.info.draft_seconds is not None
    return ChatRequest(model=plan.instance.slug, messages=plan.messages, stream=streams)


class _Watch:
    """Renews the lease while the turn runs, and ends the turn if the lease is lost or a new event interrupts it."""

    def __init__(self, plan: TurnPlan, lanes: Lanes, clock: Clock, seconds: float) -> None:
        self._plan = plan
        self._lanes = lanes
        self._clock = clock
        self._seconds = seconds
        self.tools: list[str] = []
        self.is_woken = False
        self.had_outage = False
        """Whether the store was unavailable since the lease was renewed."""

    def take(self, event: SupervisorEvent) -> None:
        """Notes a tool: once one ran, the turn isn't interrupted."""
        if isinstance(event, ToolStarted):
            self.tools.append(event.name)

    @asynccontextmanager
    async def over(self, run: TurnRun) -> AsyncIterator[None]:
        """Watches the turn within the block."""
        task = asyncio.create_task(self._renew(run))
        try:
            yield
        finally:
            await end(task)

    async def _renew(self, run: TurnRun) -> None:
        may_restart = self._plan.may_restart
        pause = self._seconds / _RENEWALS_PER_LEASE
        pause = min(pause, _INTERRUPT_POLL_SECONDS) if may_restart else pause
        expires = self._clock.monotonic() + self._seconds
        while True:
            await self._clock.sleep(pause)
            try:
                wake = await self._lanes.renew(self._plan.lease, seconds=self._seconds)
            except LeaseLostError:
                run.interrupt(Interruption.CALLER_GONE)
                return
            except StorageUnavailableError:
                self.had_outage = True
                if self._clock.monotonic() >= expires:
                    run.interrupt(Interruption.CALLER_GONE)
                    return
                continue
            expires, self.had_outage = self._clock.monotonic() + self._seconds, False
            if may_restart and wake != self._plan.lease.wake and not self.tools:
                self.is_woken = True
                run.interrupt(Interruption.CALLER_GONE)
                return


class _Shown:
    """Shows on the platform that a turn runs, and its text so far."""

    def __init__(self, plan: TurnPlan, channel: Channel, clock: Clock, on_draft: Callable[[str], None]) -> None:
        self._plan = plan
        self._channel = channel
        self._clock = clock
        self._on_draft = on_draft
        self._next = clock.monotonic() + (channel.info.draft_seconds or 0.0)
        self.draft = plan.draft

    async def text(self, text: str) -> None:
        """Shows the text, unless it was shown recently."""
        seconds, now = self._channel.info.draft_seconds, self._clock.monotonic()
        if seconds is None or not text.strip() or now < self._next:
            return
        self._next = now + seconds
        maximum = self._channel.info.max_units // (2 if self._channel.info.utf16 else 1)
        progress = self._progress(text=text[:maximum], draft=self.draft)
        draft = await self._channel.show_progress(self._plan.account, progress)
        if draft is not None and draft != self.draft:
            self._on_draft(draft)
        self.draft = draft

    @asynccontextmanager
    async def typing(self) -> AsyncIterator[None]:
        """Shows within the block that the account is typing."""
        task = asyncio.create_task(self._type())
        try:
            yield
        finally:
            await end(task)

    async def _type(self) -> None:
        while True:
            await self._channel.show_progress(self._plan.account, self._progress())
            if self._channel.info.typing_seconds == float("inf"):
                return
            await self._clock.sleep(self._channel.info.typing_seconds)

    def _progress(self, *, text: str = "", draft: str | None = None) -> Progress:
        event = self._plan.event
        return Progress(peer=event.peer, private=event.private, message_id=event.message_id, text=text, draft=draft)


def may_restart(policy: BurstPolicy, restarts: int) -> bool:
    """Returns whether a new event restarts a turn that was restarted so often."""
    return policy is BurstPolicy.INTERRUPT and restarts < 2  # noqa: PLR2004 - the policy's own bound
