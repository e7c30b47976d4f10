"""Use case: answer the events of a lane, or end them without a turn."""

from collections.abc import Sequence

import msgspec

from polyant.domain.channel_events import EventKind, InboundEvent
from polyant.domain.channels import ChannelAccess
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.lane_work import EventState, LaneWork, StoredEvent
from polyant.domain.pairing import PairingCodes
from polyant.domain.use_cases.channels.answer_batch import MAX_ATTEMPTS, AnswerBatch, Batch, ReadEvent, label_of
from polyant.domain.use_cases.channels.channel_history import ChannelHistory
from polyant.domain.use_cases.channels.end_events import APOLOGY_LIMIT, Answered, EndEvents, Ending, Postponed
from polyant.domain.use_cases.channels.ingest_keys import IngestKeys
from polyant.domain.use_cases.channels.lane_account import LaneAccount
from polyant.domain.use_cases.channels.notices import Notice, notice_text
from polyant.domain.use_cases.channels.receive_events import EVENT

_STRANGER = "the user may not talk"


class AnswerEvents:
    """Decides what becomes of events: each ends as answered, ignored, limited or dead, or is tried again."""

    def __init__(
        self,
        *,
        answer: AnswerBatch,
        end: EndEvents,
        history: ChannelHistory,
        keys: IngestKeys,
        pairing: PairingCodes,
    ) -> None:
        self._answer = answer
        self._end = end
        self._history = history
        self._keys = keys
        self._pairing = pairing

    async def __call__(self, work: LaneWork, account: LaneAccount) -> Answered | Postponed:
        """Returns what became of the first of the work's events; others are untried.

        Raises:
            LeaseLostError: The lease is lost; nothing was stored.
            StorageUnavailableError: The store is unavailable.
        """
        first = await self._read(work.events[0])
        if first is None:
            ending = Ending(events=work.events[:1], state=EventState.DEAD, error="unreadable")
            return await self._end.bury(work, ending)
        if first.stored.attempts > MAX_ATTEMPTS:
            reason = "the attempts ended without a result"
            ending = Ending(events=work.events[:1], state=EventState.DEAD, event=first.event, error=reason)
            return await self._end.bury(work, ending)
        reason_to_ignore = _reason_to_ignore(first.event, account)
        if reason_to_ignore is not None:
            return await self._ignore(work, first, account, reason_to_ignore)
        if first.event.command is not None:
            return await self._command(work, first, account)
        return await self._answer(Batch(work, account, await self._batch(first, work.events[1:], account)))

    async def _read(self, stored: StoredEvent) -> ReadEvent | None:
        try:
            text = await self._keys.decrypt(stored.payload or "", EVENT)
            return ReadEvent(stored, msgspec.json.decode(text, type=InboundEvent))
        except (SecretUnreadableError, msgspec.DecodeError):
            return None

    async def _batch(
        self, first: ReadEvent, others: Sequence[StoredEvent], account: LaneAccount
    ) -> tuple[ReadEvent, ...]:
        """Returns the first event and those after it that the same turn answers."""
        batch = [first]
        for stored in others:
            read = await self._read(stored)
            if read is None or read.event.command is not None or read.event.kind is EventKind.MOVED:
                break
            if read.event.kind is EventKind.EDIT:
                batch = [_edited(each, read.event) for each in batch]
            elif _reason_to_ignore(read.event, account) is not None:
                break
            batch.append(read)
        return tuple(batch)

    async def _ignore(self, work: LaneWork, read: ReadEvent, account: LaneAccount, reason: str) -> Answered:
        texts: tuple[str, ...] = ()
        event, connection = read.event, account.connection
        is_unpaired = reason == _STRANGER and connection.access is ChannelAccess.PAIRING and event.private
        if is_unpaired and await self._end.passes("pairing", read.stored, APOLOGY_LIMIT):
            code = await self._pairing.code_of(connection.id, event.user.id)
            texts = (notice_text(Notice.PAIRING, event.user.language, code=code),)
        ending = Ending(events=(read.stored,), state=EventState.IGNORED, event=event, texts=texts, error=reason)
        answered = await self._end(work, ending)
        return msgspec.structs.replace(answered, moved_to=event.moved_to)

    async def _command(self, work: LaneWork, read: ReadEvent, account: LaneAccount) -> Answered:
        notice = {"start": Notice.START, "new": Notice.NEW}.get(read.event.command or "", Notice.HELP)
        if notice is Notice.NEW:
            await self._history.restart(work.lease, account.instance, label=label_of(read.event))
        prefix = account.channel.info.command_prefix
        texts = (notice_text(notice, read.event.user.language, prefix=prefix),)
        ending = Ending(events=(read.stored,), state=EventState.ANSWERED, event=read.event, texts=texts)
        return await self._end(work, ending)


def _reason_to_ignore(event: InboundEvent, account: LaneAccount) -> str | None:
    if event.kind is EventKind.MOVED:
        return "the chat has a new id"
    if not event.addressed:
        return "not addressed"
    if not account.connection.admits(event.user.id, workspace=event.user.workspace):
        return _STRANGER
    if event.kind is not EventKind.MESSAGE:
        return "the turn of the edited message had begun"
    return None if account.instance.is_active else "the instance is disabled"


def _edited(read: ReadEvent, edit: InboundEvent) -> ReadEvent:
    """Returns the event with the text of its edit."""
    if edit.edited is None or read.event.message_id != edit.edited:
        return read
    return ReadEvent(read.stored, msgspec.structs.replace(read.event, text=edit.text))
