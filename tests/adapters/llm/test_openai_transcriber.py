import asyncio

import aiohttp
import pytest

from polyant.adapters.llm.openai_transcriber import OpenAITranscriber
from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError, TranscriptionService
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText
from support.logs import collected
from support.patience import seconds
from support.upstream import Reply, ScriptedUpstream, Then, json_reply

KEY = "sk-0123456789abcdef"
VOICE = AudioPart(media_type="audio/ogg", data=b"OggS-canary")


@pytest.fixture
def transcriber(http: aiohttp.ClientSession, upstream: ScriptedUpstream) -> OpenAITranscriber:
    service = TranscriptionService(url=f"{upstream.url}/v1/", model="gpt-4o-transcribe", key=SecretText(KEY))
    return OpenAITranscriber(http=http, service=service, proxies=ProxyRules())


async def test_recording_is_sent_as_openai_s_form(upstream: ScriptedUpstream, transcriber: OpenAITranscriber) -> None:
    upstream.otherwise = json_reply({"text": "Hi", "usage": {"seconds": 2}})
    assert await transcriber.transcribe(VOICE, seconds=10) == "Hi"
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("POST", "/v1/audio/transcriptions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"].startswith("multipart/form-data")
    for piece in (b'name="model"', b"gpt-4o-transcribe", b'filename="recording.ogg"', b"Content-Type: audio/ogg"):
        assert piece in sent.body
    assert VOICE.data in sent.body


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (json_reply({"error": {"message": f"bad key {KEY}"}}, status=401), "it responded with status 401"),
        (Reply(status=302, headers={"Location": "/elsewhere"}), "it responded with status 302"),
        (json_reply({"words": []}), "it sent no transcript"),
        (Reply(pieces=(b"rubbish",)), "it sent no transcript"),
        (Reply(pieces=(b"x" * 1_100_000,)), "its response is too long"),
        (Reply(framing="raw", pieces=(Then.CUT,)), "it can't be reached"),
    ],
)
async def test_failure_says_the_reason_to_operators_and_no_more(
    upstream: ScriptedUpstream, transcriber: OpenAITranscriber, reply: Reply, reason: str
) -> None:
    upstream.otherwise = reply
    with collected("polyant") as records, pytest.raises(TranscriptionError) as caught:
        await transcriber.transcribe(VOICE, seconds=10)
    assert caught.value.message == "The recording couldn't be transcribed"
    assert caught.value.hint == f"The service in TRANSCRIBER_URL failed: {reason}"
    assert KEY not in repr(caught.getrepr(style="long")) + str([vars(record) for record in records])
    assert len(upstream.requests) == 1


async def test_call_ends_with_its_time_and_when_it_is_cancelled(
    upstream: ScriptedUpstream, transcriber: OpenAITranscriber
) -> None:
    upstream.otherwise = Reply(framing="raw", pieces=(Then.HANG,))
    with pytest.raises(TranscriptionError) as caught:
        await transcriber.transcribe(VOICE, seconds=0.05)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("it didn't respond in time")
    call = asyncio.create_task(transcriber.transcribe(VOICE, seconds=60))
    received = await upstream.request(1)
    call.cancel()
    async with asyncio.timeout(seconds(5)):
        await received.hung_up.wait()
