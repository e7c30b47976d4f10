"""The kits refuse wrong adapters of the ports of media."""

import asyncio
from collections.abc import Collection

import pytest

from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.adapters.memory.transcriber import MemoryTranscriber
from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError
from polyant.testing import transcriber
from polyant.testing.media_store import MediaStoreContract
from polyant.testing.transcriber import TranscriberContract
from support.patience import seconds


class ForgetfulMediaStore(MemoryMediaStore):
    """Deletes only the first of several messages and conversations."""

    async def delete(
        self, *, messages: Collection[MessageId] = (), conversations: Collection[ConversationId] = ()
    ) -> None:
        await super().delete(messages=list(messages)[:1], conversations=list(conversations)[:1])


class PatientTranscriber(MemoryTranscriber):
    """Ignores its time."""

    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:
        return await super().transcribe(recording, seconds=3_600)


class StubbornTranscriber(MemoryTranscriber):
    """Ignores cancellation."""

    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:
        try:
            return await super().transcribe(recording, seconds=seconds)
        except asyncio.CancelledError:
            raise TranscriptionError from None


async def test_store_that_deletes_only_the_first_message_is_refused() -> None:
    with pytest.raises(AssertionError):
        await MediaStoreContract().test_several_messages_and_conversations_are_deleted_at_once(ForgetfulMediaStore())


async def test_transcriber_that_ignores_its_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriber, "_PATIENCE_SECONDS", seconds(1))
    with pytest.raises(TimeoutError):
        await TranscriberContract().test_service_that_takes_too_long_is_given_up(PatientTranscriber({}, responds=False))


async def test_transcriber_that_ignores_cancellation_is_refused() -> None:
    with pytest.raises(AssertionError):
        await TranscriberContract().test_cancelled_call_ends(StubbornTranscriber({}, responds=False))
