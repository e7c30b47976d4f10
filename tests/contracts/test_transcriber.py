from collections.abc import AsyncIterator

import aiohttp
import pytest

from polyant.adapters.llm.openai_transcriber import OpenAITranscriber
from polyant.adapters.memory.transcriber import MemoryTranscriber
from polyant.domain.media.transcription import TranscriptionService
from polyant.domain.proxies import ProxyRules
from polyant.testing.transcriber import RECORDING, SILENCE, WORDS, TranscriberContract
from support.upstream import HANG_BEFORE_HEAD, Received, Reply, ScriptedUpstream, json_reply


def transcribe(received: Received) -> Reply:
    if RECORDING.data in received.body:
        return json_reply({"text": f" {WORDS}\n"})
    if SILENCE.data in received.body:
        return json_reply({"text": ""})
    return json_reply({"error": {"message": "refused"}}, status=400)


class TestMemoryTranscriber(TranscriberContract):
    @pytest.fixture
    def transcriber(self) -> MemoryTranscriber:
        return MemoryTranscriber({RECORDING.data: f" {WORDS}\n", SILENCE.data: ""})

    @pytest.fixture
    def disabled(self) -> MemoryTranscriber:
        return MemoryTranscriber()

    @pytest.fixture
    def silent(self) -> MemoryTranscriber:
        return MemoryTranscriber({}, responds=False)


class TestOpenAITranscriber(TranscriberContract):
    @pytest.fixture
    async def http(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession() as http:
            yield http

    @pytest.fixture
    async def transcriber(self, http: aiohttp.ClientSession) -> AsyncIterator[OpenAITranscriber]:
        async with ScriptedUpstream() as upstream:
            upstream.otherwise = transcribe
            service = TranscriptionService(url=f"{upstream.url}/v1")
            yield OpenAITranscriber(http=http, service=service, proxies=ProxyRules())

    @pytest.fixture
    def disabled(self, http: aiohttp.ClientSession) -> OpenAITranscriber:
        return OpenAITranscriber(http=http, service=TranscriptionService(), proxies=ProxyRules())

    @pytest.fixture
    async def silent(self, http: aiohttp.ClientSession) -> AsyncIterator[OpenAITranscriber]:
        async with ScriptedUpstream() as upstream:
            upstream.otherwise = HANG_BEFORE_HEAD
            service = TranscriptionService(url=f"{upstream.url}/v1")
            yield OpenAITranscriber(http=http, service=service, proxies=ProxyRules())
