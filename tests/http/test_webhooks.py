import msgspec
import pytest

from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.channel_events import WebhookRefusedError, WebhookReply, WebhookRequest
from polyant.domain.channels import ConnectionId, UnknownConnectionError
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.channels.receive_events import ReceiveEvents
from polyant.http.webhooks import FORGED_LIMIT, MAX_WEBHOOK_BYTES
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.factories import InstanceFactory
from support.app import App, serving
from support.asgi import Response

ID = "A" * 22
PATH = f"/channels/fake/{ID}"
TOKEN = "metrics-token-of-the-operator"


class FakeReceive:
    """Stands for the use case, whose own tests use the fake platform."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, WebhookRequest]] = []
        self.outcome: WebhookReply | Exception = WebhookReply(body=b"challenge")

    async def __call__(self, channel: str, connection_id: str, request: WebhookRequest) -> WebhookReply:
        self.requests.append((channel, connection_id, request))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
async def receive() -> FakeReceive:
    return FakeReceive()


async def deliver(receive: FakeReceive, *, times: int = 1, path: str = PATH, **options: object) -> Response:
    """Returns the last response to that many deliveries."""
    async with serving() as app:
        return await delivered(app, receive, times=times, path=path, **options)


async def delivered(app: App, receive: FakeReceive, *, times: int, path: str, **options: object) -> Response:
    app.provided[ReceiveEvents] = receive
    given = {"method": "POST", "body": b"[]", **options}
    method = str(given.pop("method"))
    response = await app.request(method, path, **given)
    for _ in range(times - 1):
        response = await app.request(method, path, **given)
    return response


async def test_request_is_passed_as_it_arrived(receive: FakeReceive) -> None:
    response = await deliver(receive, path=f"{PATH}?a=1", headers={"X-Signature": "s"}, body=b'{"x":1}')
    assert (response.status, response.body) == (200, b"challenge")
    ((channel, connection, request),) = receive.requests
    assert (channel, connection, request.method, request.body) == ("fake", ID, "POST", b'{"x":1}')
    assert (request.headers["x-signature"], request.query) == ("s", {"a": "1"})


async def test_verification_is_a_get_request(receive: FakeReceive) -> None:
    response = await deliver(receive, method="GET", body=b"")
    assert (response.status, response.body) == (200, b"challenge")
    assert ("content-type", "text/plain; charset=utf-8") in response.headers


@pytest.mark.parametrize("path", [f"/channels/fake/{'A' * 21}", f"/channels/UPPER/{ID}", f"/channels/fake/{'!' * 22}"])
async def test_malformed_address_is_unknown(receive: FakeReceive, path: str) -> None:
    assert (await deliver(receive, path=path)).status == 404
    assert receive.requests == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownConnectionError(), 404),
        (StorageUnavailableError(), 503),
        (WebhookRefusedError(forged=True), 401),
        (WebhookRefusedError(forged=False), 400),
    ],
)
async def test_event_that_is_not_stored_is_not_acknowledged(
    receive: FakeReceive, error: Exception, status: int
) -> None:
    receive.outcome = error
    response = await deliver(receive)
    assert response.status == status
    if isinstance(error, WebhookRefusedError):
        assert msgspec.json.decode(response.body)["message"] in {"Unauthorized", "Bad request"}


async def test_forged_requests_are_limited(receive: FakeReceive) -> None:
    receive.outcome = WebhookRefusedError(forged=True)
    assert (await deliver(receive, times=FORGED_LIMIT.requests)).status == 401
    assert (await deliver(receive, times=FORGED_LIMIT.requests + 1)).status == 429


async def test_address_over_the_limit_is_not_counted_again(
    receive: FakeReceive, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    receive.outcome = WebhookRefusedError(forged=True)
    async with serving() as app:
        hit = app.rate_limiter.hit

        async def counted(key: str, limit: RateLimit) -> LimitState:
            keys.append(key)
            return await hit(key, limit)

        monkeypatch.setattr(app.rate_limiter, "hit", counted)
        response = await delivered(app, receive, times=3 * FORGED_LIMIT.requests, path=PATH)
        assert (response.status, response.header("retry-after")) == (429, "60")
        assert keys == ["webhook:203.0.113.7"] * (FORGED_LIMIT.requests + 1)
        assert (await delivered(app, receive, times=1, path=PATH, client=("203.0.113.8", 1))).status == 401
        receive.outcome = WebhookReply()
        assert (await delivered(app, receive, times=1, path=PATH)).status == 200
        receive.outcome = WebhookRefusedError(forged=True)
        app.clock.advance(FORGED_LIMIT.seconds)
        assert (await delivered(app, receive, times=1, path=PATH)).status == 401


async def test_unknown_webhooks_are_limited_without_looking_them_up(receive: FakeReceive) -> None:
    async with serving() as app:
        assert (await delivered(app, receive, times=1, path=PATH)).status == 200
        receive.outcome = UnknownConnectionError()
        unknown = [f"/channels/fake/{number:022d}" for number in range(2 * FORGED_LIMIT.requests)]
        statuses = [(await delivered(app, receive, times=1, path=path)).status for path in unknown]
        assert statuses == [404] * FORGED_LIMIT.requests + [429] * FORGED_LIMIT.requests
        assert len(receive.requests) == 1 + FORGED_LIMIT.requests + 1
        receive.outcome = WebhookReply()
        assert (await delivered(app, receive, times=1, path=PATH)).status == 200
        assert (await delivered(app, receive, times=1, path=unknown[0])).status == 429
        assert (await delivered(app, receive, times=1, path=unknown[0], client=("203.0.113.8", 1))).status == 200
        assert (await delivered(app, receive, times=1, path=unknown[0])).status == 200


async def test_connection_of_an_address_over_the_limit_is_found(receive: FakeReceive) -> None:
    async with serving() as app:
        memory = MemoryStore()
        app.provided[ChannelConnections] = connections = MemoryChannelConnections(memory=memory)
        receive.outcome = UnknownConnectionError()
        for number in range(FORGED_LIMIT.requests + 1):
            await delivered(app, receive, times=1, path=f"/channels/fake/{number:022d}")
        assert (await delivered(app, receive, times=1, path=PATH)).status == 429
        instance = await MemoryInstanceRepo(memory=memory).add(InstanceFactory.build())
        await connections.add(connection_of(id=ConnectionId(ID), instance_id=instance.id, slug=instance.slug))
        receive.outcome = WebhookReply()
        app.clock.advance(1)
        assert (await delivered(app, receive, times=1, path=PATH)).status == 200


async def test_body_is_limited(receive: FakeReceive) -> None:
    assert (await deliver(receive, body=b"x" * MAX_WEBHOOK_BYTES)).status == 200
    assert (await deliver(receive, body=b"x" * (MAX_WEBHOOK_BYTES + 1))).status == 413
    assert len(receive.requests) == 1


async def test_rest_of_a_large_body_is_not_read(receive: FakeReceive) -> None:
    parts = (b"x" * MAX_WEBHOOK_BYTES, b"x")
    assert (await deliver(receive, body=parts, complete=False)).status == 413
    announced = {"content-length": str(MAX_WEBHOOK_BYTES + 1)}
    assert (await deliver(receive, body=b"", headers=announced, complete=False)).status == 413
    assert receive.requests == []


async def test_process_that_only_answers_channels_serves_webhooks_health_and_metrics(receive: FakeReceive) -> None:
    async with serving(channels_only=True, metrics_token=SecretText(TOKEN)) as app:
        app.provided[ReceiveEvents] = receive
        assert (await app.request("POST", PATH, body=b"[]")).status == 200
        for path in ("/health", "/health/ready"):
            assert (await app.get(path)).status == 200
        assert (await app.get("/metrics", bearer=TOKEN)).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/api/instances"),
        ("POST", "/api/auth/login"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/login"),
    ],
)
async def test_process_that_only_answers_channels_serves_nothing_else(method: str, path: str) -> None:
    async with serving(channels_only=True) as app:
        assert (await app.request(method, path, body=b"{}")).status == 404
