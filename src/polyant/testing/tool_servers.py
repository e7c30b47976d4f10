"""Contract of the port ToolServers."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import msgspec
import pytest

from polyant.domain.instances import Slug
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.secrets import SecretText
from polyant.domain.tools import OfferedTool, ToolContext, ToolError
from polyant.testing.tool import no_sub_agent
from polyant.testing.turns import CONTEXT as TURN_CONTEXT

SEEN_AT_ONCE = 1.0
SLUG = Slug("demo-bot")
SECRET = "Bearer token-0123456789"  # noqa: S105 - made up
CONTEXT = ToolContext(slug=SLUG, turn=TURN_CONTEXT, secrets={}, deadline=math.inf, delegate=no_sub_agent)
SOME_TOOLS = ("add", "fail", "hang", "headers", "headers_fail", "show")


class ToolServersUnderTest(Protocol):
    """Something that opens servers, and servers to open.

    The server `full` has the tools `add` (gives the sum of its arguments a and b), `fail` (fails and says "No such
    order: ask for its number."), `hang` (never ends), `headers` (gives the headers of the request as JSON),
    `headers_fail` (fails and says the same), `show` (gives the text "See:", an image of the type image/png, and the
    text "A note." in a resource) and `die` (after which the server is gone).
    """

    tool_servers: ToolServers
    """Gives a server less than a second to be ready, so that the tests take no longer than needed."""

    def full(self, *tools: str) -> ServerAccess:
        """Returns the access to the server `full`, of which those tools are allowed; it wants no headers."""

    def odd(self) -> ServerAccess:
        """Returns the access to a server all of whose tools are allowed, and all but its `good` are unfit."""

    def down(self) -> ServerAccess:
        """Returns the access to a server that can't be reached."""

    def slow(self) -> ServerAccess:
        """Returns the access to a server that takes a connection and never answers."""

    def refusing(self) -> ServerAccess:
        """Returns the access to a server that answers every request with status 401, and `SECRET` in the body."""

    def redirecting(self) -> ServerAccess:
        """Returns the access to a server that redirects to one with another origin."""

    @property
    def redirected(self) -> int:
        """How many requests the server with the other origin has had."""

    async def hanging(self, count: int) -> None:
        """Returns once exactly so many calls of `hang` are at the server."""


@asynccontextmanager
async def opened(servers: ToolServersUnderTest, *accesses: ServerAccess) -> AsyncIterator[dict[str, OfferedTool]]:
    """Yields the tools by name."""
    async with servers.tool_servers.open(SLUG, accesses) as tools:
        yield {tool.spec.name: tool for tool in tools}


async def call(tool: OfferedTool, **arguments: Any) -> str:
    """Returns the result of a call with arguments as a model writes them."""
    return await tool.call(msgspec.json.encode(arguments).decode(), CONTEXT)


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Yields the list to which each record is added, also where a program keeps them from the root logger."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    collector, loggers = Collector(), (logging.getLogger(), logging.getLogger("polyant"))
    for logger in loggers:
        logger.addHandler(collector)
    try:
        yield records
    finally:
        for logger in loggers:
            logger.removeHandler(collector)


def warnings_in(records: list[logging.LogRecord]) -> int:
    """Returns how many of our own warnings there are."""
    return len({id(record) for record in records if record.levelno == logging.WARNING and "polyant" in record.name})


class ToolServersContract:
    """What every ToolServers does; a subclass gives one, and servers."""

    @pytest.fixture
    def servers(self) -> ToolServersUnderTest:
        raise NotImplementedError("return the servers, and what opens them")

    def test_it_has_the_shape_of_the_port(self, servers: ToolServersUnderTest) -> None:
        assert isinstance(servers.tool_servers, ToolServers)

    # what is offered

    async def test_tools_that_are_allowed_are_offered_under_the_server_s_name(
        self, servers: ToolServersUnderTest
    ) -> None:
        async with opened(servers, servers.full("add", "show", "no_such_tool")) as tools:
            assert set(tools) == {"full__add", "full__show"}

    async def test_all_tools_may_be_allowed(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("*")) as tools:
            assert set(tools) >= {f"full__{name}" for name in SOME_TOOLS}

    async def test_model_is_told_what_a_tool_does_and_takes(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            spec = tools["full__add"].spec
        schema = msgspec.json.decode(spec.parameters)
        assert spec.description == "Adds two numbers."
        assert schema["type"] == "object"
        assert set(schema["properties"]) == {"a", "b"}

    async def test_tools_that_vendors_refuse_are_left_out_with_a_warning_of_each(
        self, servers: ToolServersUnderTest
    ) -> None:
        with logged() as records:
            async with opened(servers, servers.odd()) as tools:
                assert list(tools) == ["odd__good"]
                assert "properties" in msgspec.json.decode(tools["odd__good"].spec.parameters)
                assert await call(tools["odd__good"])
        assert warnings_in(records) >= 3

    @pytest.mark.parametrize("trouble", ["down", "slow", "refusing"])
    async def test_server_that_fails_is_left_out_with_a_warning_and_the_others_serve(
        self, servers: ToolServersUnderTest, trouble: str
    ) -> None:
        with logged() as records:
            async with opened(servers, getattr(servers, trouble)(), servers.full("add")) as tools:
                assert list(tools) == ["full__add"]
                assert await call(tools["full__add"], a=2, b=3) == "5"
        assert warnings_in(records) == 1

    async def test_nothing_is_offered_if_no_server_serves(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.down(), servers.slow()) as tools:
            assert tools == {}

    # calls

    async def test_call_gives_the_text_of_the_result(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            assert await call(tools["full__add"], a=40, b=2) == "42"

    async def test_what_is_no_text_is_described(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("show")) as tools:
            result = await call(tools["full__show"])
        assert result.startswith("See:")
        assert "image/png" in result
        assert "A note." in result
        assert "iVBOR" not in result

    async def test_failure_of_a_tool_is_told_in_the_server_s_own_words(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("fail")) as tools:
            with pytest.raises(ToolError, match="No such order: ask for its number"):
                await call(tools["full__fail"])

    async def test_arguments_that_do_not_fit_are_told_so(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            with pytest.raises(ToolError):
                await call(tools["full__add"], a="two")
            for arguments in ("[]", '{"a":', "5"):
                with pytest.raises(ToolError, match="JSON object"):
                    await tools["full__add"].call(arguments, CONTEXT)

    async def test_calls_overlap(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add", "hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            sums = await asyncio.gather(*(call(tools["full__add"], a=number, b=1) for number in range(5)))
            assert sums == ["1", "2", "3", "4", "5"]
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait([waiting])

    async def test_call_that_is_cancelled_ends_at_once_also_at_the_server(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            waiting.cancel()
            async with asyncio.timeout(SEEN_AT_ONCE):
                await asyncio.wait([waiting])
                await servers.hanging(0)
            assert waiting.cancelled()

    async def test_calls_fail_when_the_server_is_gone(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add", "die")) as tools:
            for name, arguments in (("full__die", {}), ("full__add", {"a": 1, "b": 2})):
                with pytest.raises(ToolError):
                    await call(tools[name], **arguments)

    # headers

    async def test_headers_are_sent_to_their_server(self, servers: ToolServersUnderTest) -> None:
        access = with_headers(servers.full("headers"), {"Authorization": SECRET, "X-Tenant": "7"})
        async with opened(servers, access) as tools:
            sent = msgspec.json.decode(await call(tools["full__headers"]))
        assert sent["x-tenant"] == "7"
        assert sent["authorization"]

    async def test_headers_show_neither_in_results_nor_in_errors_nor_in_the_log(
        self, servers: ToolServersUnderTest
    ) -> None:
        hide = {"Authorization": SECRET}
        accesses = (with_headers(servers.full("*"), hide), with_headers(servers.refusing(), hide))
        with logged() as records:
            async with opened(servers, *accesses) as tools:
                shown = await call(tools["full__headers"])
                with pytest.raises(ToolError) as caught:
                    await call(tools["full__headers_fail"])
        written = " ".join(f"{record.getMessage()} {vars(record)}" for record in records)
        everything = f"{shown} {caught.value!r} {written}"
        assert SECRET not in everything
        assert SECRET.partition(" ")[2] not in everything

    async def test_headers_do_not_follow_a_redirect_to_another_origin(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, with_headers(servers.redirecting(), {"Authorization": SECRET})) as tools:
            assert tools == {}
        assert servers.redirected == 0

    # the end

    async def test_once_it_is_left_nothing_runs_any_more(self, servers: ToolServersUnderTest) -> None:
        before = asyncio.all_tasks()
        async with opened(servers, servers.full("*"), servers.slow(), servers.down()):
            pass
        assert asyncio.all_tasks() == before

    async def test_calls_that_run_when_it_is_left_come_to_their_end(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
        async with asyncio.timeout(SEEN_AT_ONCE):
            with pytest.raises(ToolError):
                await waiting
            await servers.hanging(0)

    async def test_another_task_than_the_one_that_opened_it_may_leave_it(self, servers: ToolServersUnderTest) -> None:
        scope = opened(servers, servers.full("add"))
        tools = await asyncio.create_task(scope.__aenter__())
        assert await asyncio.create_task(call(tools["full__add"], a=1, b=1)) == "2"
        before = asyncio.all_tasks()
        await asyncio.create_task(scope.__aexit__(None, None, None))
        assert asyncio.all_tasks() < before

    async def test_whoever_is_cancelled_while_it_opens_leaves_nothing_behind(
        self, servers: ToolServersUnderTest
    ) -> None:
        async def enter() -> None:
            async with opened(servers, servers.slow(), servers.full("add")):
                pass

        before = asyncio.all_tasks()
        entering = asyncio.create_task(enter())
        await asyncio.sleep(0)
        entering.cancel()
        async with asyncio.timeout(SEEN_AT_ONCE):
            await asyncio.wait([entering])
        assert asyncio.all_tasks() == before


def with_headers(access: ServerAccess, headers: dict[str, str]) -> ServerAccess:
    """Returns the access with these headers."""
    return msgspec.structs.replace(access, headers={name: SecretText(value) for name, value in headers.items()})
