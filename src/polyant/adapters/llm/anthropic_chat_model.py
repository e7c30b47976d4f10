"""Anthropic's Claude, through the Messages API."""

from collections.abc import AsyncGenerator, Mapping

import aiohttp

from polyant.adapters.llm.anthropic_media import is_audio
from polyant.adapters.llm.anthropic_request import AnthropicOptions, encode_request, options_of
from polyant.adapters.llm.anthropic_response_reader import AnthropicResponseReader
from polyant.adapters.llm.http import ProviderCall, ProviderClient, header_value
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

_MEDIA = frozenset({MediaKind.IMAGE, MediaKind.DOCUMENT})
_VERSION = {"anthropic-version": "2023-06-01"}


class AnthropicChatModel(ChatModel):
    """Calls the Messages API, with or without streaming, over a shared HTTP session."""

    info = ProviderInfo(
        name="anthropic",
        default_model="claude-haiku-5-5",
        base_url="https://api.anthropic.com/v1",
        secret=SecretName("anthropic_api_key"),
        response_format=True,
        media=_MEDIA,
        compatible_media=_MEDIA,
        environment_variable="ANTHROPIC_API_KEY",
    )

    options = AnthropicOptions

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
        self._refused_media = RefusedMedia(clock=clock)

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        owner = ProviderModel(self.info.name, request.model)
        sent = MediaRequest(request, self._refused_media, is_refused=is_audio)
        return with_retries(
            lambda: self._client.attempt(_call(sent), AnthropicResponseReader(owner)),
            provider=self.info.name,
            clock=self._clock,
            deadline=request.deadline,
        )

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        await self._client.reach(self.info.name, f"{base_url}/models", public_only=public_only)


def _call(sent: MediaRequest) -> ProviderCall:
    request = sent.current()
    return ProviderCall(
        url=options_of(request).address(f"{request.base_url}/messages"),
        headers={**trace_headers(request.trace), **_headers(request)},
        body=encode_request(request),
        stream=request.stream,
        deadline=request.deadline,
        public_only=request.public_only,
        tools=tuple(tool.name for tool in request.tools),
        amend=sent.drop_refused if sent.has_media else None,
        has_media=sent.has_media,
    )


def _headers(request: ModelRequest) -> Mapping[str, str]:
    if request.api_key is None:
        return _VERSION
    return {**_VERSION, "x-api-key": header_value(request.api_key)}
