"""The examples of the specification, as printed except for the port."""

import json
import subprocess

import httpx
import pytest

from support.process import Server, environment, eventually, run_polyant

CURL = """\
curl http://localhost:4000/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer sk-myinstancekey" \\
  -d '{
    "model": "demo-bot",
    "messages": [{"role": "user", "content": "Summarize Polyant in one sentence."}]
  }'
"""

CURL_STREAMING = """\
curl -N http://localhost:4000/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer sk-myinstancekey" \\
  -d '{
    "model": "demo-bot",
    "stream": true,
    "messages": [{"role": "user", "content": "Tell me a story about an AI assistant."}]
  }'
"""

PYTHON = """\
from openai import OpenAI

client = OpenAI(
    base_url="http://localhost:4000/v1",
    api_key="sk-myinstancekey",
)

resp = client.chat.completions.create(
    model="demo-bot",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(resp.choices[0].message.content)
"""


@pytest.fixture(scope="module", autouse=True)
def key_of_the_examples(engine: Server) -> None:
    stored = run_polyant(engine.folder, "secrets", "set", "demo-bot", "auth_api_key", given="sk-myinstancekey\n")
    closed = run_polyant(engine.folder, "instances", "update", "demo-bot", "--auth")
    assert (stored.returncode, closed.returncode) == (0, 0), stored.stderr + closed.stderr
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    eventually(lambda: httpx.post(f"{engine.base_url}/chat/completions", json=body).status_code, 401)


def test_curl(engine: Server) -> None:
    answer = json.loads(_shell(CURL, engine))
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "demo-bot"
    assert "Summarize Polyant in one sentence." in answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_curl_with_a_wrong_key_is_rejected(engine: Server) -> None:
    answer = json.loads(_shell(CURL.replace("sk-myinstancekey", "sk-yourinstancekey"), engine))
    assert answer == {"statusCode": 401, "message": "Invalid API key", "error": "Unauthorized"}


def test_curl_streaming(engine: Server) -> None:
    events = _shell(CURL_STREAMING, engine).removesuffix("\n\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert "Tell me a story about an AI assistant." in text


def test_python(engine: Server, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(_moved(PYTHON, engine), names)  # noqa: S102 - the example is the test
    names["client"].close()  # type: ignore[attr-defined]
    assert "You said: Hello!" in capsys.readouterr().out


def _moved(example: str, engine: Server) -> str:
    assert example.count("http://localhost:4000") == 1
    return example.replace("http://localhost:4000", engine.url)


def _shell(line: str, engine: Server) -> str:
    done = subprocess.run(  # noqa: S602 - as a user would
        _moved(line, engine), shell=True, capture_output=True, text=True, check=True, env=environment(engine.folder)
    )
    return done.stdout
