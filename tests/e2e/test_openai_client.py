"""The official `openai` client against a real server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from polyant.domain.chat import Usage
from polyant.domain.errors import ProviderFailure
from polyant.testing.provider_scripts import ScriptedAnswer
from support.openai_replies import openai_failure, openai_partial_stream, openai_responder
from support.process import Server, run_polyant, serving
from support.upstream import Then, UpstreamThread, json_reply

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
GREETING = ScriptedAnswer(text=("Grüß ", "dich, ", "Zoë 🐜", "!"), usage=Usage(7, 5))


@pytest.fixture(scope="module")
def key(engine: Server) -> str:
    assert run_polyant(engine.folder, "instances", "create", "closed").returncode == 0
    return run_polyant(engine.folder, "keys", "issue", "closed").stdout.strip()


@pytest.fixture
def client(engine: Server, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=engine.base_url, api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
async def aclient(engine: Server, key: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=engine.base_url, api_key=key, max_retries=0) as client:
        yield client


def test_models_are_listed(client: openai.OpenAI) -> None:
    models = client.models.list().data
    slugs = [model.id for model in models]
    assert slugs.index("relay") < slugs.index("closed")  # the older first
    assert {(model.object, model.owned_by) for model in models} == {("model", "polyant")}


def test_model_is_retrieved(client: openai.OpenAI) -> None:
    assert client.models.retrieve("relay").id == "relay"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_whole_response(client: openai.OpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(openai_responder(GREETING))
    answer = client.chat.completions.create(model="relay", messages=HELLO)
    assert answer.choices[0].message.content == "Grüß dich, Zoë 🐜!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "relay"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)
    assert not upstream.upstream.posts[0].json().get("stream")


def test_stream(client: openai.OpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(openai_responder(GREETING))
    with client.chat.completions.create(model="relay", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-1]] == list(GREETING.text)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert upstream.upstream.posts[0].json()["stream"] is True


def test_stream_with_usage(client: openai.OpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(openai_responder(GREETING))
    with client.chat.completions.create(
        model="relay", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 12


async def test_async_responses(aclient: openai.AsyncOpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies += [openai_responder(GREETING), openai_responder(GREETING)]
    answer = await aclient.chat.completions.create(model="relay", messages=HELLO)
    stream = await aclient.chat.completions.create(model="relay", messages=HELLO, stream=True)
    async with stream:
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert answer.choices[0].message.content == "".join(pieces) == "Grüß dich, Zoë 🐜!"
    assert "relay" in [model.id async for model in aclient.models.list()]


def test_streaming_helper_of_the_client(client: openai.OpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(openai_responder(GREETING))
    with client.chat.completions.stream(model="relay", messages=HELLO) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Grüß dich, Zoë 🐜!"


def test_provider_receives_one_system_message_and_the_whole_conversation(
    client: openai.OpenAI, upstream: UpstreamThread
) -> None:
    upstream.upstream.replies.append(openai_responder())
    client.chat.completions.create(
        model="relay",
        messages=[
            {"role": "system", "content": "Answer in French."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Salut"},
            {"role": "user", "content": [{"type": "text", "text": "Again"}]},
        ],
        temperature=0.5,
        max_tokens=9,
    )
    sent = upstream.upstream.posts[0].json()
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][0]["content"].endswith("Answer in French.")
    assert sent["messages"][-1]["content"] == "Again"
    assert (sent["temperature"], sent["max_tokens"]) == (0.5, 9)


def test_wrong_key_is_an_authentication_error(client: openai.OpenAI) -> None:
    unauthorised = client.with_options(api_key="sk-of-somebody-else")
    with pytest.raises(openai.AuthenticationError) as at_chat:
        unauthorised.chat.completions.create(model="closed", messages=HELLO)
    assert _message(at_chat) == "Invalid API key"
    with pytest.raises(openai.AuthenticationError) as at_models:
        unauthorised.models.list()
    assert _message(at_models) == "Invalid API key"


def test_unknown_model_is_an_authentication_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert _message(caught) == "Unknown model"


def test_invalid_request_is_a_bad_request_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="relay", messages=HELLO, temperature=3)
    assert "$.temperature" in _message(caught)


@pytest.mark.parametrize("stream", [False, True])
def test_provider_failure_is_an_internal_server_error_with_its_kind(
    client: openai.OpenAI, upstream: UpstreamThread, *, stream: bool
) -> None:
    upstream.upstream.replies.append(openai_failure(ProviderFailure.AUTH))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="relay", messages=HELLO, stream=stream)
    assert caught.value.status_code == 502
    assert _message(caught) == "The model provider failed to answer (openai: auth)"


def test_client_does_not_retry_requests_that_the_server_has_retried(engine: Server, upstream: UpstreamThread) -> None:
    upstream.upstream.replies += [json_reply({}, status=500, headers={"Retry-After": "0"})] * 9
    eager = openai.OpenAI(base_url=engine.base_url, api_key="none", max_retries=2)
    with eager, pytest.raises(openai.InternalServerError):
        eager.chat.completions.create(model="relay", messages=HELLO)
    assert len(upstream.upstream.posts) == 3


def test_missing_provider_key_is_an_internal_server_error_that_names_the_provider(
    engine: Server, client: openai.OpenAI
) -> None:
    assert run_polyant(engine.folder, "instances", "create", "keyless", "--provider", "openai").returncode == 0
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="keyless", messages=HELLO)
    assert caught.value.status_code == 503
    assert "No API key for the provider openai" in _message(caught)


def test_failure_in_mid_stream_raises_after_the_text_so_far(client: openai.OpenAI, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(openai_partial_stream("Half an ", "ans", then=Then.CUT))
    with client.chat.completions.create(model="relay", messages=HELLO, stream=True) as stream:
        texts = [next(stream).choices[0].delta.content for _ in range(3)]
        with pytest.raises(openai.APIError) as caught:
            next(stream)
    assert texts == [None, "Half an ", "ans"]
    assert "bad_response" in caught.value.message


def test_rate_limit_is_a_rate_limit_error_with_retry_after(tmp_path: Path) -> None:
    with (
        serving(tmp_path, RATE_LIMIT="1/50") as server,
        openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client,
    ):
        client.chat.completions.create(model="demo-bot", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="demo-bot", messages=HELLO)
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 50


def _message(caught: pytest.ExceptionInfo[openai.APIStatusError]) -> str:
    """Returns the server's message, because the client itself reads only OpenAI's form of errors."""
    envelope = caught.value.response.json()
    assert list(envelope) == ["statusCode", "message", "error"]
    assert envelope["statusCode"] == caught.value.status_code
    message: str = envelope["message"]
    return message
