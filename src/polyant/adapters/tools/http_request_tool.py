"""Tool that sends an HTTP request to the public internet."""

import asyncio

from aiohttp.abc import AbstractResolver

from polyant.adapters.tools.allowed_hosts import AllowedHosts
from polyant.adapters.tools.http_call import HttpCall, HttpRequest
from polyant.adapters.tools.http_exchange import exchange
from polyant.adapters.tools.http_response import HttpResponse, describe
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext, ToolError

_MAX_REDIRECTS = 5
_MAX_SECONDS = 25.0
_SHARE_OF_TIME_LEFT = 0.9
"""Less than 1, so that the tool can report the timeout before the run is cancelled."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpRequestTool(Tool):
    """Calls hosts on the public internet, and the hosts that the operator lists.

    Args:
        clock: Measures the remaining time.
        http_tool_hosts: Hosts that may also be private: `host` or `host:port`.
        resolver: Resolves host names; None for the system's resolver.

    Raises:
        InvalidInputError: A listed host has an invalid form.
    """

    name = "http_request"
    description = (
        "Sends an HTTP request to a host on the public internet and returns status, some headers and the body as text "
        "(the first 56 KiB of it). Redirects are followed. Private and local addresses are refused."
    )
    arguments = HttpRequest
    secrets: tuple[SecretName, ...] = ()

    def __init__(
        self, *, clock: Clock, http_tool_hosts: HttpToolHosts, resolver: AbstractResolver | None = None
    ) -> None:
        self._clock = clock
        self._allowed = AllowedHosts(http_tool_hosts)
        self._resolver = resolver

    async def run(self, arguments: HttpRequest, context: ToolContext) -> str:
        call = HttpCall.of(arguments)
        seconds = min(_MAX_SECONDS, _SHARE_OF_TIME_LEFT * (context.deadline - self._clock.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                return describe(await self._follow(call))
        except TimeoutError:
            raise ToolError(f"{call.url.host} did not respond in time") from None

    async def _follow(self, call: HttpCall) -> HttpResponse:
        for _ in range(_MAX_REDIRECTS + 1):
            response = await exchange(call, allow_private=call.url in self._allowed, resolver=self._resolver)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            call = call.redirected(response.status, location)
        raise ToolError(f"There are more than {_MAX_REDIRECTS} redirects in a row")
