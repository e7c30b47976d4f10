import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.tools.calculate_tool import CalculateTool
from polyant.adapters.tools.current_time_tool import CurrentTimeTool
from polyant.adapters.tools.http_request_tool import HttpRequestTool
from polyant.adapters.tools.spawn_task_tool import SpawnTaskTool
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.ports.tool import Tool
from polyant.testing.fake_network import FakeNetwork
from polyant.testing.manual_clock import ManualClock
from polyant.testing.tool import CONTEXT, ToolContract, ToolRun, WaitingRun, WaitingToolContract
from support.upstream import HANG_BEFORE_HEAD, Received, Reply, ScriptedUpstream


class TestCurrentTimeTool(ToolContract):
    @pytest.fixture
    def tool(self) -> Tool:
        formatter = SystemDateTimeFormatter(timezone="UTC", locale="en-US")
        return CurrentTimeTool(clock=ManualClock(), date_time_formatter=formatter)

    @pytest.fixture
    def good(self) -> ToolRun:
        return ToolRun(arguments={"timezone": "Europe/Rome"})

    @pytest.fixture
    def bad(self) -> ToolRun:
        return ToolRun(arguments={"timezone": "Europe/Nowhere"})


class TestCalculateTool(ToolContract):
    @pytest.fixture
    def tool(self) -> Tool:
        return CalculateTool()

    @pytest.fixture
    def good(self) -> ToolRun:
        return ToolRun(arguments={"expression": "1/3 + 0.1"})

    @pytest.fixture
    def bad(self) -> ToolRun:
        return ToolRun(arguments={"expression": "1/0"})


class HangingServer:
    """A request that the server has received and does not answer."""

    run = ToolRun(arguments={"url": "http://example.com/hang"})

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream

    async def begun(self) -> None:
        await self._upstream.request()

    async def over(self) -> None:
        await self._upstream.requests[0].hung_up.wait()


def _hangs_at_its_path(request: Received) -> Reply:
    return HANG_BEFORE_HEAD if request.path == "/hang" else Reply(pieces=("Grüezi".encode(),))


class TestHttpRequestTool(WaitingToolContract):
    @pytest.fixture
    async def upstream(self) -> AsyncIterator[ScriptedUpstream]:
        async with ScriptedUpstream() as upstream:
            upstream.otherwise = _hangs_at_its_path
            yield upstream

    @pytest.fixture
    def tool(self, upstream: ScriptedUpstream, network: FakeNetwork) -> Tool:
        network.name("example.com", "93.184.215.14")
        network.place("93.184.215.14", upstream.url)
        return HttpRequestTool(clock=ManualClock(), http_tool_hosts=HttpToolHosts(frozenset()), resolver=network)

    @pytest.fixture
    async def network(self, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
        return FakeNetwork(monkeypatch)

    @pytest.fixture
    def good(self) -> ToolRun:
        return ToolRun(arguments={"url": "http://example.com/"})

    @pytest.fixture
    def bad(self) -> ToolRun:
        return ToolRun(arguments={"url": "http://127.0.0.1/"})

    @pytest.fixture
    def waiting(self, upstream: ScriptedUpstream) -> WaitingRun:
        return HangingServer(upstream)


class HangingSubAgent:
    """A task that a sub-agent never finishes."""

    def __init__(self) -> None:
        self.run = ToolRun(
            arguments={"task": "Wait."}, context=msgspec.structs.replace(CONTEXT, delegate=self._delegate)
        )
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def _delegate(self, task: str) -> str:
        self._begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._over.set()
        return task

    async def begun(self) -> None:
        await self._begun.wait()

    async def over(self) -> None:
        await self._over.wait()


async def _sub_agent(task: str) -> str:
    return f"Done: {task}"


class TestSpawnTaskTool(WaitingToolContract):
    @pytest.fixture
    def tool(self) -> Tool:
        return SpawnTaskTool()

    @pytest.fixture
    def good(self) -> ToolRun:
        return ToolRun(arguments={"task": "Count."}, context=msgspec.structs.replace(CONTEXT, delegate=_sub_agent))

    @pytest.fixture
    def bad(self) -> ToolRun:
        return ToolRun(arguments={"task": "Count."})

    @pytest.fixture
    def waiting(self) -> WaitingRun:
        return HangingSubAgent()
