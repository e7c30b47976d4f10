"""Instances with tools: the caller sees only text, with every provider and tool."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from polyant.domain.chat import ToolCall, Usage
from polyant.testing.mcp_server import McpServerProcess, mcp_server_process
from polyant.testing.provider_scripts import ScriptedAnswer
from support.anthropic_replies import anthropic_responder
from support.openai_replies import openai_responder
from support.patience import PATIENCE, seconds
from support.process import Server, eventually, run_polyant, serving
from support.upstream import HANG_BEFORE_HEAD, Received, Responder, UpstreamThread, upstream_in_thread

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is six times seven?"}]
PROVIDERS: dict[str, Callable[[ScriptedAnswer], Responder]] = {
    "openai": openai_responder,
    "anthropic": anthropic_responder,
}
TOOLS = ("current_time", "calculate", "http_request", "spawn_task")
TOOL_SECONDS = str(seconds(0.5))
NOTHING_BUT_TEXT = ("current_time", "calculate", "http_request", "tool", "call_", "forty")


def calls(*named: tuple[str, dict[str, Any]], text: tuple[str, ...] = ()) -> ScriptedAnswer:
    """Returns a model response that calls tools."""
    tool_calls = tuple(
        ToolCall(id=f"call_{number}", name=name, arguments=json.dumps(arguments))
        for number, (name, arguments) in enumerate(named)
    )
    return ScriptedAnswer(text=text, tool_calls=tool_calls, usage=Usage(10, 1), finish_reason="tool_calls")


def says(*text: str) -> ScriptedAnswer:
    return ScriptedAnswer(text=text, usage=Usage(20, 2))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[UpstreamThread]:
    """A server that accepts every request and never responds."""
    with upstream_in_thread() as thread:
        thread.upstream.otherwise = HANG_BEFORE_HEAD
        yield thread


@pytest.fixture(scope="module")
def mcp() -> Iterator[McpServerProcess]:
    with mcp_server_process() as process:
        yield process


@pytest.fixture(scope="module")
def server(
    shared_upstream: UpstreamThread, elsewhere: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with an instance `with-PROVIDER` for each provider, with all tools and a short tool timeout."""
    variables = {
        "RATE_LIMIT": "off",
        "REPORT_USAGE": "true",
        "HEARTBEAT_SECONDS": "0.1",
        "STREAM_HEAD_SECONDS": "0.1",
        "HTTP_TOOL_HOSTS": elsewhere.upstream.url.removeprefix("http://"),
    }
    with serving(tmp_path_factory.mktemp("tools"), **variables) as started:
        base_url = f"{shared_upstream.upstream.url}/v1"
        for provider in PROVIDERS:
            slug = f"with-{provider}"
            manage(started, "instances", "create", slug, "--provider", provider, "--model", "m", "--base-url", base_url)
            manage(started, "secrets", "set", slug, f"{provider}_api_key", given="upstream-key-0123456789")
            manage(started, "instances", "update", slug, "--tools", ",".join(TOOLS), "--tool-seconds", TOOL_SECONDS)
        yield started


def manage(server: Server, *arguments: str, given: str | None = None) -> str:
    done = run_polyant(server.folder, *arguments, given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def play(upstream: UpstreamThread, provider: str) -> Callable[..., None]:
    """Sets the provider's responses, one per call."""

    def play(*answers: ScriptedAnswer) -> None:
        upstream.upstream.replies += [PROVIDERS[provider](answer) for answer in answers]

    return play


def ask(server: Server, model: str, *, stream: bool) -> httpx.Response:
    body = {"model": model, "messages": HELLO, "stream": stream, "stream_options": {"include_usage": stream}}
    return httpx.post(f"{server.base_url}/chat/completions", json=body, timeout=PATIENCE)


def results_in(request: Received) -> list[str]:
    """Returns the tool results in a request, in the form of either provider."""
    messages = request.json()["messages"]
    blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
    return [message["content"] for message in messages if message["role"] == "tool"] + [
        block["content"] for block in blocks if block["type"] == "tool_result"
    ]


def chunks_of(answer: httpx.Response) -> list[Any]:
    events = [event for event in answer.text.split("\n\n") if event.startswith("data: {")]
    return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.mark.parametrize("stream", [False, True])
def test_turn_with_parallel_failing_and_hanging_tools_succeeds(
    server: Server,
    upstream: UpstreamThread,
    elsewhere: UpstreamThread,
    play: Callable[..., None],
    provider: str,
    *,
    stream: bool,
) -> None:
    play(
        calls(
            ("calculate", {"expression": "6*7"}), ("current_time", {"timezone": "Europe/Rome"}), text=("Let me see. ",)
        ),
        calls(("calculate", {"expression": "1/0"}), ("http_request", {"url": f"{elsewhere.upstream.url}/hang"})),
        says("It is ", "42."),
    )
    answer = ask(server, f"with-{provider}", stream=stream)
    _, second, third = upstream.upstream.posts
    product, time = results_in(second)
    assert product.strip().endswith("42")
    assert "Europe/Rome" in time
    division, hanging = results_in(third)[2:]
    assert "zero" in division
    assert "did not" in hanging
    assert answer.status_code == 200
    if not stream:
        assert answer.json()["choices"][0]["message"] == {"role": "assistant", "content": "It is 42."}
        assert answer.json()["usage"] == {"prompt_tokens": 40, "completion_tokens": 4, "total_tokens": 44}
    else:
        *chunks, usage = chunks_of(answer)
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert deltas == [
            {"role": "assistant"},
            *({"content": text} for text in ("Let me see. ", "It is ", "42.")),
            {},
        ]
        assert usage["usage"]["total_tokens"] == 44
        assert answer.text.endswith("data: [DONE]\n\n")
        assert not any(word in answer.text for word in NOTHING_BUT_TEXT)


def test_heartbeats_keep_the_stream_alive_while_tools_run(
    server: Server, elsewhere: UpstreamThread, play: Callable[..., None], provider: str
) -> None:
    play(calls(("http_request", {"url": f"{elsewhere.upstream.url}/hang"})), says("Nobody answers."))
    answer = ask(server, f"with-{provider}", stream=True)
    before, _, _ = answer.text.partition("Nobody answers.")
    assert before.count(": ping\n\n") >= 2


def test_official_client_receives_only_text_in_both_modes(
    server: Server, play: Callable[..., None], provider: str
) -> None:
    thinking = calls(("calculate", {"expression": "6*7"}), text=("Hm. ",))
    play(thinking, says("It is ", "42."), thinking, says("It is ", "42."))
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model=f"with-{provider}", messages=HELLO)
        with client.chat.completions.create(model=f"with-{provider}", messages=HELLO, stream=True) as stream:
            chunks = list(stream)
    assert answer.choices[0].message.content == "It is 42."
    assert answer.choices[0].message.tool_calls is None
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-1]] == ["Hm. ", "It is ", "42."]
    assert [chunk.choices[0].delta.tool_calls for chunk in chunks] == [None] * len(chunks)
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None, "stop"}


def test_answer_of_a_sub_agent_is_the_result_of_its_tool(
    server: Server, upstream: UpstreamThread, play: Callable[..., None], provider: str
) -> None:
    play(
        calls(("spawn_task", {"task": "Multiply 6 and 7."})),
        calls(("calculate", {"expression": "6*7"})),
        says("The product is 42."),
        says("It is 42."),
    )
    answer = ask(server, f"with-{provider}", stream=False)
    _, task, _, last = upstream.upstream.posts
    assert "Multiply 6 and 7." in json.dumps(task.json()["messages"])
    assert "What is six times seven?" not in json.dumps(task.json())
    assert results_in(last) == ["The product is 42."]
    assert answer.json()["choices"][0]["message"]["content"] == "It is 42."
    assert answer.json()["usage"]["total_tokens"] == 66


def test_running_tool_is_cancelled_when_the_client_disconnects(
    server: Server, elsewhere: UpstreamThread, play: Callable[..., None], provider: str
) -> None:
    manage(server, "instances", "update", f"with-{provider}", "--tool-seconds", "60")
    seen = len(elsewhere.upstream.requests)
    play(calls(("http_request", {"url": f"{elsewhere.upstream.url}/hang"}), text=("One moment.",)))
    try:
        body = {"model": f"with-{provider}", "messages": HELLO, "stream": True}
        with httpx.stream("POST", f"{server.base_url}/chat/completions", json=body, timeout=PATIENCE) as answer:
            lines = answer.iter_lines()  # keeps a reference, because a collected generator would close the connection
            next(lines)
            received = elsewhere.run(elsewhere.upstream.request(seen))
            assert not received.hung_up.is_set()
        elsewhere.run(received.hung_up.wait(), seconds=seconds(1))
    finally:
        manage(server, "instances", "update", f"with-{provider}", "--tool-seconds", TOOL_SECONDS)


def test_log_has_the_metrics_of_each_turn_but_no_text(server: Server, play: Callable[..., None], provider: str) -> None:
    play(calls(("calculate", {"expression": "6*7"}), ("no_such_tool", {})), says("It is 42."))
    before = server.stderr.text.count(" outcome=")
    ask(server, f"with-{provider}", stream=False)
    server.stderr.wait_for("(?s)" + " outcome=.*" * (before + 1))
    line = [line for line in server.stderr.text.splitlines() if " outcome=" in line][-1]
    assert line.endswith(" steps=2 tool_calls=2 prompt_tokens=30 completion_tokens=3")
    assert f" slug=with-{provider} " in line
    assert " outcome=finished " in line
    assert "It is 42" not in server.stderr.text


# MCP


@pytest.fixture
def with_mcp(server: Server, mcp: McpServerProcess, provider: str) -> Iterator[str]:
    """The slug of an instance with some tools of a running MCP server and of one that is down."""
    slug = f"mcp-{provider}"
    base_url = manage(server, "instances", "show", f"with-{provider}", "--json")
    url = json.loads(base_url)["baseUrl"]
    manage(server, "instances", "create", slug, "--provider", provider, "--model", "m", "--base-url", url)
    manage(server, "secrets", "set", slug, f"{provider}_api_key", given="upstream-key-0123456789")
    header = ("--header", "Authorization=crm_token")
    manage(server, "mcp", "set", slug, "crm", mcp.at("full"), "--tools", "add,fail,headers", *header)
    manage(server, "mcp", "set", slug, "down", "http://127.0.0.1:9/mcp", "--tools", "*")
    manage(server, "secrets", "set", slug, "crm_token", given="Bearer token-0123456789")
    yield slug
    manage(server, "instances", "delete", slug, "--yes")


def test_tools_of_an_mcp_server_work_through_an_instance(
    server: Server, upstream: UpstreamThread, play: Callable[..., None], with_mcp: str
) -> None:
    play(calls(("crm__add", {"a": 40, "b": 2}), ("crm__fail", {}), ("crm__headers", {})), says("It is 42."))
    answer = ask(server, with_mcp, stream=False)
    assert answer.json()["choices"][0]["message"]["content"] == "It is 42."
    first, second = upstream.upstream.posts
    assert {"crm__add", "crm__fail", "crm__headers"} == {
        tool.get("name") or tool["function"]["name"] for tool in first.json()["tools"]
    }
    total, failure, headers = results_in(second)
    assert total == "42"
    assert "No such order: ask for its number." in failure
    assert json.loads(headers)["authorization"] == "[Authorization]"
    warning = server.stderr.wait_for(rf"MCP server not used slug={with_mcp} server=down [^\n]*")[0]
    assert "can't be reached" in warning
    assert "token-0123456789" not in server.stderr.text + server.stdout.text + answer.text


def test_mcp_server_at_another_address_than_its_secrets_receives_nothing(
    server: Server, upstream: UpstreamThread, play: Callable[..., None], with_mcp: str, elsewhere: UpstreamThread
) -> None:
    seen = len(elsewhere.upstream.requests)
    header = ("--header", "Authorization=crm_token")
    manage(server, "mcp", "set", with_mcp, "crm", elsewhere.upstream.url, "--tools", "*", *header)
    play(says("I have no tools."))
    while True:  # until the server has seen the change, within a second
        answer = ask(server, with_mcp, stream=False)
        if "another address" in server.stderr.text:
            break
        play(says("I have no tools."))
    assert answer.json()["choices"][0]["message"]["content"] == "I have no tools."
    assert "tools" not in upstream.upstream.posts[-1].json()
    assert len(elsewhere.upstream.requests) == seen


def test_model_reads_a_skill(
    server: Server, upstream: UpstreamThread, play: Callable[..., None], provider: str
) -> None:
    """The instructions go to the provider only when it asks for them."""
    slug = f"with-{provider}"

    def last_request() -> bytes:
        play(says("Hello!"))
        ask(server, slug, stream=False)
        return upstream.upstream.posts[-1].body

    manage(server, "skills", "set", slug, "returns", "--description", "How returns work", given="Ask for the number.")
    eventually(lambda: b"- returns: How returns work" in last_request(), True)
    play(calls(("read_skill", {"name": "returns"})), says("Which number?"))
    answer = ask(server, slug, stream=False)
    assert answer.json()["choices"][0]["message"]["content"] == "Which number?"
    first, second = upstream.upstream.posts[-2:]
    assert b"- returns: How returns work" in first.body
    assert b"Ask for the number." not in first.body
    assert results_in(second) == ["Ask for the number."]
    manage(server, "skills", "delete", slug, "returns")
    eventually(lambda: b"read_skill" in last_request(), False)
