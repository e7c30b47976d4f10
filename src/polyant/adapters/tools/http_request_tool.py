"""Tool that sends an HTTP request to the public internet, and to nowhere else."""

import asyncio

from aiohttp.abc import AbstractResolver

from polyant.adapters.tools.allowed_hosts import AllowedHosts
from polyant.adapters.tools.http_answer import HttpAnswer, describe
from polyant.adapters.tools.http_call import HttpCall, HttpRequest
from polyant.adapters.tools.http_exchange import exchange
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext, ToolError

_MAX_REDIRECTS = 5
_MAX_SECONDS = 25.0
_SHARE_OF_TIME_LEFT = 0.9
"""So that the model is told what took too long before the run is cancelled."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpRequestTool(Tool):
    """Calls any host on the public internet, and besides those that the operator lists.

    Args:
        clock: Tells how much time is left.
        http_tool_hosts: Hosts that may be called wherever they are: `host` or `host:port`.
        resolver: What looks host names up; the system's if there is none.

    Raises:
        InvalidInputError: A listed host isn't written as it should be.
    """

    name = "http_request"
    description = (
        "Sends an HTTP request to a host on the public internet and gives status, some headers and the body as text "
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
            raise ToolError(f"{call.url.host} did not answer in time") from None

    async def _follow(self, call: HttpCall) -> HttpAnswer:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await exchange(call, anywhere=call.url in self._allowed, resolver=self._resolver)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            call = call.redirected(answer.status, location)
        raise ToolError(f"There are more than {_MAX_REDIRECTS} redirects in a row")
