"""/api/instances/{slug}/playground and /turns over HTTP."""

import asyncio
from typing import Any

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import RateLimit
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.users import UserId
from support.api import Api
from support.app import App, serving
from support.envelopes import assert_refused
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, says

PATH = "/instances/bot/playground"


def asking(model: str = "bot", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}


async def test_response_is_that_of_the_chat_endpoint(app: App, api: Api) -> None:
    whole = (await api.post(PATH, asking())).json
    other = (await app.chat(model="bot")).json
    assert {**whole, "id": "", "created": 0} == {**other, "id": "", "created": 0}
    assert whole["choices"][0]["message"]["content"] == "Hello!"
    streamed = await api.post(PATH, asking(stream=True))
    assert streamed.header("content-type") == "text/event-stream"
    assert streamed.body.count(b'"content":"Hello!"') == 1
    assert streamed.body.endswith(b"data: [DONE]\n\n")


async def test_session_replaces_the_key_and_works_on_a_disabled_instance(app: App, api: Api) -> None:
    await api.succeed("POST", "/instances/bot/keys")
    await api.succeed("PATCH", "/instances/bot", {"status": "disabled"})
    assert (await app.chat(model="bot")).status == 401
    assert (await api.post(PATH, asking())).status == 200


async def test_playground_counts_towards_the_limit_of_concurrent_turns() -> None:
    async with serving(rate_limit=None, max_turns=1) as app:
        api = Api(app, await app.management.add_user_token())
        gate = asyncio.Event()
        app.supervisor.plays(gate, TURN_FINISHED)
        waiting = asyncio.create_task(api.post("/instances/demo-bot/playground", asking("demo-bot")))
        await app.supervisor.runs()
        busy = await api.post("/instances/demo-bot/playground", asking("demo-bot"))
        assert_refused(busy, 503, "Server is busy")
        gate.set()
        assert (await waiting).status == 200


async def test_playground_counts_towards_the_rate_limit_of_its_address() -> None:
    async with serving(rate_limit=RateLimit(3, 60)) as app:
        path, api = "/instances/demo-bot/playground", Api(app, await app.management.add_user_token())
        assert (await app.chat(model="demo-bot")).status == 200
        answers = [await api.post(path, asking("demo-bot")), await api.post(path, {}), await api.post(path, {})]
        assert [(answer.status, answer.header("x-ratelimit-remaining")) for answer in answers] == [
            *((200, "1"), (400, "0"), (429, "0"))
        ]
        assert answers[2].header("retry-after") == "60"
        assert (await Api(app, None).post(path, {})).status == 401
        assert (await api.post(path, asking("demo-bot"), client="203.0.113.8")).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (PATH, asking("other"), 400, "model must be 'bot', as in the path - at `$.model`"),
        (PATH, {"messages": [{"role": "user"}]}, 400, "Object missing required field `model`"),
        (PATH, asking(temperature=3), 400, "Expected `float` <= 2.0 - at `$.temperature`"),
        ("/instances/nobody/playground", asking("nobody"), 404, "Unknown instance"),
        ("/instances/No%20Slug/playground", asking("bot"), 404, "Unknown instance"),
    ],
)
async def test_errors_are_those_of_the_chat_endpoint(
    api: Api, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    assert_refused(await api.post(path, body), status, message)


@pytest.mark.parametrize("begun", [(), (TextDelta("Hel"),)], ids=["before the text", "after some text"])
async def test_failure_of_the_provider_is_explained(app: App, api: Api, begun: tuple[TextDelta, ...]) -> None:
    slug = (await app.add("some-bot")).slug
    error = ProviderError("vendor", ProviderFailure.BAD_RESPONSE)
    app.supervisor.plays(*begun, error)
    response = await api.post(f"/instances/{slug}/playground", asking(slug, stream=True))
    assert error.explanation in response.body.decode()


async def test_turns_of_callers_and_the_playground_are_listed_newest_first(app: App, api: Api) -> None:
    slug = (await app.add("old-bot")).slug  # created when the clock of the turns began
    app.supervisor.plays(TOOL_STARTED, TOOL_FINISHED, *says("Hello!"))
    await api.succeed("POST", f"/instances/{slug}/playground", asking(slug), x_request_id="first")
    app.clock.advance(1)
    app.supervisor.plays(TextDelta("Hel"), ProviderError("vendor", ProviderFailure.OVERLOADED))
    await app.chat(model=slug, stream=True)
    page = (await api.get(f"/instances/{slug}/turns")).json
    assert (page["total"], page["limit"], page["offset"]) == (2, 50, 0)
    failed, finished = page["turns"]
    assert (failed["outcome"], failed["streamed"], failed["steps"]) == ("failed", True, 0)
    assert finished == {
        "at": finished["at"],
        "requestId": "first",
        "outcome": "finished",
        "ms": 0.0,
        "error": None,
        "firstTokenMs": 0.0,
        "steps": 1,
        "toolCalls": 1,
        "failedToolCalls": 0,
        "promptTokens": 7,
        "completionTokens": 5,
        "cachedTokens": 0,
        "streamed": False,
    }
    assert (await api.get(f"/instances/{slug}/turns?limit=1&offset=1")).json["turns"] == [finished]
    assert b"Hel" not in (await api.get(f"/instances/{slug}/turns")).body


async def test_turn_contains_the_user_of_the_playground(app: App, api: Api) -> None:
    await api.succeed("POST", PATH, asking(user="user-7"), x_request_id="req-1")
    (turn,) = app.supervisor.turns
    me = (await api.get("/auth/me")).json["user"]["id"]
    caller = Caller(user="user-7", account=UserId(me), address="203.0.113.7")
    assert turn.context == TurnContext(request_id="req-1", channel="playground", caller=caller)
