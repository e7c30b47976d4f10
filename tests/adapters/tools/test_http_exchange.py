"""Attacks that try to reach internal addresses: a real internal server must receive no request."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from polyant.adapters.tools.http_request_tool import HttpRequestTool
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.tools import ToolError
from polyant.testing.fake_network import FakeNetwork
from polyant.testing.manual_clock import ManualClock
from polyant.testing.tool import ToolRun, result_of
from support.upstream import Reply, ScriptedUpstream

PUBLIC = "93.184.215.14"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A network with the public server example.com, and an internal server on the loopback address."""

    network: FakeNetwork
    outside: ScriptedUpstream
    inside: ScriptedUpstream

    @property
    def port(self) -> int:
        return int(self.inside.url.rpartition(":")[2])

    def tool(self, *allowed: str, system_lookup: bool = False) -> HttpRequestTool:
        resolver = None if system_lookup else self.network
        return HttpRequestTool(
            clock=ManualClock(), http_tool_hosts=HttpToolHosts(frozenset(allowed)), resolver=resolver
        )

    def inside_was_not_reached(self) -> bool:
        return self.inside._connections == 0

    def no_server_was_called(self) -> bool:
        return self.network.dialled == [] and self.inside_was_not_reached()

    def redirect(self, location: str, status: int = 302) -> Reply:
        return Reply(status=status, headers={"Location": location.format(port=self.port)})


@pytest.fixture
async def scenario(network: FakeNetwork, upstream: ScriptedUpstream) -> AsyncIterator[Scenario]:
    async with ScriptedUpstream() as outside:
        outside.otherwise = Reply(pieces=(b"welcome",))
        network.name("example.com", PUBLIC)
        network.place(PUBLIC, outside.url)
        yield Scenario(network, outside, upstream)


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
async def test_internal_address_is_refused(host: str, scenario: Scenario) -> None:
    assert "isn't on the public internet" in await refused(scenario.tool(), f"http://{host}:{scenario.port}/")
    assert scenario.no_server_was_called()


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7F.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "0", "127.0.0.1."],
)
@pytest.mark.parametrize("system_lookup", [True, False])
async def test_address_in_an_unusual_form_is_refused(host: str, system_lookup: bool, scenario: Scenario) -> None:  # noqa: FBT001 - parametrised
    """The system's resolver accepts these forms."""
    await refused(scenario.tool(system_lookup=system_lookup), f"http://{host}:{scenario.port}/")
    assert scenario.no_server_was_called()


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
async def test_disguised_address_is_refused(url: str, scenario: Scenario) -> None:
    await refused(scenario.tool(), url.format(port=scenario.port))
    assert scenario.no_server_was_called()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost."])
async def test_local_host_name_is_refused(host: str, scenario: Scenario) -> None:
    """Not every system resolves the name with a dot."""
    assert "127.0.0.1" not in await refused(scenario.tool(system_lookup=True), f"http://{host}:{scenario.port}/")
    assert scenario.no_server_was_called()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:ec2::254"],
)
@pytest.mark.parametrize("host", ["metadata.google.internal", "metadata.google.internal.", "harmless.example"])
async def test_name_with_an_internal_address_is_refused_without_showing_the_address(
    host: str, address: str, scenario: Scenario
) -> None:
    scenario.network.name(host, address)
    reason = await refused(scenario.tool(), f"http://{host}:{scenario.port}/")
    assert reason.startswith(f"Requests to {host}:{scenario.port} are refused: it isn't on the public internet")
    assert address not in reason
    assert scenario.no_server_was_called()


async def test_only_public_addresses_of_a_name_are_called(scenario: Scenario) -> None:
    scenario.network.name("both.example", ("127.0.0.1", PUBLIC, "10.0.0.1"))
    assert "welcome" in await attack(scenario.tool(), f"http://both.example:{scenario.port}/")
    assert scenario.network.dialled == [(PUBLIC, scenario.port)]
    assert scenario.inside_was_not_reached()


async def test_name_that_changes_between_lookups_is_refused(scenario: Scenario) -> None:
    """The first lookup returns a public address and later ones the loopback address (DNS rebinding)."""
    scenario.network.name("rebind.example", PUBLIC, "127.0.0.1")
    tool = scenario.tool()
    assert "welcome" in await attack(tool, f"http://rebind.example:{scenario.port}/")
    assert "isn't on the public internet" in await refused(tool, f"http://rebind.example:{scenario.port}/")
    assert len(scenario.outside.requests) == 1
    assert scenario.inside_was_not_reached()


async def test_name_that_changes_before_its_redirect_is_refused(scenario: Scenario) -> None:
    scenario.network.name("rebind.example", PUBLIC, "127.0.0.1")
    scenario.outside.replies.append(scenario.redirect("/again"))
    assert "isn't on the public internet" in await refused(scenario.tool(), f"http://rebind.example:{scenario.port}/")
    assert len(scenario.outside.requests) == 1
    assert scenario.inside_was_not_reached()


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
async def test_redirect_to_an_internal_address_is_refused(status: int, location: str, scenario: Scenario) -> None:
    scenario.network.name("inside.example", "127.0.0.1")
    scenario.network.name("localhost", "127.0.0.1")
    scenario.outside.replies.append(scenario.redirect(location, status))
    await refused(scenario.tool(), "http://example.com/")
    assert len(scenario.outside.requests) == 1
    assert scenario.inside_was_not_reached()


async def test_environment_proxy_is_not_used(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, scenario.inside.url)
    assert "welcome" in await attack(scenario.tool(), "http://example.com/")
    assert scenario.inside_was_not_reached()


async def test_allowed_host_is_called_at_any_address(scenario: Scenario) -> None:
    scenario.network.name("intranet.example", "127.0.0.1")
    tool = scenario.tool(f"intranet.example:{scenario.port}")
    assert "what stands inside" in await attack(tool, f"http://intranet.example:{scenario.port}/")
    assert len(scenario.inside.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example", "localhost", "intranet.example."])
async def test_other_internal_hosts_are_still_refused(host: str, scenario: Scenario) -> None:
    for name in ("intranet.example", "intranet.example.", "evil.example", "localhost"):
        scenario.network.name(name, "127.0.0.1")
    tool = scenario.tool(f"intranet.example:{scenario.port}")
    await attack(tool, f"http://intranet.example:{scenario.port}/")
    assert "isn't on the public internet" in await refused(tool, f"http://{host}:{scenario.port}/")
    assert len(scenario.inside.requests) == 1


async def test_redirect_from_an_allowed_host_to_an_internal_one_is_refused(scenario: Scenario) -> None:
    scenario.network.name("intranet.example", "127.0.0.1")
    scenario.inside.replies.append(scenario.redirect("http://127.0.0.1:{port}/admin"))
    reason = await refused(
        scenario.tool(f"intranet.example:{scenario.port}"), f"http://intranet.example:{scenario.port}/"
    )
    assert reason.startswith(f"Requests to 127.0.0.1:{scenario.port} are refused")
    assert len(scenario.inside.requests) == 1
