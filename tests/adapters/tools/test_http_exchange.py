"""Attacks on what must not be reached: a real server inside, which has to stay without a visitor."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from polyant.adapters.tools.http_request_tool import HttpRequestTool
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.tools import ToolError
from polyant.testing.manual_clock import ManualClock
from polyant.testing.tool import ToolRun, result_of
from support.fake_network import FakeNetwork
from support.upstream import Reply, ScriptedUpstream

PUBLIC = "93.184.215.14"


@dataclasses.dataclass(frozen=True)
class World:
    """A network, a server on it that is example.com, and one inside, on the loopback, that is not."""

    network: FakeNetwork
    outside: ScriptedUpstream
    inside: ScriptedUpstream

    @property
    def port(self) -> int:
        return int(self.inside.url.rpartition(":")[2])

    def tool(self, *allowed: str, system_look_up: bool = False) -> HttpRequestTool:
        resolver = None if system_look_up else self.network
        return HttpRequestTool(
            clock=ManualClock(), http_tool_hosts=HttpToolHosts(frozenset(allowed)), resolver=resolver
        )

    def nobody_came(self) -> bool:
        return self.inside._connections == 0

    def nobody_was_called(self) -> bool:
        return self.network.dialled == [] and self.nobody_came()

    def redirect(self, location: str, status: int = 302) -> Reply:
        return Reply(status=status, headers={"Location": location.format(port=self.port)})


@pytest.fixture
async def world(network: FakeNetwork, upstream: ScriptedUpstream) -> AsyncIterator[World]:
    async with ScriptedUpstream() as outside:
        outside.otherwise = Reply(pieces=(b"welcome",))
        network.name("example.com", PUBLIC)
        network.place(PUBLIC, outside.url)
        yield World(network, outside, upstream)


async def attack(tool: HttpRequestTool, url: str) -> str:
    return await result_of(tool, ToolRun(arguments={"url": url}))


async def refused(tool: HttpRequestTool, url: str) -> str:
    with pytest.raises(ToolError) as caught:
        await attack(tool, url)
    return str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.2", "0.0.0.0", "169.254.169.254", "100.100.100.200", "10.0.0.1", "224.0.0.1"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::1]", "[fd00:ec2::254]", "[fe80::1]"),
        *("127。0。0。1", "①②⑦.⓪.⓪.①", "127｡0｡0｡1"),
    ],
)
async def test_internal_address_is_refused(host: str, world: World) -> None:
    assert "isn't on the public internet" in await refused(world.tool(), f"http://{host}:{world.port}/")
    assert world.nobody_was_called()


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7F.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "0", "127.0.0.1."],
)
@pytest.mark.parametrize("system_look_up", [True, False])
async def test_address_in_an_unusual_form_is_refused(host: str, system_look_up: bool, world: World) -> None:  # noqa: FBT001 - a parameter
    """The system's own look-up knows these forms."""
    await refused(world.tool(system_look_up=system_look_up), f"http://{host}:{world.port}/")
    assert world.nobody_was_called()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com@127.0.0.1:{port}/",
        "http://example.com%40127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@example.com/",
        "http://example.com\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@example.com/",
        "http://127.0.0.1:{port}?@example.com/",
        "http://%31%32%37.0.0.1:{port}/",
        "http://127.0.0.1:{port}/\r\nHost: example.com",
        "hTTp://127.0.0.1:{port}/",
        "HTTPS://127.0.0.1:{port}/",
        "file://127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "gopher://127.0.0.1:{port}/_GET%20/",
        "//127.0.0.1:{port}/",
    ],
)
async def test_disguised_address_is_refused(url: str, world: World) -> None:
    await refused(world.tool(), url.format(port=world.port))
    assert world.nobody_was_called()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost."])
async def test_local_host_name_is_refused(host: str, world: World) -> None:
    """Not every system knows the name with a dot."""
    assert "127.0.0.1" not in await refused(world.tool(system_look_up=True), f"http://{host}:{world.port}/")
    assert world.nobody_was_called()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:ec2::254"],
)
@pytest.mark.parametrize("host", ["metadata.google.internal", "metadata.google.internal.", "harmless.example"])
async def test_name_with_an_internal_address_is_refused_without_showing_the_address(
    host: str, address: str, world: World
) -> None:
    world.network.name(host, address)
    reason = await refused(world.tool(), f"http://{host}:{world.port}/")
    assert reason.startswith(f"Requests to {host}:{world.port} are refused: it isn't on the public internet")
    assert address not in reason
    assert world.nobody_was_called()


async def test_only_public_addresses_of_a_name_are_called(world: World) -> None:
    world.network.name("both.example", ("127.0.0.1", PUBLIC, "10.0.0.1"))
    assert "welcome" in await attack(world.tool(), f"http://both.example:{world.port}/")
    assert world.network.dialled == [(PUBLIC, world.port)]
    assert world.nobody_came()


async def test_name_that_changes_between_lookups_is_refused(world: World) -> None:
    """The first look-up gives a public address, each later one the loopback: DNS rebinding."""
    world.network.name("rebind.example", PUBLIC, "127.0.0.1")
    tool = world.tool()
    assert "welcome" in await attack(tool, f"http://rebind.example:{world.port}/")
    assert "isn't on the public internet" in await refused(tool, f"http://rebind.example:{world.port}/")
    assert len(world.outside.requests) == 1
    assert world.nobody_came()


async def test_name_that_changes_before_its_redirect_is_refused(world: World) -> None:
    world.network.name("rebind.example", PUBLIC, "127.0.0.1")
    world.outside.replies.append(world.redirect("/again"))
    assert "isn't on the public internet" in await refused(world.tool(), f"http://rebind.example:{world.port}/")
    assert len(world.outside.requests) == 1
    assert world.nobody_came()


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://inside.example:{port}/",
        "http://example.com@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_an_internal_address_is_refused(status: int, location: str, world: World) -> None:
    world.network.name("inside.example", "127.0.0.1")
    world.network.name("localhost", "127.0.0.1")
    world.outside.replies.append(world.redirect(location, status))
    await refused(world.tool(), "http://example.com/")
    assert len(world.outside.requests) == 1
    assert world.nobody_came()


async def test_environment_proxy_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, world.inside.url)
    assert "welcome" in await attack(world.tool(), "http://example.com/")
    assert world.nobody_came()


async def test_allowed_host_is_called_at_any_address(world: World) -> None:
    world.network.name("intranet.example", "127.0.0.1")
    tool = world.tool(f"intranet.example:{world.port}")
    assert "what stands inside" in await attack(tool, f"http://intranet.example:{world.port}/")
    assert len(world.inside.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example", "localhost", "intranet.example."])
async def test_other_internal_hosts_are_still_refused(host: str, world: World) -> None:
    for name in ("intranet.example", "intranet.example.", "evil.example", "localhost"):
        world.network.name(name, "127.0.0.1")
    tool = world.tool(f"intranet.example:{world.port}")
    await attack(tool, f"http://intranet.example:{world.port}/")
    assert "isn't on the public internet" in await refused(tool, f"http://{host}:{world.port}/")
    assert len(world.inside.requests) == 1


async def test_redirect_from_an_allowed_host_to_an_internal_one_is_refused(world: World) -> None:
    world.network.name("intranet.example", "127.0.0.1")
    world.inside.replies.append(world.redirect("http://127.0.0.1:{port}/admin"))
    reason = await refused(world.tool(f"intranet.example:{world.port}"), f"http://intranet.example:{world.port}/")
    assert reason.startswith(f"Requests to 127.0.0.1:{world.port} are refused")
    assert len(world.inside.requests) == 1
