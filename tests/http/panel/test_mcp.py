"""MCP servers: added after a test, edited, tested and removed."""

from collections.abc import Mapping

import msgspec
import pytest

from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.tool_servers import Omission, ServerFault
from polyant.domain.secrets import SecretName
from support.app import App
from support.management import PASSWORD
from support.panel import Browser, location, read

TOOLS = "/instances/demo-bot/tools"
MCP = "/instances/demo-bot/mcp"
CRM = f"{MCP}/crm"
VALUE = "Bearer of-the-crm"
FIELDS = {
    "mcp_name": "crm",
    "mcp_url": "https://crm.example/mcp",
    "mcp_tools": "find, create",
    "header.0": "Authorization",
    "secret.header.0": VALUE,
    "header_secret.0": "",
}
ATTACK = "</textarea><script>alert(1)</script>{{7*7}}\"'><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
async def _bare_instance(app: App) -> None:
    await app.repo.save(msgspec.structs.replace(await stored(app), mcp_servers=(), approved_addresses=frozenset()))
    app.management.tool_servers.offer("crm", "find", "create")


@pytest.fixture
async def user(app: App) -> Browser:
    """The browser of a user who isn't a superadmin."""
    await app.management.add_user("user@example.com", password=PASSWORD)
    browser = Browser(app)
    assert (await browser.sign_in("user@example.com")).status == 303
    return browser


async def stored(app: App) -> Instance:
    found = await app.repo.get(Slug("demo-bot"))
    assert found is not None
    return found


async def form_of(browser: Browser, page: str = CRM) -> dict[str, str]:
    shown = await browser.page(page)
    return {name: shown.values[name] for name in [*FIELDS, "seen"]}


async def add(browser: Browser, **changes: str) -> None:
    assert location(await browser.post(MCP, FIELDS | changes)).startswith(TOOLS)


async def test_server_is_added_with_its_secret_after_a_test(app: App, browser: Browser) -> None:
    assert location(await browser.post(MCP, FIELDS)) == f"{TOOLS}?done=mcp-tested#mcp"
    instance = await stored(app)
    (server,) = instance.mcp_servers
    assert (server.name, server.url, server.tools) == ("crm", "https://crm.example/mcp", ("find", "create"))
    assert server.headers == {"Authorization": SecretName("crm_authorization")}
    (access,) = app.management.tool_servers.accesses
    assert access.headers["Authorization"].reveal() == VALUE
    shown = await browser.get(TOOLS)
    assert "Authorization from the secret crm_authorization" in read(shown).text
    assert VALUE.encode() not in shown.body
    assert (await app.management.audit_entries())[-1][4] == ("crm", "secrets.crm_authorization")


async def test_failed_test_adds_nothing_and_keeps_what_was_typed(app: App, browser: Browser) -> None:
    app.management.tool_servers.fail("crm", ServerFault.SLOW)
    response = await browser.post(MCP, FIELDS)
    assert response.status == 400
    shown = read(response)
    assert "No response from crm.example within 5 seconds." in shown.text
    assert "Enter the value again: it isn’t kept" in shown.text
    assert {name: shown.values[name] for name in FIELDS} == FIELDS | {"secret.header.0": ""}
    assert VALUE.encode() not in response.body
    assert (await stored(app)).mcp_servers == ()
    assert location(await browser.post(MCP, FIELDS | {"untested": "1"})) == f"{TOOLS}?done=mcp#mcp"
    assert len((await stored(app)).mcp_servers) == 1


async def test_tool_that_the_server_lacks_is_refused(app: App, browser: Browser) -> None:
    response = await browser.post(MCP, FIELDS | {"mcp_tools": "find serch"})
    assert "The server has no tool called serch. It has: find, create" in read(response).text
    assert (await stored(app)).mcp_servers == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mcp_name": "My CRM"}, "The name must be 1 to 32 characters"),
        ({"mcp_url": "crm.example"}, "The URL must start with http:// or https://"),
        ({"mcp_tools": "f\u00fcr"}, "A tool name must have 1 to 128 visible ASCII characters"),
        ({"header.0": "Host"}, "A header must have a valid HTTP name"),
        ({"header.0": ""}, "Name the header, for example Authorization"),
        ({"secret.header.0": ""}, "Enter the header’s value, or name the secret that has it"),
        ({"header_secret.0": "auth_api_key"}, "auth_api_key is the key of the instance's callers"),
        ({"header_secret.0": "No Name"}, "A secret name must"),
        ({"header_secret.0": "crm_key", "secret.header.0": "short"}, "The value of crm_key must be"),
        ({"header_secret.0": "gone", "secret.header.0": ""}, "There is no secret called gone yet"),
        ({"header.1": "authorization", "secret.header.1": "x", "header_secret.1": ""}, "This header is there already"),
    ],
)
async def test_invalid_field_is_refused_beside_it(
    app: App, browser: Browser, changes: Mapping[str, str], error: str
) -> None:
    response = await browser.post(MCP, {**FIELDS, **changes})
    assert response.status == 400
    assert error in read(response).text
    assert app.management.tool_servers.accesses == []
    assert (await stored(app)).mcp_servers == ()


async def test_name_of_another_server_is_refused(browser: Browser) -> None:
    await add(browser)
    response = await browser.post(MCP, FIELDS)
    assert response.status == 400
    assert "There is an MCP server called crm already. Choose another name." in read(response).text


async def test_server_is_edited_and_keeps_its_secret(app: App, browser: Browser) -> None:
    await add(browser)
    form = await form_of(browser)
    assert (form["header.0"], form["header_secret.0"]) == ("Authorization", "crm_authorization")
    app.management.tool_servers.offer("customers", "find")
    changes = {"mcp_name": "customers", "mcp_tools": "*"}
    assert location(await browser.post(CRM, form | changes)) == f"{TOOLS}?done=mcp-tested#mcp"
    (server,) = (await stored(app)).mcp_servers
    assert (server.name, server.tools, server.headers) == (
        *("customers", ("*",)),
        {"Authorization": SecretName("crm_authorization")},
    )
    assert app.management.tool_servers.accesses[-1].headers["Authorization"].reveal() == VALUE
    assert (await browser.get(CRM)).status == 404


async def test_header_without_a_name_is_removed(app: App, browser: Browser) -> None:
    await add(browser)
    assert location(await browser.post(CRM, await form_of(browser) | {"header.0": ""})).startswith(TOOLS)
    (server,) = (await stored(app)).mcp_servers
    assert server.headers == {}


async def test_moved_server_requires_its_secret_again(app: App, browser: Browser) -> None:
    await add(browser)
    moved = await form_of(browser) | {"mcp_url": "https://other.example/mcp"}
    response = await browser.post(CRM, moved)
    assert response.status == 400
    assert "crm_authorization was entered for another address: enter it again" in read(response).text
    assert len(app.management.tool_servers.accesses) == 1
    assert location(await browser.post(CRM, moved | {"untested": "1"})) == f"{TOOLS}?done=mcp#mcp"
    shown = await browser.page(TOOLS)
    assert "Can’t be used" in shown.text
    assert "The secret crm_authorization was entered for another address." in shown.text
    assert "/instances/demo-bot/secrets/crm_authorization" in shown.links


async def test_tool_name_with_a_comma_survives(app: App, browser: Browser) -> None:
    app.management.tool_servers.offer("crm", "a,b", "find")
    await add(browser, mcp_tools="*")
    instance = await stored(app)
    (server,) = instance.mcp_servers
    listed = msgspec.structs.replace(server, tools=("a,b", "find"))
    await app.repo.save(msgspec.structs.replace(instance, mcp_servers=(listed,)))
    form = await form_of(browser)
    assert location(await browser.post(CRM, form | {"untested": "1"})).startswith(TOOLS)
    assert (await stored(app)).mcp_servers[0].tools == ("a,b", "find")


async def test_conflict_shows_both_and_saves_nothing(app: App, browser: Browser) -> None:
    await add(browser)
    mine = await form_of(browser)
    await browser.post(CRM, mine | {"mcp_tools": "find"})
    response = await browser.post(CRM, mine | {"mcp_tools": "create"})
    assert response.status == 409
    assert "Tools, as saved now" in read(response).text
    assert read(response).values["mcp_tools"] == "create"
    assert (await stored(app)).mcp_servers[0].tools == ("find",)
    await browser.post(f"{CRM}/remove", {})
    gone = await browser.post(CRM, mine)
    assert gone.status == 409
    again = {**mine, "seen": read(gone).values["seen"], "secret.header.0": VALUE, "overwrite": "1"}
    assert location(await browser.post(CRM, again)).startswith(TOOLS)
    assert [server.name for server in (await stored(app)).mcp_servers] == ["crm"]


async def test_stored_server_is_tested_and_foreign_text_is_shown_as_text(app: App, browser: Browser) -> None:
    await add(browser)
    name = "<img/src=x/onerror=alert(1)>"
    skipped = Omission(server="crm", tool=name, reason=ATTACK)
    app.management.tool_servers.offer("crm", "find", description=ATTACK, omissions=[skipped])
    response = await browser.post(f"{CRM}/test", {})
    assert response.status == 200
    shown = read(response).text
    assert "Connected: the server has 2 tools, the assistant may use 1" in shown
    assert "The server has no tool called create." in " ".join(shown.split())
    assert ATTACK in shown
    assert name in shown
    for forbidden in (b"<script>alert", b"<img", b"49&#34;"):
        assert forbidden not in response.body
    app.management.tool_servers.fail("crm", ServerFault.REFUSED, reason="it responded with status 401")
    failed = read(await browser.post(f"{CRM}/test", {})).text
    assert "crm.example refused: it responded with status 401. Check the URL" in failed


async def test_markup_in_fields_is_shown_as_text(browser: Browser) -> None:
    fields = dict.fromkeys(FIELDS, ATTACK)
    response = await browser.post(MCP, fields)
    assert response.status == 400
    for forbidden in (b"<script>alert", b"<img", b"49&#34;"):
        assert forbidden not in response.body
    assert read(response).values["mcp_url"] == ATTACK


async def test_only_a_superadmin_can_test_and_add_an_internal_address(
    app: App, browser: Browser, user: Browser
) -> None:
    inside = FIELDS | {"mcp_url": "http://192.168.1.9:8080/mcp"}
    for fields in (inside, inside | {"untested": "1"}):
        response = await user.post(MCP, fields)
        assert response.status == 400
        assert "Only a superadmin can set the address" in read(response).text
    assert app.management.tool_servers.accesses == []
    assert location(await browser.post(MCP, inside)).startswith(TOOLS)


async def test_server_is_removed_after_a_question(app: App, browser: Browser) -> None:
    await add(browser)
    assert "Remove crm from" in (await browser.page(f"{CRM}/remove")).text
    await browser.post(f"{CRM}/remove", {"draft": "1"})
    assert len((await stored(app)).mcp_servers) == 1
    for _ in range(2):
        assert location(await browser.post(f"{CRM}/remove", {})) == f"{TOOLS}?done=mcp-removed#mcp"
    assert (await stored(app)).mcp_servers == ()
    assert SecretName("crm_authorization") in (await stored(app)).secrets


async def test_drafts_are_shown_and_not_saved(app: App, browser: Browser) -> None:
    response = await browser.post(MCP, FIELDS | {"draft": "1"})
    assert (response.status, read(response).values["mcp_url"]) == (200, FIELDS["mcp_url"])
    assert (await stored(app)).mcp_servers == ()
    await add(browser)
    response = await browser.post(CRM, FIELDS | {"mcp_tools": "typed", "draft": "1"})
    assert (response.status, read(response).values["mcp_tools"]) == (200, "typed")
    opened = len(app.management.tool_servers.accesses)
    assert (await browser.post(f"{CRM}/test", {"draft": "1"})).status == 200
    assert len(app.management.tool_servers.accesses) == opened


async def test_paths_of_deeds_lead_back_to_their_pages(browser: Browser) -> None:
    assert location(await browser.get(MCP)) == f"{TOOLS}#mcp"
    assert location(await browser.get(f"{CRM}/test")) == CRM
    assert (await browser.get(CRM)).status == 404
    assert (await browser.post(f"{CRM}/test", {})).status == 404
