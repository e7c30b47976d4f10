"""Images in requests to /v1 and the playground."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import TextPart, UserMessage
from polyant.domain.media.parts import ImagePart
from support.api import Api
from support.app import App, chat_body
from support.envelopes import assert_refused
from support.images import jpeg, png
from support.logs import collected, fields_of

DATA_URL = f"data:image/jpeg;base64,{b64encode(png()).decode()}"
NOT_ALLOWED = "Image input is not supported by this API - at `$.messages[0].content[1].type`"
WEB = "https://images.example/cat.jpg"


def asking(model: str = "eyes", image: Any = None, **fields: Any) -> dict[str, Any]:
    shown = {"url": DATA_URL} if image is None else image
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": shown}]
    return {"model": model, "messages": [{"role": "user", "content": parts}], **fields}


async def ask(app: App, body: dict[str, Any], **options: Any) -> Any:
    return await app.post(msgspec.json.encode(body), **options)


@pytest.fixture
async def eyes(app: App) -> App:
    await app.add("eyes", image_input=True)
    return app


@pytest.mark.parametrize(
    "image", [{"url": DATA_URL}, {"url": WEB}, {}, 5, DATA_URL, {"url": None}], ids=["data", "web", "{}", "5", "s", "n"]
)
async def test_instance_that_does_not_allow_images_refuses_every_image(app: App, image: Any) -> None:
    for stream in (False, True):
        response = await ask(app, asking("demo-bot", image, stream=stream))
        assert_refused(response, 400, NOT_ALLOWED)
    assert app.supervisor.turns == []


async def test_caller_without_the_key_does_not_learn_whether_images_are_allowed(app: App) -> None:
    await app.add("closed", key="sk-0123456789abcdef")
    assert_refused(await ask(app, asking("closed")), 401, "Missing Bearer token")
    assert_refused(await ask(app, asking("nobody")), 401, "Unknown model")


@pytest.mark.parametrize("stream", [False, True])
async def test_instance_that_allows_images_gets_them_in_order(eyes: App, *, stream: bool) -> None:
    eyes.images[WEB] = jpeg()
    assert (await ask(eyes, asking(stream=stream))).status == 200
    assert (await ask(eyes, asking(image={"url": WEB, "detail": "high"}))).status == 200
    assert (await ask(eyes, asking(image=DATA_URL))).status == 200
    sent = [turn.messages for turn in eyes.supervisor.turns]
    text = TextPart("What is this?")
    own, web = ImagePart(media_type="image/png", data=png()), ImagePart(media_type="image/jpeg", data=jpeg())
    assert sent[0] == (UserMessage((text, own)),)
    assert sent[1] == (UserMessage((text, msgspec.structs.replace(web, detail="high"))),)
    assert sent[2] == sent[0]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({}, "An image needs a data, http or https URL - at `$.messages[0].content[1]`"),
        ({"url": "https://nowhere.example/x"}, "The image can't be fetched"),
        ({"url": "data:image/png;base64,aGVsbG8="}, "The image is of a type that isn't supported: send a PNG, JPEG"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_image_that_cannot_be_used_is_a_400_with_the_reason(
    eyes: App, image: Any, message: str, *, stream: bool
) -> None:
    response = await ask(eyes, asking(image=image, stream=stream))
    assert response.status == 400
    assert response.json["message"].startswith(message)
    assert eyes.supervisor.turns == []


async def test_image_over_the_limit_is_a_413_whose_hint_is_in_the_log(eyes: App) -> None:
    eyes.images[WEB] = png((b"teSt", bytes(1_000_000)))
    with collected("polyant.access") as records:
        response = await ask(eyes, asking(image={"url": WEB}))
    message = "The image or file is too large: at most 1000000 bytes are accepted - at `$.messages[0].content[1]`"
    assert_refused(response, 413, message)
    assert (
        fields_of(records[-1])["hint"]
        == "MEDIA_BYTES sets the limit for one image or file, and for those of a turn together"
    )


async def test_body_over_the_limit_says_to_operators_that_the_limit_includes_images(app: App) -> None:
    with collected("polyant.access") as records:
        assert_refused(await app.post(b" " * 5_000_000), 413, "request entity too large")
    hint = "MAX_BODY_BYTES limits the whole body, images included"
    assert fields_of(records[-1])["hint"] == hint


async def test_images_and_their_links_are_never_logged(eyes: App) -> None:
    canary = "https://images.example/canary-4711.png"
    eyes.images[canary] = png((b"tEXt", b"canary-4711"))
    with collected("polyant") as records:
        await ask(eyes, asking(image={"url": canary}))
        await ask(eyes, asking(image={"url": f"{canary}?none"}))
    assert records
    assert "canary-4711" not in str([vars(record) for record in records])


async def test_neighbouring_messages_are_joined_with_their_images(eyes: App) -> None:
    body = asking()
    body["messages"] += [{"role": "system", "content": "Hurry."}, {"role": "assistant", "content": ""}]
    body["messages"] += [{"role": "user", "content": "Well?"}]
    assert (await ask(eyes, body)).status == 200
    (message,) = eyes.supervisor.turns[0].messages
    assert isinstance(message, UserMessage)
    assert message.text == "What is this?\n\n[Message from the calling application]\n\nHurry.\n\nWell?"
    assert isinstance(message.parts[1], ImagePart)


async def test_playground_follows_the_instance(eyes: App) -> None:
    api = Api(eyes, await eyes.management.add_user_token())
    assert (await api.post("/instances/eyes/playground", asking())).status == 200
    response = await api.post("/instances/demo-bot/playground", asking("demo-bot"))
    assert_refused(response, 400, NOT_ALLOWED)


async def test_model_says_whether_it_takes_images(eyes: App) -> None:
    token = await eyes.management.add_user_token()
    accepted = [(await eyes.get(f"/v1/models/{slug}", bearer=token)).json["polyant"] for slug in ("eyes", "demo-bot")]
    assert [each["image_input"] for each in accepted] == [True, False]
    assert (await eyes.post(chat_body("eyes"))).status == 200
