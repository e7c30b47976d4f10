"""CORS: which web pages may call /v1."""

import pytest

from polyant.domain.limits import RateLimit
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response

PAGE = "https://app.example"
EXPOSED = "retry-after, x-request-id, x-polyant-ignored, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
REQUESTED = "authorization, content-type, x-stainless-lang"


def cors_headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers if name.startswith("access-control-") or name == "vary"}


async def preflight(app: App, target: str = CHAT, **headers: str) -> Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await app.request("OPTIONS", target, headers={"access-control-request-method": "POST", **given})


async def post(app: App, origin: str) -> Response:
    headers = {"content-type": "application/json", "origin": origin}
    return await app.request("POST", CHAT, body=chat_body(), headers=headers)


async def test_no_page_may_call_by_default(app: App) -> None:
    assert cors_headers(await post(app, PAGE)) == {}
    refused = await preflight(app, origin=PAGE)
    assert (refused.status, cors_headers(refused)) == (404, {})
    assert refused.json["message"] == f"Cannot OPTIONS {CHAT}"


async def test_listed_page_can_read_the_response_and_its_headers() -> None:
    async with serving(cors_origins=("https://other.example", PAGE)) as app:
        assert cors_headers(await post(app, PAGE)) == {
            "vary": "Origin",
            "access-control-allow-origin": PAGE,
            "access-control-expose-headers": EXPOSED,
        }


async def test_preflight_of_a_listed_page_is_204_and_grants_the_requested_headers() -> None:
    async with serving(cors_origins=(PAGE,)) as app:
        granted = await preflight(app, origin=PAGE, access_control_request_headers=REQUESTED)
    assert (granted.status, granted.body) == (204, b"")
    assert "content-length" not in granted.names
    assert "content-type" not in granted.names
    assert cors_headers(granted) == {
        "vary": "Origin",
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": EXPOSED,
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": REQUESTED,
        "access-control-max-age": "600",
    }


async def test_preflight_without_requested_headers_grants_the_default_ones() -> None:
    async with serving(cors_origins=(PAGE,)) as app:
        granted = await preflight(app, origin=PAGE)
    assert granted.header("access-control-allow-headers") == "authorization, content-type"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{PAGE}.evil.example", "http://app.example", f"{PAGE}:8443", "null", ""]
)
async def test_unlisted_page_is_rejected(origin: str) -> None:
    async with serving(cors_origins=(PAGE,)) as app:
        assert cors_headers(await post(app, origin)) == {"vary": "Origin"}
        refused = await preflight(app, origin=origin)
    assert (refused.status, cors_headers(refused)) == (404, {"vary": "Origin"})


@pytest.mark.parametrize("origin", [PAGE, "https://any.example", "null"])
async def test_star_allows_every_page_but_no_credentials(origin: str) -> None:
    async with serving(cors_origins=("*",)) as app:
        for response in (await post(app, origin), await preflight(app, origin=origin)):
            assert response.header("access-control-allow-origin") == "*"
            assert "access-control-allow-credentials" not in response.names


@pytest.mark.parametrize("listed", ["https://App.Example", f"{PAGE}/"])
async def test_listed_origin_is_normalised(listed: str) -> None:
    async with serving(cors_origins=(listed,)) as app:
        assert (await post(app, PAGE)).header("access-control-allow-origin") == PAGE


async def test_page_can_read_errors_of_v1() -> None:
    async with serving(cors_origins=(PAGE,), rate_limit=RateLimit(2, 60), max_body_bytes=1_000) as app:
        answers = [
            await app.get("/v1/models", origin=PAGE),
            await app.get("/v1/nowhere", origin=PAGE),
            await app.post(b"{", origin=PAGE),
            await app.post(b" " * 2_000, origin=PAGE),
            await post(app, PAGE),
        ]
    assert [answer.status for answer in answers] == [401, 404, 400, 413, 429]
    for answer in answers:
        assert answer.header("access-control-allow-origin") == PAGE
        assert answer.header("access-control-expose-headers") == EXPOSED


async def test_streams_have_cors_headers() -> None:
    async with serving(cors_origins=(PAGE,)) as app:
        response = await app.post(chat_body(stream=True), origin=PAGE)
    assert response.header("content-type") == "text/event-stream"
    assert response.header("access-control-allow-origin") == PAGE


@pytest.mark.parametrize("origins", [(PAGE,), ("*",)])
async def test_routes_outside_v1_have_no_cors_headers(origins: tuple[str, ...]) -> None:
    async with serving(cors_origins=origins) as app:
        for target in ("/health", "/health/ready", "/", "/v1x/models"):
            assert cors_headers(await app.get(target, origin=PAGE)) == {}
            assert (await preflight(app, target, origin=PAGE)).status == 404


async def test_preflight_does_not_count_towards_the_rate_limit() -> None:
    async with serving(cors_origins=(PAGE,), rate_limit=RateLimit(1, 60)) as app:
        assert [(await preflight(app, origin=PAGE)).status for _ in range(3)] == [204] * 3
        assert (await post(app, PAGE)).status == 200


async def test_options_without_a_requested_method_is_not_a_preflight() -> None:
    async with serving(cors_origins=(PAGE,)) as app:
        assert (await app.request("OPTIONS", CHAT, headers={"origin": PAGE})).status == 404
        assert (await preflight(app)).status == 404
