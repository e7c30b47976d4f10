"""Use case: answer some events with one turn."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import msgspec

from polyant.domain.channel_events import EventKind, InboundEvent
from polyant.domain.chat import AssistantMessage, UserMessage
from polyant.domain.chunks import split_text
from polyant.domain.conversations import Message, MessageId
from polyant.domain.errors import (
    AdapterUnavailableError,
    LeaseLostError,
    PolyantError,
    ProviderError,
    ProviderFailure,
    ServerBusyError,
    ServerShuttingDownError,
    StorageUnavailableError,
    UnavailableError,
    UnknownConversationError,
    UnknownInstanceError,
)
from polyant.domain.lane_work import EventId, EventState, LaneWork, StoredEvent
from polyant.domain.limits import RateLimit
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.open_conversation import OpenConversation
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_policy import RateCaller
from polyant.domain.rate_limits import CallerLimits
from polyant.domain.use_cases.channels.channel_history import ChannelHistory
from polyant.domain.use_cases.channels.end_events import Answered, EndEvents, Ending, Postponed, rest_of, turn_id_of
from polyant.domain.use_cases.channels.fetch_media import FetchMedia, MediaDelayedError
from polyant.domain.use_cases.channels.lane_account import LaneAccount
from polyant.domain.use_cases.channels.lease_keeper import LeaseKeeper
from polyant.domain.use_cases.channels.notices import Notice, notice_text
from polyant.domain.use_cases.channels.run_channel_turn import (
    ChannelTurn,
    RunChannelTurn,
    TurnInterruptedError,
    TurnPlan,
    may_restart,
)

_logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
_TOLD_LIMIT = RateLimit(1, 600)
_BUSY_SECONDS = 1.0
_BACK_OFF_SECONDS = (5.0, 20.0, 60.0, 180.0)
_PERMANENT = frozenset({ProviderFailure.AUTH, ProviderFailure.BAD_REQUEST})
_MAX_KNOWN = 1_000

ValueT = TypeVar("ValueT")


class ReadEvent(msgspec.Struct, frozen=True):
    """A stored event with its content."""

    stored: StoredEvent
    event: InboundEvent


class Batch(msgspec.Struct, frozen=True):
    """The events that one turn answers, in their order; there is at least one."""

    work: LaneWork
    account: LaneAccount
    events: tuple[ReadEvent, ...]

    @property
    def stored(self) -> tuple[StoredEvent, ...]:
        """The stored events."""
        return tuple(each.stored for each in self.events)

    @property
    def first(self) -> StoredEvent:
        """The first event, whose attempts count."""
        return self.events[0].stored

    @property
    def last(self) -> InboundEvent:
        """The last event, to which the answer replies."""
        return self.events[-1].event

    @property
    def all_ids(self) -> tuple[EventId, ...]:
        """The ids of all events that were loaded."""
        return tuple(event.id for event in self.work.events)


class AnswerBatch:
    """Runs the turn of a batch; its failure is tried again, or makes dead letters."""

    def __init__(
        self,
        *,
        history: ChannelHistory,
        run_turn: RunChannelTurn,
        fetch_media: FetchMedia,
        media: ConversationMedia,
        end: EndEvents,
        limits: CallerLimits,
        keeper: LeaseKeeper,
        clock: Clock,
    ) -> None:
        self._history = history
        self._run_turn = run_turn
        self._fetch_media = fetch_media
        self._media = media
        self._end = end
        self._limits = limits
        self._keeper = keeper
        self._clock = clock
        self._restarts: dict[EventId, int] = {}
        self._drafts: dict[EventId, str] = {}
        """The drafts of turns that didn't end, by the first event; later attempts replace them."""
        self._counted: dict[EventId, bool] = {}
        """The first events of the turns that the rate limits have counted."""

    async def __call__(self, batch: Batch) -> Answered | Postponed:
        """Returns what became of the events.

        Raises:
            LeaseLostError: The lease is lost; nothing was stored.
            StorageUnavailableError: The store is unavailable.
            UnknownInstanceError: The instance has been deleted.
        """
        if batch.first.attempts == 1 and batch.first.id not in self._counted:  # an uncounted attempt may precede
            if await self._is_limited(batch):
                return await self._limit(batch)
            _put(self._counted, batch.first.id, value=True)
        try:
            return await self._turn(batch)
        except (LeaseLostError, StorageUnavailableError, UnknownInstanceError):
            raise
        except TurnInterruptedError:
            self._note_restart(batch.first.id)
            return Postponed(untried=batch.all_ids)
        except (ServerShuttingDownError, ServerBusyError, AdapterUnavailableError, UnknownConversationError) as error:
            # The conversation was deleted while the turn ran: the next attempt starts a new one.
            return Postponed(delay=float(error.retry_after or 0), untried=batch.all_ids)
        except MediaDelayedError as error:
            return await self._postpone(batch, "media can't be fetched", delay=error.retry_after)
        except PolyantError as error:
            return await self._fail(batch, error)

    async def _is_limited(self, batch: Batch) -> bool:
        caller = RateCaller(
            instance=batch.account.instance.slug,
            channel=batch.account.connection.channel,
            channel_user=batch.events[-1].stored.user,
        )
        state = await self._limits.count(caller)
        return state is not None and not state.allowed

    async def _limit(self, batch: Batch) -> Answered:
        tells = await self._end.passes("told", batch.events[-1].stored, _TOLD_LIMIT)
        texts = (notice_text(Notice.LIMITED, batch.last.user.language),) if tells else ()
        ending = Ending(events=batch.stored, state=EventState.LIMITED, event=batch.last, texts=texts)
        return await self._end(batch.work, ending)

    async def _turn(self, batch: Batch) -> Answered:
        account = batch.account
        conversation = await self._history.open(batch.work.lease, account.instance, label=label_of(batch.last))
        async with self._keeper.keep(batch.work.lease):
            questions = [
                (each, await self._fetch_media(each.event, account))
                for each in batch.events
                if each.event.kind is EventKind.MESSAGE
            ]
        plan = TurnPlan(
            lease=batch.work.lease,
            instance=account.instance,
            account=account.account,
            event=batch.last,
            conversation=conversation.opened.id,
            messages=(*conversation.earlier, *(content for _, content in questions)),
            draft=self._drafts.get(batch.first.id),
            may_restart=may_restart(account.connection.burst, self._restarts.get(batch.first.id, 0)),
        )
        done = await self._run_turn(plan, account.channel, on_draft=partial(self._note_draft, batch.first.id))
        info = account.channel.info
        pieces = split_text(done.text, maximum=info.max_units, utf16=info.utf16)
        ending = Ending(
            events=batch.stored,
            state=EventState.ANSWERED,
            event=batch.last,
            texts=pieces or (notice_text(Notice.APOLOGY, batch.last.user.language),),
            conversation=conversation.opened,
            messages=await self._messages(conversation.opened, batch, questions, done),
            draft=done.draft,
            unless_woken=plan.may_restart and not done.tools,
        )
        answered = await self._end(batch.work, ending)
        self._restarts.pop(batch.first.id, None)
        self._drafts.pop(batch.first.id, None)
        return answered

    async def _fail(self, batch: Batch, error: PolyantError) -> Answered | Postponed:
        _logger.warning(
            "A message of %s to %s can't be answered: %s",
            batch.account.connection.channel,
            batch.account.instance.slug,
            error.explanation,
        )
        if _is_permanent(error):
            return await self._bury(batch, error.explanation)
        attempts = batch.first.attempts
        return await self._postpone(batch, error.explanation, delay=_BACK_OFF_SECONDS[min(attempts, 4) - 1])

    async def _postpone(self, batch: Batch, reason: str, *, delay: float) -> Answered | Postponed:
        """Tries again later; the first time, the user is told."""
        if batch.first.attempts >= MAX_ATTEMPTS:
            return await self._bury(batch, reason)
        is_first = batch.first.attempts == 1
        ending = Ending(
            events=batch.stored,
            state=EventState.OPEN,
            event=batch.last,
            texts=(notice_text(Notice.DELAY, batch.last.user.language),) if is_first else (),
            error=reason,
            draft=self._drafts.pop(batch.first.id, None) if is_first else None,
        )
        told = await self._end(batch.work, ending)
        return Postponed(delay=delay, untried=rest_of(batch.work, batch.stored), deliveries=told.deliveries)

    async def _bury(self, batch: Batch, reason: str) -> Answered:
        draft = self._drafts.pop(batch.first.id, None)
        ending = Ending(events=batch.stored, state=EventState.DEAD, event=batch.last, error=reason, draft=draft)
        return await self._end.bury(batch.work, ending)

    async def _messages(
        self,
        conversation: OpenConversation,
        batch: Batch,
        questions: Sequence[tuple[ReadEvent, UserMessage]],
        done: ChannelTurn,
    ) -> tuple[Message, ...]:
        """Returns the messages to store; their ids follow from the turn's, so that storing them twice is impossible."""
        turn, now = turn_id_of(batch.first), self._clock.now()
        stored = []
        for number, (each, content) in enumerate(questions):
            message_id = MessageId(f"{turn}-{number}")
            kept = await self._media.keep(conversation, content, message_id=message_id, at=now)
            stored.append(
                conversation.stored(
                    kept,
                    message_id=message_id,
                    turn=turn,
                    at=now,
                    platform_id=each.event.message_id or None,
                    sender=each.stored.user,
                )
            )
        answer = conversation.stored(
            AssistantMessage(done.text),
            message_id=MessageId(f"{turn}-answer"),
            turn=turn,
            at=now,
            tools=done.tools,
            sender=batch.events[-1].stored.user,
        )
        return (*stored, answer)

    def _note_draft(self, event: EventId, draft: str) -> None:
        _put(self._drafts, event, value=draft)

    def _note_restart(self, event: EventId) -> None:
        _put(self._restarts, event, value=self._restarts.get(event, 0) + 1)


def _put(known: dict[EventId, ValueT], event: EventId, *, value: ValueT) -> None:
    """Remembers a value, and forgets the oldest ones."""
    while len(known) >= _MAX_KNOWN:
        del known[next(iter(known))]
    known[event] = value


def label_of(event: InboundEvent) -> str:
    """Returns the text that shows operators who the peer is."""
    return (event.user.name if event.private else "") or event.peer.text


def _is_permanent(error: PolyantError) -> bool:
    if isinstance(error, ProviderError):
        return error.kind in _PERMANENT
    return isinstance(error, UnavailableError)  # a missing or unreadable key
