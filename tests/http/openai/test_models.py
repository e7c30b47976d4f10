"""GET /v1/models and GET /v1/models/{slug}."""

from datetime import UTC, datetime

import msgspec
import pytest

from polyant.testing.manual_clock import START
from support.app import App
from support.sessions import session_token

UNKNOWN = b'{"statusCode":404,"message":"Unknown model","error":"Not Found"}'


@pytest.fixture
def token() -> str:
    return session_token()


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


async def test_list_is_the_documented_object_sorted_by_age_then_slug(app: App, token: str) -> None:
    await app.repo.delete((await app.add("gone-bot")).slug)
    await app.add("younger", created_at=at(1_730_491_200))
    await app.add("b-same", created_at=at(1_730_390_400))
    await app.add("a-same", created_at=at(1_730_390_400))
    await app.add("disabled", created_at=at(1), active=False)
    response = await app.get("/v1/models", bearer=token)
    assert (response.status, response.header("content-type")) == (200, "application/json")
    assert response.body == (
        b'{"object":"list","data":['
        b'{"id":"a-same","object":"model","created":1730390400,"owned_by":"polyant"},'
        b'{"id":"b-same","object":"model","created":1730390400,"owned_by":"polyant"},'
        b'{"id":"younger","object":"model","created":1730491200,"owned_by":"polyant"},'
        b'{"id":"demo-bot","object":"model","created":%d,"owned_by":"polyant"}]}' % START.timestamp()
    )


async def test_created_is_in_whole_seconds_rounded_down(app: App, token: str) -> None:
    await app.add("late", created_at=at(1_730_390_400.999))
    assert (await app.get("/v1/models/late", bearer=token)).json["created"] == 1_730_390_400


async def test_list_without_active_instances_is_empty(app: App, token: str) -> None:
    (demo,) = (await app.get("/v1/models", bearer=token)).json["data"]
    await app.repo.delete(demo["id"])
    assert (await app.get("/v1/models", bearer=token)).body == b'{"object":"list","data":[]}'


async def test_retrieved_model_equals_its_entry_in_the_list_and_says_what_it_accepts(app: App, token: str) -> None:
    (listed,) = (await app.get("/v1/models", bearer=token)).json["data"]
    response = await app.get("/v1/models/demo-bot", bearer=token)
    assert response.status == 200
    assert list(response.json) == ["id", "object", "created", "owned_by", "polyant"]
    accepted = response.json["polyant"]
    assert response.json == {**listed, "polyant": accepted}
    assert list(accepted.items()) == [("image_input", False), ("response_format", False), ("tools_ignored", True)]


@pytest.mark.parametrize(("provider", "accepts"), [("vendor", True), ("echo", False), ("uninstalled", False)])
async def test_response_format_is_accepted_if_the_provider_gets_it(
    app: App, token: str, provider: str, *, accepts: bool
) -> None:
    instance = await app.add("a-bot")
    await app.repo.save(msgspec.structs.replace(instance, provider=provider))
    model = (await app.get("/v1/models/a-bot", bearer=token)).json
    assert model["polyant"]["response_format"] is accepts


@pytest.mark.parametrize("slug", ["no-such-bot", "off-bot", "Demo-Bot", "demo-bot%0a", "%00", "%ff", "a" * 129, "%20"])
async def test_unknown_or_disabled_model_is_404(app: App, token: str, slug: str) -> None:
    await app.add("off-bot", active=False)
    response = await app.get(f"/v1/models/{slug}", bearer=token)
    assert (response.status, response.body) == (404, UNKNOWN)


async def test_slug_with_dots_and_dashes_is_found(app: App, token: str) -> None:
    await app.add("a.b-c_d.2")
    assert (await app.get("/v1/models/a.b-c_d.2", bearer=token)).json["id"] == "a.b-c_d.2"


@pytest.mark.parametrize("target", ["/v1/models/", "/v1/models?a=b", "/v1/models/?a=b", "/v1/models/demo-bot/?x"])
async def test_trailing_slash_and_query_are_accepted(app: App, token: str, target: str) -> None:
    assert (await app.get(target, bearer=token)).status == 200


async def test_both_routes_check_credentials_before_anything_else(app: App) -> None:
    for target in ("/v1/models", "/v1/models/demo-bot", "/v1/models/no-such-bot"):
        assert (await app.get(target)).json["message"] == "Missing authentication"
        assert (await app.get(target, bearer="wrong")).json["message"] == "Invalid API key"
