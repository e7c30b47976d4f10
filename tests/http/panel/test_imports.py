"""Importing an instance from a file or from text, and posting multipart forms."""

from typing import Any

import msgspec
import pytest

from polyant.domain.instances import Slug
from support.app import App
from support.asgi import Response
from support.panel import Browser, location, read

BOUNDARY = "----limit"
DOCUMENT: dict[str, Any] = {
    "format": "polyant.instance/1",
    "slug": "imported",
    "name": "Imported <b>",
    "provider": "vendor",
    "model": "large",
    "authEnabled": True,
    "tools": ["look_up"],
}
TEXT = msgspec.json.encode(DOCUMENT).decode()


def part(name: str, value: bytes, *, file: str | None = None) -> bytes:
    named = f'; filename="{file}"' if file is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + value + b"\r\n"


async def upload(browser: Browser, content: bytes, **fields: str) -> Response:
    """Posts the form as a browser does, with a chosen file."""
    parts = [part(name, value.encode()) for name, value in fields.items()]
    body = b"".join([part("file", content, file="bot.json" if content else ""), *parts, f"--{BOUNDARY}--\r\n".encode()])
    return await browser.post_body("/import", body, f"multipart/form-data; boundary={BOUNDARY}")


async def test_file_is_imported_and_its_secrets_are_asked_for(app: App, browser: Browser) -> None:
    assert "/import" in (await browser.page("/instances")).links
    response = await upload(browser, TEXT.encode(), document="", slug="")
    assert location(response) == "/instances/imported/settings?done=imported#secrets"
    shown = (await browser.page("/instances/imported/settings?done=imported")).text
    assert "Its secrets aren’t part of the file: enter them now." in shown
    assert "crm_token" in shown
    instance = await app.repo.get(Slug("imported"))
    assert instance is not None
    assert (instance.name, instance.tools, instance.auth_enabled) == ("Imported <b>", ("look_up",), True)


async def test_exported_options_are_imported(app: App, browser: Browser) -> None:
    await upload(browser, TEXT.encode(), document="", slug="")
    page = "/instances/imported/options/vendor"
    typed = {"option.effort": "high", "option.maxTokens": "7"}
    await browser.post(page, (await browser.page(page)).values | typed)
    document = (await browser.get("/api/instances/imported/export")).body
    options = {"vendor": {"maxTokens": 7, "effort": "high"}}
    assert msgspec.json.decode(document)["options"] == options
    await upload(browser, document, document="", slug="another")
    another = await app.repo.get(Slug("another"))
    assert another is not None
    assert another.options == options


async def test_invalid_options_are_refused_with_their_place(app: App, browser: Browser) -> None:
    document = msgspec.json.encode(DOCUMENT | {"options": {"vendor": {"effort": "huge"}}})
    response = await upload(browser, document, document="", slug="")
    assert response.status == 400
    assert "$.options.vendor.effort" in read(response).text
    assert await app.repo.get(Slug("imported")) is None


async def test_text_is_imported_under_another_slug(app: App, browser: Browser) -> None:
    response = await upload(browser, b"", document=TEXT, slug="another")
    assert location(response).startswith("/instances/another/settings")
    plain = await browser.post("/import", {"document": TEXT, "slug": "third"})
    assert location(plain).startswith("/instances/third/settings")


async def test_taken_slug_is_replaced_only_on_request(app: App, browser: Browser) -> None:
    response = await upload(browser, TEXT.encode(), document="", slug="demo-bot")
    assert response.status == 400
    shown = read(response)
    assert "There is an instance called demo-bot already. Choose another slug, or replace it." in shown.text
    assert shown.values["document"] == TEXT
    again = await upload(browser, b"", document=TEXT, slug="demo-bot", replace="on")
    assert location(again).startswith("/instances/demo-bot/settings")
    instance = await app.repo.get(Slug("demo-bot"))
    assert instance is not None
    assert instance.name == "Imported <b>"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "Choose a file, or paste its text below"),
        (b"{", "This isn’t an exported instance: "),
        (b"[" * 100_000, "This isn’t an exported instance: "),
        (msgspec.json.encode({**DOCUMENT, "nam": 1}), "Object contains unknown field `nam`"),
        (msgspec.json.encode({**DOCUMENT, "provider": "nobody"}), "Unknown provider 'nobody'"),
        (msgspec.json.encode({**DOCUMENT, "baseUrl": "http://["}), "A base URL must"),
        (msgspec.json.encode({**DOCUMENT, "slug": "No Slug"}), "A slug must be"),
        (b"\xff\xfe", "The form must be UTF-8"),
    ],
)
async def test_unusable_file_is_refused(app: App, browser: Browser, content: bytes, error: str) -> None:
    response = await upload(browser, content, document="", slug="")
    assert response.status == 400
    assert error in read(response).text
    assert await app.repo.get(Slug("imported")) is None


async def test_only_a_superadmin_can_import_an_internal_address(app: App) -> None:
    await app.management.add_user("user@example.com", password="a password of twelve")
    user = Browser(app)
    await user.sign_in("user@example.com", "a password of twelve")
    inside = {**DOCUMENT, "mcpServers": [{"name": "wiki", "url": "http://10.0.0.1/mcp", "tools": ["*"]}]}
    response = await upload(user, msgspec.json.encode(inside), document="", slug="")
    assert "Only a superadmin can set the address http://10.0.0.1/mcp" in read(response).text


async def test_markup_in_a_file_is_shown_as_text(browser: Browser) -> None:
    attack = "</textarea><script>alert(1)</script>{{7*7}}"
    response = await upload(browser, attack.encode(), document="", slug=attack)
    assert response.status == 400
    assert b"<script>alert" not in response.body
    assert read(response).values["document"] == attack


async def test_file_survives_the_end_of_a_session(browser: Browser) -> None:
    browser.cookie = "polyant_session=over"
    refused = await upload(browser, TEXT.encode(), document="", slug="kept")
    assert refused.status == 401
    form = read(refused).values | {"email": "ada@example.com", "secret.password": "correct horse battery staple"}
    back = read(await browser.post("/login", form))
    assert (back.values["document"], back.values["slug"]) == (TEXT, "kept")
    assert "You’re signed in again." in back.text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=", b"x", 400),
        (f"multipart/form-data; boundary={BOUNDARY}", b"no parts", 400),
        (f"multipart/form-data; boundary={BOUNDARY}", part("slug", b"x"), 400),
        (f"multipart/form-data; boundary={BOUNDARY}", part("slug", b"x") * 3_000, 400),
        (f"multipart/form-data; boundary={BOUNDARY}", part("slug", b"x" * 5 * 2**20), 413),
        ("application/json", b"{}", 400),
    ],
)
async def test_broken_body_is_refused(browser: Browser, kind: str, body: bytes, status: int) -> None:
    refused = await browser.post_body("/import", body, kind)
    assert (refused.status, "That" in read(refused).text) == (status, True)
    browser.cookie = None
    signed_out = await browser.post_body("/import", body, kind)
    assert signed_out.status in {status, 401}
    assert signed_out.header("content-type") == "text/html; charset=utf-8"


async def test_part_with_an_unknown_character_set_is_refused(browser: Browser) -> None:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="slug"\r\nContent-Type: text/plain; charset=nope\r\n\r\n'
    )
    body = f"{head}x\r\n--{BOUNDARY}--\r\n".encode()
    assert (await browser.post_body("/import", body, f"multipart/form-data; boundary={BOUNDARY}")).status == 400


async def test_file_of_another_origin_is_refused(browser: Browser) -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    response = await browser.post_body("/import", part("slug", b"x"), kind, origin="http://evil.example")
    assert response.status == 403
