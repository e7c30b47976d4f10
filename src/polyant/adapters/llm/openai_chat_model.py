"""OpenAI, and every server that is compatible with its Chat Completions API."""

from collections.abc import AsyncGenerator, Mapping

import aiohttp

from polyant.adapters.llm.http import VendorCall, VendorHttp, header_value
from polyant.adapters.llm.openai_answer import OpenAIAnswer
from polyant.adapters.llm.openai_request import encode_request
from polyant.adapters.llm.retry import with_retries
from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.secrets import SecretName


class OpenAIChatModel(ChatModel):
    """Asks for whole completions or streams of chunks, over a session that it doesn't own."""

    info = ProviderInfo(
        name="openai",
        # The successor that OpenAI names for gpt-5-mini: https://platform.openai.com/docs/deprecations
        default_model="gpt-6.1-terra",
        base_url="https://api.openai.com/v1",
        secret=SecretName("openai_api_key"),
        environment_variable="OPENAI_API_KEY",
    )

    def __init__(self, *, http: aiohttp.ClientSession, clock: Clock, timeouts: ProviderTimeouts) -> None:
        self._clock = clock
        self._vendor = VendorHttp(http=http, clock=clock, timeouts=timeouts)
        self._silent_on_usage: set[str] = set()

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        return with_retries(
            lambda: self._vendor.attempt(self._call(request), OpenAIAnswer()),
            provider=self.info.name,
            clock=self._clock,
            deadline=request.deadline,
        )

    async def check(self, base_url: str) -> None:
        await self._vendor.reach(self.info.name, f"{base_url}/models")

    def _call(self, request: ModelRequest) -> VendorCall:
        include_usage = request.stream and request.base_url not in self._silent_on_usage
        return VendorCall(
            url=f"{request.base_url}/chat/completions",
            headers=_headers(request),
            body=encode_request(request, include_usage=include_usage),
            stream=request.stream,
            deadline=request.deadline,
            amend=(lambda refusal: self._drop_usage(request.base_url, refusal)) if include_usage else None,
        )

    def _drop_usage(self, base_url: str, refusal: bytes) -> bool:
        """Remembers that a server refuses `stream_options`, as Mistral's does; its streams report usage or don't."""
        if b"stream_options" not in refusal:
            return False
        self._silent_on_usage.add(base_url)
        return True


def _headers(request: ModelRequest) -> Mapping[str, str]:
    if request.api_key is None:
        return {}
    return {"Authorization": f"Bearer {header_value(request.api_key)}"}
