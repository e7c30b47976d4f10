"""Creating an instance: its fields, its key, and its errors."""

import msgspec
import pytest

from polyant.domain.instances import Instance, Slug
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from support.app import App
from support.management import PASSWORD
from support.panel import Browser, location, read

FIELDS = {
    "name": "Support Bot",
    "slug": "",
    "provider": "vendor",
    "secret.provider_key": "sk-of-the-vendor",
    "identity": "You are Ada.",
    "model": "",
    "base_url": "",
    "temperature": "0,7",
    "issue_key": "on",
}


async def test_instance_is_created_with_its_section_secret_and_key(app: App, browser: Browser) -> None:
    response = await browser.post("/create", FIELDS)
    assert (response.status, response.header("cache-control")) == (200, "no-store")
    shown = read(response)
    instance = await app.repo.get(Slug("support-bot"))
    assert instance is not None
    assert (instance.name, instance.provider, instance.model, instance.temperature) == (
        *("Support Bot", "vendor", "small"),
        0.7,
    )
    assert instance.sections[SectionKey.IDENTITY] == "You are Ada."
    assert {*instance.secrets} == {"vendor_api_key", "auth_api_key"}
    key = next(word for word in shown.text.split() if word.startswith("sk-")).rstrip('"')
    assert (await app.chat(model="support-bot", bearer=key)).status == 200
    assert b"sk-of-the-vendor" not in response.body


async def test_instance_without_a_key_is_open(app: App, browser: Browser) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "issue_key"} | {"slug": "open-bot"}
    assert location(await browser.post("/create", fields)) == "/instances/open-bot?done=created"
    assert "Open to anyone" in (await browser.page("/instances/open-bot")).text
    assert (await app.chat(model="open-bot")).status == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, "A name is missing"),
        ({"name": "你好"}, "The name has no letters or digits for a slug"),
        ({"slug": "No Slug"}, "A slug must be"),
        ({"slug": "demo-bot"}, "There is an instance called demo-bot already."),
        ({"provider": "nobody"}, "Choose a provider"),
        ({"provider": "echo"}, "This provider needs no key. Choose the provider that the key is for"),
        ({"secret.provider_key": "two words"}, "The value of vendor_api_key must be"),
        ({"identity": "x" * 32_769}, "Section 01-identity must have at most"),
        ({"base_url": "ftp://x"}, "A base URL must start with"),
        ({"temperature": "hot"}, "Temperature is a number from 0 to 2, for example 0.7"),
        ({"model": "m\x01"}, "model must have"),
    ],
)
async def test_invalid_form_keeps_what_was_typed(
    app: App, browser: Browser, change: dict[str, str], error: str
) -> None:
    response = await browser.post("/create", {**FIELDS, **change})
    assert response.status == 400
    shown = read(response)
    assert error in shown.text
    assert "Nothing was saved" in shown.text
    assert "Error: New instance" in shown.text
    typed = {**FIELDS, **change, "secret.provider_key": ""}
    assert {name: shown.values[name] for name in ("name", "slug", "identity", "model", "base_url", "temperature")} == {
        name: typed[name] for name in ("name", "slug", "identity", "model", "base_url", "temperature")
    }
    assert b"sk-of-the-vendor" not in response.body
    assert await app.repo.get(Slug("support-bot")) is None


ATTACK = "</textarea><script>alert(1)</script>{{7*7}}\"'><img src=x onerror=alert(1)>"


async def test_markup_and_templates_in_fields_are_shown_as_text(browser: Browser) -> None:
    fields = {**FIELDS, "name": ATTACK[:100], "identity": ATTACK, "temperature": ATTACK}
    shown = await browser.post("/create", fields)
    for forbidden in (b"<script>alert", b"<img src=x", b"49&#34;"):
        assert forbidden not in shown.body
    assert read(shown).values["identity"] == ATTACK
    assert (await browser.post("/create", {**fields, "slug": "bot", "temperature": ""})).status == 200
    for path in ("/instances", "/instances/bot"):
        page = await browser.get(path)
        assert b"<script>alert" not in page.body
        assert b"<img src=x" not in page.body


async def test_form_typed_before_the_session_ended_comes_back_unsaved(app: App, browser: Browser) -> None:
    browser.cookie = "polyant_session=over"
    refused = await browser.post("/create", {**FIELDS, "name": "Kept <b>"})
    assert refused.status == 401
    form = read(refused).values
    assert "Your session is over" in read(refused).text
    assert b"sk-of-the-vendor" not in refused.body
    assert (form["next"], form["draft.name"]) == ("/create", "Kept <b>")
    again = await browser.post("/login", {**form, "email": "ada@example.com", "secret.password": "wrong"})
    assert again.status == 400
    form = read(again).values
    back = await browser.post("/login", {**form, "email": "ada@example.com", "secret.password": PASSWORD})
    assert back.status == 200
    assert "You’re signed in again. Nothing is saved yet" in read(back).text
    assert (read(back).values["name"], read(back).values["identity"]) == ("Kept <b>", "You are Ada.")
    assert await app.repo.get(Slug("kept-b")) is None
    assert (await browser.get("/instances")).status == 200


async def test_draft_of_an_unknown_page_leads_to_the_first_page(browser: Browser) -> None:
    fields = {"email": "ada@example.com", "secret.password": PASSWORD, "next": "/instances", "draft.x": "1"}
    browser.cookie = None
    assert location(await browser.post("/login", fields)) == "/instances"


@pytest.fixture
async def source(app: App) -> Instance:
    """An instance with content of every kind."""
    found = await app.repo.get(Slug("demo-bot"))
    assert found is not None
    full = msgspec.structs.replace(
        found,
        provider="vendor",
        model="large",
        temperature=0.5,
        auth_enabled=True,
        sections={**found.sections, SectionKey.IDENTITY: "You are Ada.", SectionKey.SOUL: "Be {{7*7}}."},
        tools=("look_up", "gone"),
        limits=TurnLimits(max_steps=7),
        mcp_servers=(McpServer(name="crm", url="https://crm.example/mcp", headers={"X-Key": SecretName("crm_token")}),),
        options={"vendor": {"effort": "high"}},
    )
    return await app.repo.save(full)


COPIED = ("name", "provider", "identity", "model", "base_url", "temperature", "issue_key", "from", "slug")


async def test_copy_takes_over_all_but_secrets_and_key(app: App, browser: Browser, source: Instance) -> None:
    assert "/create?from=demo-bot" in (await browser.page("/instances/demo-bot")).links
    shown = (await browser.page("/create?from=demo-bot")).values
    assert (shown["name"], shown["identity"], shown["model"]) == (f"{source.name} (copy)", "You are Ada.", "large")
    form = {name: shown[name] for name in COPIED} | {"name": "Second", "identity": "You are Eve."}
    assert (await browser.post("/create", form)).status == 200
    made = await app.repo.get(Slug("second"))
    assert made is not None
    for name in ("description", "tools", "limits", "mcp_servers", "options", "provider", "model", "temperature"):
        assert getattr(made, name) == getattr(source, name)
    assert made.sections == {**source.sections, SectionKey.IDENTITY: "You are Eve."}
    assert (made.id == source.id, {*made.secrets}) == (False, {"auth_api_key"})


async def test_copy_keeps_an_emptied_identity_and_its_source_after_an_error(
    app: App, browser: Browser, source: Instance
) -> None:
    form = {"from": "demo-bot", "name": "", "provider": "vendor", "identity": ""}
    response = await browser.post("/create", form)
    assert (response.status, read(response).values["from"]) == (400, "demo-bot")
    assert location(await browser.post("/create", form | {"name": "Second"})) == "/instances/second?done=created"
    made = await app.repo.get(Slug("second"))
    assert made is not None
    assert made.sections[SectionKey.IDENTITY] == ""


async def test_copy_of_a_missing_instance_is_refused(browser: Browser) -> None:
    assert (await browser.get("/create?from=nobody")).status == 404
    response = await browser.post("/create", FIELDS | {"from": "nobody"})
    assert response.status == 400
    assert "There is no instance called nobody any more, so it can’t be copied." in read(response).text
    attack = await browser.post("/create", FIELDS | {"from": ATTACK})
    assert (attack.status, b"<script>alert" in attack.body) == (400, False)


async def test_copy_of_an_approved_address_requires_a_superadmin(app: App, source: Instance) -> None:
    inside = McpServer(name="wiki", url="http://10.0.0.1/mcp", tools=("*",))
    addresses = frozenset({inside.url})
    await app.repo.save(msgspec.structs.replace(source, mcp_servers=(inside,), approved_addresses=addresses))
    await app.management.add_user("user@example.com", password=PASSWORD)
    user = Browser(app)
    await user.sign_in("user@example.com")
    response = await user.post("/create", FIELDS | {"from": "demo-bot"})
    assert "Only a superadmin can set the address http://10.0.0.1/mcp" in read(response).text
    assert await app.repo.get(Slug("support-bot")) is None
