"""The contract of the port Transcriber."""

import asyncio

import pytest

from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError
from polyant.domain.ports.transcriber import Transcriber
from polyant.testing.contract import Contract, proves

RECORDING = AudioPart(media_type="audio/ogg", data=b"OggS" + bytes(range(256)))
SILENCE = AudioPart(media_type="audio/wav", data=b"RIFF\0\0\0\0WAVE")
REFUSED = AudioPart(media_type="audio/mpeg", data=b"ID3 refused")
_PATIENCE_SECONDS = 20.0
WORDS = "Grüezi, wie geht's? 🐜"


class TranscriberContract(Contract):
    """The tests that every Transcriber must pass; subclasses provide two with a service that knows the recordings."""

    @pytest.fixture
    def transcriber(self) -> Transcriber:
        raise NotImplementedError("return one that knows WORDS for RECORDING, none for SILENCE, and refuses REFUSED")

    @pytest.fixture
    def disabled(self) -> Transcriber:
        raise NotImplementedError("return one without a service")

    @pytest.fixture
    def silent(self) -> Transcriber:
        raise NotImplementedError("return one whose service never responds")

    def test_implements_the_port(self, transcriber: Transcriber) -> None:
        assert isinstance(transcriber, Transcriber)

    def test_without_a_service_it_is_disabled(self, transcriber: Transcriber, disabled: Transcriber) -> None:
        assert (transcriber.is_enabled, disabled.is_enabled) == (True, False)

    @proves(
        "Writes down the words of recordings, such as voice messages.",
        "Returns the words of a recording, without surrounding white space; empty if there are none.",
    )
    async def test_words_are_returned_without_surrounding_blanks(self, transcriber: Transcriber) -> None:
        assert await transcriber.transcribe(RECORDING, seconds=10) == WORDS

    @proves("Returns the words of a recording, without surrounding white space; empty if there are none.")
    async def test_silence_is_empty(self, transcriber: Transcriber) -> None:
        assert await transcriber.transcribe(SILENCE, seconds=10) == ""

    @proves("TranscriptionError: The service failed or took too long.")
    async def test_service_that_takes_too_long_is_given_up(self, silent: Transcriber) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            with pytest.raises(TranscriptionError):
                await silent.transcribe(RECORDING, seconds=0.05)

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_cancelled_call_ends(self, silent: Transcriber) -> None:
        task = asyncio.create_task(silent.transcribe(RECORDING, seconds=2 * _PATIENCE_SECONDS))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task], timeout=_PATIENCE_SECONDS)
        assert task.cancelled()

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_calls_may_overlap(self, transcriber: Transcriber) -> None:
        calls = [transcriber.transcribe(recording, seconds=10) for recording in (RECORDING, SILENCE) * 3]
        assert await asyncio.gather(*calls) == [WORDS, ""] * 3

    @proves(
        "TranscriptionError: The service failed or took too long.",
        "The message contains neither the key nor the service's text.",
    )
    async def test_refused_recording_fails_without_its_content(self, transcriber: Transcriber) -> None:
        with pytest.raises(TranscriptionError) as caught:
            await transcriber.transcribe(REFUSED, seconds=10)
        assert "refused" not in caught.value.explanation

    @proves("The recording and the words appear in no log, error or repr.")
    async def test_recording_and_words_are_in_no_log_error_or_repr(
        self, transcriber: Transcriber, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        await transcriber.transcribe(RECORDING, seconds=10)
        with pytest.raises(TranscriptionError) as caught:
            await transcriber.transcribe(REFUSED, seconds=10)
        shown = f"{caplog.text} {caught.value!r} {caught.value.__cause__!r} {transcriber!r} {RECORDING!r}"
        assert WORDS not in shown
        assert "refused" not in shown
        assert "OggS" not in shown
