"""OpenAI and servers that are compatible with its Chat Completions API."""

from collections.abc import AsyncGenerator, Mapping

import aiohttp

from polyant.adapters.llm.http import ProviderCall, ProviderClient, header_value
from polyant.adapters.llm.openai_dialect import dialect_of
from polyant.adapters.llm.openai_media import is_refused_audio
from polyant.adapters.llm.openai_request import OpenAIOptions, encode_request, options_of
from polyant.adapters.llm.openai_response_reader import OpenAIResponseReader
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.llm.refused_media import MediaRequest, RefusedMedia
from polyant.adapters.llm.response_reader import ProviderModel
from polyant.adapters.llm.retry import with_retries
from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.media.parts import MediaKind
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretName
from polyant.domain.trace_context import trace_headers


class OpenAIChatModel(ChatModel):
    """Calls the Chat Completions API, with or without streaming, over a shared HTTP session."""

    info = ProviderInfo(
        name="openai",
        # OpenAI's recommended replacement for gpt-5-mini: https://platform.openai.com/docs/deprecations
        default_model="gpt-6.1-terra",
        base_url="https://api.openai.com/v1",
        secret=SecretName("openai_api_key"),
        response_format=True,
        media=frozenset(MediaKind),
        compatible_media=frozenset({MediaKind.IMAGE, MediaKind.AUDIO}),
        environment_variable="OPENAI_API_KEY",
    )

    options = OpenAIOptions

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        timeouts: ProviderTimeouts,
        public_http: PublicHttp | None = None,
        proxies: ProxyRules | None = None,
    ) -> None:
        self._clock = clock
        self._client = ProviderClient(
            http=http, clock=clock, timeouts=timeouts, public_http=public_http, proxies=proxies
        )
        self._without_usage_option: set[str] = set()
        self._refused_media = RefusedMedia(clock=clock)

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        owner = ProviderModel(self.info.name, request.model)
        sent = MediaRequest(request, self._refused_media, is_refused=is_refused_audio)
        return with_retries(
            lambda: self._client.attempt(self._call(sent), OpenAIResponseReader(owner)),
            provider=self.info.name,
            clock=self._clock,
            deadline=request.deadline,
        )

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        await self._client.reach(self.info.name, f"{base_url}/models", public_only=public_only)

    def _call(self, sent: MediaRequest) -> ProviderCall:
        request = sent.current()
        include_usage = request.stream and request.base_url not in self._without_usage_option

        def amend(body: bytes) -> bool:
            return (include_usage and self._omit_usage(request.base_url, body)) or sent.drop_refused(body)

        return ProviderCall(
            url=options_of(request).address(f"{request.base_url}/chat/completions"),
            headers={**trace_headers(request.trace), **_headers(request)},
            body=encode_request(request, include_usage=include_usage),
            stream=request.stream,
            deadline=request.deadline,
            public_only=request.public_only,
            tools=tuple(tool.name for tool in request.tools),
            amend=amend if include_usage or sent.has_media else None,
            has_media=sent.has_media,
        )

    def _omit_usage(self, base_url: str, error_body: bytes) -> bool:
        """Remembers that a server rejects `stream_options`, as Mistral does; its streams may report usage anyway."""
        if b"stream_options" not in error_body:
            return False
        self._without_usage_option.add(base_url)
        return True


def _headers(request: ModelRequest) -> Mapping[str, str]:
    if request.api_key is None:
        return {}
    if dialect_of(request.base_url, request.model).is_azure_deployment:
        return {"api-key": header_value(request.api_key)}
    return {"Authorization": f"Bearer {header_value(request.api_key)}"}
