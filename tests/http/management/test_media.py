"""The images of conversations over HTTP."""

from base64 import b64encode

import msgspec
import pytest

from polyant.domain.users import Role
from polyant.http.management.media import media_response
from support.api import Api
from support.app import App
from support.envelopes import assert_refused
from support.images import ATTRIBUTE, gif, jpeg, png, webp, xmp, xmp_segment

KEY = "sk-0123456789abcdef"
PATH = "/instances/eyes/conversations"
LOCATED = jpeg(xmp_segment(xmp(ATTRIBUTE)))


@pytest.fixture
async def api(app: App) -> Api:
    return Api(app, await app.management.add_user_token(Role.SUPERADMIN))


@pytest.fixture
async def media(app: App, api: Api) -> str:
    """The path of an image in a stored conversation."""
    instance = await app.add("eyes", key=KEY, conversations=True, image_input=True)
    await app.repo.save(msgspec.structs.replace(instance, base_url=None))
    image = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{b64encode(LOCATED).decode()}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, image]}]
    body = {"model": "eyes", "messages": messages, "chat_id": "one"}
    assert (await app.post(msgspec.json.encode(body), authorization=f"Bearer {KEY}")).status == 200
    (found,) = (await api.succeed("GET", PATH))["conversations"]
    shown = await api.succeed("GET", f"{PATH}/{found['id']}")
    message, _ = shown["transcript"]
    (item,) = message["media"]
    assert message["text"] == "Look"
    assert {name: value for name, value in item.items() if name != "address"} == {
        "kind": "image",
        "mediaType": "image/jpeg",
        "size": len(LOCATED),
        "name": "",
    }
    return f"{PATH}/{found['id']}/media/{item['address']}"


async def test_image_is_served_inline_without_its_location_and_cannot_run_anything(
    app: App, api: Api, media: str
) -> None:
    response = await api.get(media)
    headers = dict(response.headers)
    assert (response.status, headers["content-type"]) == (200, "image/jpeg")
    assert len(response.body) == len(LOCATED)
    assert b"GPS" not in response.body
    assert headers["content-disposition"] == "inline"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    (*_, entry) = await app.management.audit_entries()
    conversation, _, address = media.removeprefix(f"{PATH}/").split("/")
    assert entry[1:] == ("conversation.media", "eyes", None, (conversation, address))


@pytest.mark.parametrize(
    ("content", "media_type", "disposition"),
    [
        (png(), "image/png", "inline"),
        (gif(), "image/gif", "inline"),
        (webp(), "image/webp", "inline"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "application/octet-stream", "attachment"),
        (b"<html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b"%PDF-1.7", "application/octet-stream", "attachment"),
        (b"OggS", "application/octet-stream", "attachment"),
        (b"", "application/octet-stream", "attachment"),
    ],
)
def test_everything_but_four_types_of_images_is_an_attachment(
    content: bytes, media_type: str, disposition: str
) -> None:
    response = media_response(content)
    assert (response.media_type, response.headers["Content-Disposition"]) == (media_type, disposition)


async def test_readers_are_those_of_the_texts(app: App, media: str) -> None:
    user = Api(app, await app.management.add_user_token(role=Role.USER))
    message = "Only a superadmin may read the texts of this instance's conversations"
    assert_refused(await user.get(media), 403, message)
    conversation = media.partition("/media/")[0]
    shown = await user.succeed("GET", conversation)
    assert [each["media"] for each in shown["transcript"]] == [[], []]
    assert (await app.get(f"/api{media}")).status == 401


async def test_unknown_items_are_a_404(app: App, api: Api, media: str) -> None:
    conversation, _, address = media.rpartition("/")
    for unknown in ("0" * 64, address[:-1], address.upper() if address.upper() != address else "x", "%2e%2e"):
        assert_refused(await api.get(f"{conversation}/{unknown}"), 404, "Unknown media")
    await app.add("other")
    elsewhere = media.replace("/instances/eyes/", "/instances/other/")
    assert (await api.get(elsewhere)).status == 404


async def test_deleting_the_conversation_deletes_its_images(app: App, api: Api, media: str) -> None:
    await api.succeed("DELETE", media.partition("/media/")[0])
    assert (await api.get(media)).status == 404
