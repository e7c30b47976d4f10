"""The limit on chat requests, and the limit on bad credentials."""

from collections.abc import Mapping

import pytest

from polyant.domain.limits import RateLimit
from polyant.http.app import HttpSettings
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response
from support.sessions import session_token

LIMIT = RateLimit(20, 60)
REFUSED = b'{"statusCode":429,"message":"ThrottlerException: Too Many Requests","error":"Too Many Requests"}'


def limits_of(response: Response) -> tuple[str | None, ...]:
    return tuple(response.header(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))


async def test_20_of_21_requests_pass_by_default() -> None:
    async with serving(rate_limit=LIMIT) as app:
        answers = [await app.chat() for _ in range(21)]
    assert [answer.status for answer in answers] == [200] * 20 + [429]
    assert [limits_of(answer) for answer in answers[:20]] == [("20", str(left), "60") for left in range(19, -1, -1)]
    assert answers[20].body == REFUSED
    assert answers[20].header("content-type") == "application/json"
    assert answers[20].header("retry-after") == "60"
    assert limits_of(answers[20]) == ("20", "0", "60")


async def test_default_limit_is_20_per_60_seconds() -> None:
    assert HttpSettings().rate_limit == LIMIT


async def test_call_leaves_the_window_after_exactly_60_seconds() -> None:
    async with serving(rate_limit=LIMIT) as app:
        assert (await app.chat()).status == 200
        app.clock.advance(10)
        assert [(await app.chat()).status for _ in range(19)] == [200] * 19
        app.clock.advance(49.5)
        refused = await app.chat()
        assert (refused.status, refused.header("retry-after")) == (429, "1")
        assert limits_of(refused) == ("20", "0", "11")
        app.clock.advance(0.5)
        assert (await app.chat()).status == 200
        assert (await app.chat()).status == 429


async def test_rejected_requests_do_not_count_or_extend_the_wait() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        assert (await app.chat()).status == 200
        app.clock.advance(30)
        assert [(await app.chat()).header("retry-after") for _ in range(50)] == ["30"] * 50
        app.clock.advance(30)
        assert (await app.chat()).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_every_response_of_the_route_has_the_limit_headers(*, stream: bool) -> None:
    async with serving(rate_limit=LIMIT) as app:
        assert limits_of(await app.chat(stream=stream)) == ("20", "19", "60")
        assert limits_of(await app.post(b"{")) == ("20", "18", "60")
        assert limits_of(await app.post(chat_body(), content_type=None)) == ("20", "17", "60")
        assert limits_of(await app.chat(model="no-such-bot")) == ("20", "16", "60")
        app.supervisor.plays(KeyError("x"))
        assert limits_of(await app.chat(stream=stream)) == ("20", "15", "60")
        assert limits_of(await app.request("POST", f"{CHAT}/?a=b")) == ("20", "14", "60")


async def test_every_post_counts_including_malformed_ones_and_no_other_method() -> None:
    async with serving(rate_limit=RateLimit(3, 60)) as app:
        await app.get(CHAT)
        await app.request("OPTIONS", CHAT)
        await app.get("/health")
        for body in (b"", b"{", b"\xff"):
            assert (await app.post(body)).status == 400
        assert (await app.chat()).status == 429


async def test_limit_that_is_off_limits_nothing_and_sends_no_headers() -> None:
    async with serving(rate_limit=None) as app:
        answers = [await app.chat() for _ in range(40)]
    assert {answer.status for answer in answers} == {200}
    assert limits_of(answers[0]) == (None, None, None)


async def test_other_routes_have_no_limit_headers() -> None:
    async with serving(rate_limit=LIMIT) as app:
        for response in (await app.get("/health"), await app.get("/v1/models"), await app.get(CHAT)):
            assert limits_of(response) == (None, None, None)


async def post_from(app: App, client: str, forwarded: str | None = None) -> int:
    headers: Mapping[str, str] = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return (await app.request("POST", CHAT, client=(client, 1), headers=headers)).status


async def test_each_address_has_its_own_limit_independent_of_its_port() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        assert await post_from(app, "203.0.113.1") == 400
        assert await post_from(app, "203.0.113.2") == 400
        assert (await app.request("POST", CHAT, client=("203.0.113.1", 2))).status == 429


async def test_forwarded_address_is_ignored_without_a_trusted_proxy() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        assert await post_from(app, "203.0.113.1", "192.0.2.1") == 400
        assert await post_from(app, "203.0.113.1", "192.0.2.2") == 429


async def test_each_client_behind_a_trusted_proxy_has_its_own_limit() -> None:
    async with serving(rate_limit=RateLimit(1, 60), trusted_hops=1) as app:
        assert await post_from(app, "10.0.0.1", "192.0.2.1") == 400
        assert await post_from(app, "10.0.0.1", "192.0.2.2") == 400
        assert await post_from(app, "10.0.0.1", "forged, 192.0.2.1") == 429


async def test_addresses_of_one_ipv6_site_share_a_limit() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        assert await post_from(app, "2001:db8::1") == 400
        assert await post_from(app, "2001:db8::ffff:ffff:ffff:ffff") == 429
        assert await post_from(app, "2001:db8:0:1::1") == 400


# Bad credentials


async def get_models(app: App, client: str = "203.0.113.7", **headers: str) -> Response:
    return await app.request("GET", "/v1/models", headers=headers, client=(client, 1))


async def test_good_credentials_are_not_limited() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        await app.add("locked-bot", key="sk-of-locked-bot")
        for bearer in ("sk-of-locked-bot", session_token()):
            for _ in range(40):
                assert (await get_models(app, authorization=f"Bearer {bearer}")).status == 200


@pytest.mark.parametrize("headers", [{"authorization": "Bearer wrong"}, {"cookie": "polyant_session=wrong"}])
@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/demo-bot"])
async def test_bad_credentials_are_429_after_30_per_minute(app: App, headers: dict[str, str], target: str) -> None:
    answers = [await app.request("GET", target, headers=headers) for _ in range(31)]
    assert [answer.status for answer in answers] == [401] * 30 + [429]
    assert answers[30].body == REFUSED
    assert answers[30].header("retry-after") == "60"
    app.clock.advance(60)
    assert (await app.request("GET", target, headers=headers)).status == 401


async def test_bad_credentials_do_not_lock_out_other_addresses_or_proven_credentials(app: App) -> None:
    proven = f"Bearer {session_token()}"  # a later token would differ
    assert (await get_models(app, authorization=proven)).status == 200
    for _ in range(31):
        await get_models(app, authorization="Bearer wrong")
    assert (await get_models(app, authorization="Bearer wrong")).status == 429
    assert (await get_models(app, client="203.0.113.8", authorization="Bearer wrong")).status == 401
    assert (await get_models(app, authorization=proven)).status == 200


async def test_over_the_limit_a_guess_that_is_right_is_refused_like_any_other(app: App) -> None:
    """On every route, so that guessing doesn't go on at full speed."""
    await app.add("locked-bot", key="sk-of-locked-bot")
    for _ in range(15):  # /v1/models and chat count together
        assert (await app.get("/v1/models", bearer="wrong")).status == 401
        assert (await app.chat(model="locked-bot", bearer="wrong")).status == 401
    forged = session_token(secret="another secret of the tests, as long")
    for bearer in ("sk-of-locked-bot", "wrong", forged):
        assert (await app.get("/v1/models", bearer=bearer)).body == REFUSED
        assert (await app.get("/api/auth/me", bearer=bearer)).body == REFUSED
        assert (await app.chat(model="locked-bot", bearer=bearer)).body == REFUSED
    assert (await app.get("/v1/models", cookie=f"polyant_session={forged}")).body == REFUSED
    app.clock.advance(60)
    assert (await app.chat(model="locked-bot", bearer="sk-of-locked-bot")).status == 200


async def test_over_the_limit_sessions_are_checked_because_their_tokens_are_signed(app: App) -> None:
    await app.add("locked-bot", key="sk-of-locked-bot")
    for number in range(31):
        await app.get("/v1/models", bearer=f"wrong {number}")
    valid, ended = session_token(), session_token(jti="ended")
    for token, status in ((valid, 200), (ended, 401), (valid, 200)):
        for target in ("/v1/models", "/api/auth/me"):
            assert (await app.get(target, bearer=token)).status == status
            assert (await app.get(target, cookie=f"polyant_session={token}")).status == status
    assert (await app.chat(model="locked-bot", bearer=valid)).status == 401  # a session is no key
    assert (await app.get("/v1/models", bearer="wrong")).body == REFUSED


async def test_instance_without_auth_accepts_any_bearer_token_over_the_limit(app: App) -> None:
    for _ in range(31):
        await get_models(app, authorization="Bearer wrong")
    assert (await app.chat(bearer="anything")).status == 200
    assert (await app.chat()).status == 200


async def test_wrong_keys_at_chat_are_429_after_30_per_minute_without_a_rate_limit(app: App) -> None:
    await app.add("locked-bot", key="sk-of-locked-bot")
    answers = [await app.chat(model="locked-bot", bearer=f"wrong {number}") for number in range(32)]
    assert [answer.status for answer in answers] == [401] * 30 + [429] * 2
    assert answers[31].header("retry-after") == "60"
    assert (await app.chat(model="locked-bot")).status == 401  # a missing key is no guess


async def test_missing_credentials_do_not_count_as_bad_ones(app: App) -> None:
    assert {(await get_models(app)).status for _ in range(40)} == {401}


async def test_bad_credentials_and_chat_requests_are_counted_separately() -> None:
    async with serving(rate_limit=RateLimit(1, 60)) as app:
        for _ in range(31):
            await get_models(app, authorization="Bearer wrong")
        assert (await app.chat()).status == 200
