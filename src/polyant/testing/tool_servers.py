"""The contract of the port ToolServers."""

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import msgspec
import pytest

from polyant.domain.instances import Slug
from polyant.domain.ports.tool_servers import ServerAccess, ServerFault, ToolServers
from polyant.domain.secrets import SecretText
from polyant.domain.tools import OfferedTool, ToolContext, ToolError
from polyant.testing.contract import Contract, proves
from polyant.testing.tool import no_sub_agent
from polyant.testing.turns import CONTEXT as TURN_CONTEXT

SEEN_AT_ONCE = 1.0
SLUG = Slug("demo-bot")
SECRET = "Bearer token-0123456789"  # noqa: S105 - made up
CONTEXT = ToolContext(slug=SLUG, turn=TURN_CONTEXT, secrets={}, deadline=math.inf, delegate=no_sub_agent)
SOME_TOOLS = ("add", "fail", "hang", "headers", "headers_fail", "show")


class ToolServersUnderTest(Protocol):
    """The adapter under test, and the servers that it opens.

    The server `full` has these tools:

    - `add` returns the sum of its arguments a and b.
    - `fail` fails with the text "No such order: ask for its number."
    - `hang` never ends.
    - `headers` returns the headers of the request as JSON.
    - `headers_fail` fails with the headers of the request as its text.
    - `show` returns the text "See:", an image of type image/png, and a resource with the text "A note."
    - `large` returns 5 MiB of text.
    - `die` stops the server.
    """

    tool_servers: ToolServers
    """Its timeout for a server to be ready is less than a second, so that the tests are fast."""

    def full(self, *tools: str) -> ServerAccess:
        """Returns access to the server `full` with these tools allowed; it requires no headers.

        The server has a private IP address.
        """

    def odd(self) -> ServerAccess:
        """Returns access to a server with all tools allowed, of which only `good` is usable."""

    def named(self) -> ServerAccess:
        """Returns access to a server with the tools `has.dot`, `a/b`, `plain` and two of over 64 characters.

        All are allowed; each returns its name in its result.
        """

    def down(self) -> ServerAccess:
        """Returns access to an unreachable server."""

    def slow(self) -> ServerAccess:
        """Returns access to a server that accepts connections and never responds."""

    def together(self, count: int) -> Sequence[ServerAccess]:
        """Returns access to that many servers, none of which responds before all have received a request.

        Then each responds with the status 401.
        """

    def refusing(self) -> ServerAccess:
        """Returns access to a server whose every response has the status 401 and contains `SECRET`."""

    def redirecting(self) -> ServerAccess:
        """Returns access to a server that redirects to a server with another origin."""

    def private(self) -> ServerAccess:
        """Returns access to the server `full` with all tools allowed, restricted to public IP addresses."""

    @property
    def redirected(self) -> int:
        """The number of requests that the server with the other origin received."""

    async def hanging(self, count: int) -> None:
        """Returns once exactly that many calls of `hang` are running on the server."""


@asynccontextmanager
async def opened(servers: ToolServersUnderTest, *accesses: ServerAccess) -> AsyncIterator[dict[str, OfferedTool]]:
    """Yields the tools of the servers, by name."""
    async with servers.tool_servers.open(SLUG, accesses) as found:
        yield {tool.spec.name: tool for tool in found.tools}


async def call(tool: OfferedTool, **arguments: Any) -> str:
    """Returns the result of a call with the arguments as JSON text."""
    return await tool.call(msgspec.json.encode(arguments).decode(), CONTEXT)


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Yields a list that collects log records, even if the application doesn't propagate them to the root logger."""
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
    """Returns the number of warnings from Polyant's own loggers."""
    return len({id(record) for record in records if record.levelno == logging.WARNING and "polyant" in record.name})


class ToolServersContract(Contract):
    """The tests that every ToolServers must pass; subclasses provide one, and the servers for it."""

    @pytest.fixture
    def servers(self) -> ToolServersUnderTest:
        raise NotImplementedError("return the servers and the ToolServers under test")

    def test_implements_the_port(self, servers: ToolServersUnderTest) -> None:
        assert isinstance(servers.tool_servers, ToolServers)

    # offered tools

    @proves(
        "Returns a context manager that yields the allowed tools, named `server__tool`, for one turn of the instance.",
    )
    async def test_allowed_tools_are_offered_with_server_name_prefix(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add", "show", "no_such_tool")) as tools:
            assert set(tools) == {"full__add", "full__show"}

    async def test_all_tools_can_be_allowed(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("*")) as tools:
            assert set(tools) >= {f"full__{name}" for name in SOME_TOOLS}

    async def test_spec_has_description_and_parameters(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            spec = tools["full__add"].spec
        schema = msgspec.json.decode(spec.parameters)
        assert spec.description == "Adds two numbers."
        assert schema["type"] == "object"
        assert set(schema["properties"]) == {"a", "b"}

    @proves(
        "A tool that can't be read is skipped, and so is one that providers would refuse, because its "
        "schema isn't an object's; the server's other tools stay.",
    )
    async def test_tools_that_providers_refuse_are_skipped_with_a_warning_each(
        self, servers: ToolServersUnderTest
    ) -> None:
        with logged() as records:
            async with opened(servers, servers.odd()) as tools:
                assert list(tools) == ["odd__good"]
                assert "properties" in msgspec.json.decode(tools["odd__good"].spec.parameters)
                assert await call(tools["odd__good"])
        assert warnings_in(records) >= 3

    @proves(
        "If the full name isn't 1 to 64 of a-z, A-Z, 0-9, _ and -, the tool has an alias, which is the "
        "same in each turn and begins with `server__`.",
        "Names are distinct.",
    )
    async def test_names_that_providers_refuse_get_a_stable_and_distinct_alias(
        self, servers: ToolServersUnderTest
    ) -> None:
        async with opened(servers, servers.named()) as tools:
            assert len(tools) == 5
            assert all(re.fullmatch(r"named__[a-zA-Z0-9_-]{1,57}", name) for name in tools)
            by_original = {tool.original_name: name for name, tool in tools.items()}
            assert by_original[None] == "named__plain"
            assert "has.dot" in await call(tools[by_original["has.dot"]])
        async with opened(servers, servers.named()) as again:
            assert list(again) == list(tools)

    async def test_allowed_tools_are_named_as_the_server_names_them(self, servers: ToolServersUnderTest) -> None:
        allowed = msgspec.structs.replace(servers.named().server, tools=("a/b",))
        async with opened(servers, msgspec.structs.replace(servers.named(), server=allowed)) as tools:
            assert [tool.original_name for tool in tools.values()] == ["a/b"]

    @proves("Each skipped server or tool is an omission and logs a warning; that of a server has its fault.")
    async def test_omitted_servers_and_tools_are_reported(self, servers: ToolServersUnderTest) -> None:
        async with servers.tool_servers.open(SLUG, [servers.odd(), servers.down()]) as found:
            omitted = {(omission.server, omission.tool) for omission in found.omissions}
            assert all(omission.reason for omission in found.omissions)
            assert {omission.server for omission in found.omissions if omission.fault} == {servers.down().server.name}
        assert (servers.down().server.name, None) in omitted
        assert len(omitted) >= 4

    @proves(
        "A server that is unreachable, fails or isn't ready within `OPEN_SECONDS` is skipped.",
        "Each skipped server or tool is an omission and logs a warning; that of a server has its fault.",
    )
    @pytest.mark.parametrize("trouble", ["down", "slow", "refusing", "private"])
    async def test_failed_server_is_skipped_with_a_warning(self, servers: ToolServersUnderTest, trouble: str) -> None:
        with logged() as records:
            async with opened(servers, getattr(servers, trouble)(), servers.full("add")) as tools:
                assert list(tools) == ["full__add"]
                assert await call(tools["full__add"], a=2, b=3) == "5"
        assert warnings_in(records) == 1

    @proves("Each skipped server or tool is an omission and logs a warning; that of a server has its fault.")
    @pytest.mark.parametrize(
        ("trouble", "fault"),
        [
            ("down", ServerFault.UNREACHABLE),
            ("slow", ServerFault.SLOW),
            ("refusing", ServerFault.REFUSED),
            ("private", ServerFault.NOT_PUBLIC),
        ],
    )
    async def test_omitted_server_has_its_fault(
        self, servers: ToolServersUnderTest, trouble: str, fault: ServerFault
    ) -> None:
        async with servers.tool_servers.open(SLUG, [getattr(servers, trouble)()]) as found:
            assert [omission.fault for omission in found.omissions] == [fault]

    @proves("The servers are contacted concurrently.")
    async def test_servers_are_contacted_concurrently(self, servers: ToolServersUnderTest) -> None:
        async with servers.tool_servers.open(SLUG, servers.together(3)) as found:
            assert [omission.fault for omission in found.omissions] == [ServerFault.REFUSED] * 3

    @proves("Entering never fails.")
    async def test_no_tools_are_offered_if_all_servers_fail(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.down(), servers.slow()) as tools:
            assert tools == {}

    # calls

    @proves(
        "A call returns the text of the server's result; other content is described, and structured "
        "content follows unless the text contains it.",
    )
    async def test_call_returns_text_of_result(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            assert await call(tools["full__add"], a=40, b=2) == "42"

    @proves(
        "A call returns the text of the server's result; other content is described, and structured "
        "content follows unless the text contains it.",
    )
    async def test_non_text_content_is_described(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("show")) as tools:
            result = await call(tools["full__show"])
        assert result.startswith("See:")
        assert "image/png" in result
        assert "A note." in result
        assert "iVBOR" not in result

    @proves("If the tool failed, the call raises ToolError with the server's own text.")
    async def test_tool_failure_has_servers_own_text(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("fail")) as tools:
            with pytest.raises(ToolError, match="No such order: ask for its number"):
                await call(tools["full__fail"])

    async def test_invalid_arguments_raise_tool_error(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add")) as tools:
            with pytest.raises(ToolError):
                await call(tools["full__add"], a="two")
            for arguments in ("[]", '{"a":', "5"):
                with pytest.raises(ToolError, match="JSON object"):
                    await tools["full__add"].call(arguments, CONTEXT)

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_calls_overlap(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add", "hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            sums = await asyncio.gather(*(call(tools["full__add"], a=number, b=1) for number in range(5)))
            assert sums == ["1", "2", "3", "4", "5"]
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait([waiting])

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_cancelled_call_ends_immediately_also_on_server(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            waiting.cancel()
            async with asyncio.timeout(SEEN_AT_ONCE):
                await asyncio.wait([waiting])
                await servers.hanging(0)
            assert waiting.cancelled()

    @proves("If the server is gone or returns more than 4 MiB, it raises ToolError too.")
    async def test_calls_fail_after_server_is_gone(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("add", "die")) as tools:
            for name, arguments in (("full__die", {}), ("full__add", {"a": 1, "b": 2})):
                with pytest.raises(ToolError):
                    await call(tools[name], **arguments)

    @proves("If the server is gone or returns more than 4 MiB, it raises ToolError too.")
    async def test_result_that_is_too_large_is_an_error(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("large")) as tools:
            with pytest.raises(ToolError):
                await call(tools["full__large"])

    # headers

    @proves("Headers are sent only to the origin of their server, also after a redirect.")
    async def test_headers_are_sent_to_their_server(self, servers: ToolServersUnderTest) -> None:
        access = with_headers(servers.full("headers"), {"Authorization": SECRET, "X-Tenant": "7"})
        async with opened(servers, access) as tools:
            sent = msgspec.json.decode(await call(tools["full__headers"]))
        assert sent["x-tenant"] == "7"
        assert sent["authorization"]

    @proves("Header values of at least MIN_SECRET_CHARACTERS never appear in results, errors or the log.")
    async def test_header_secrets_never_appear_in_results_errors_or_log(self, servers: ToolServersUnderTest) -> None:
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

    @proves("Headers are sent only to the origin of their server, also after a redirect.")
    async def test_headers_do_not_follow_a_redirect_to_another_origin(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, with_headers(servers.redirecting(), {"Authorization": SECRET})) as tools:
            assert tools == {}
        assert servers.redirected == 0

    # exit

    @proves("Exiting closes and stops everything within half a second.")
    async def test_exiting_leaves_nothing_running(self, servers: ToolServersUnderTest) -> None:
        before = asyncio.all_tasks()
        async with opened(servers, servers.full("*"), servers.slow(), servers.down()):
            pass
        assert asyncio.all_tasks() == before

    @proves("Exiting closes and stops everything within half a second.")
    async def test_exiting_ends_running_calls(self, servers: ToolServersUnderTest) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
        async with asyncio.timeout(SEEN_AT_ONCE):
            with pytest.raises(ToolError):
                await waiting
            await servers.hanging(0)

    @proves("Any task may exit the context.")
    async def test_another_task_can_exit_the_context(self, servers: ToolServersUnderTest) -> None:
        scope = opened(servers, servers.full("add"))
        tools = await asyncio.create_task(scope.__aenter__())
        assert await asyncio.create_task(call(tools["full__add"], a=1, b=1)) == "2"
        before = asyncio.all_tasks()
        await asyncio.create_task(scope.__aexit__(None, None, None))
        assert asyncio.all_tasks() < before

    async def test_cancellation_while_entering_leaves_nothing_running(self, servers: ToolServersUnderTest) -> None:
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
