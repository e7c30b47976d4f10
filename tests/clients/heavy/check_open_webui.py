"""Open WebUI through its own HTTP API, as its browser application uses it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.environments import python_with
from clients.harness import ClientHarness, mark_of
from clients.scenarios import GREETING, PARTIAL_TEXT
from support.openai_replies import openai_partial_stream, openai_responder
from support.patience import PATIENCE
from support.process import eventually, starting
from support.upstream import Responder, Then

PINS = Path(__file__).parent / "environments" / "open_webui.txt"
NO_LOCAL_MODELS = {
    "BYPASS_EMBEDDING_AND_RETRIEVAL": "True",
    "ENABLE_OLLAMA_API": "False",
    "OFFLINE_MODE": "True",
    "RAG_EMBEDDING_ENGINE": "openai",
}
NO_TELEMETRY = {
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "true",
    "ENABLE_VERSION_UPDATE_CHECK": "False",
    "SCARF_NO_ANALYTICS": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost,127.0.0.1",
}

pytestmark = pytest.mark.timeout(900)


class OpenWebUI:
    """A user of Open WebUI who is logged in."""

    def __init__(self, client: httpx.Client, harness: ClientHarness) -> None:
        self.client = client
        self._harness = harness

    def verify(self, key: str) -> httpx.Response:
        """Returns the result of the button that verifies a connection."""
        connection = {"url": self._harness.servers["main"].base_url, "key": key}
        return self.client.post("/openai/verify", json=connection)

    def chat(self, reply: Responder, *, model: str = "relay", **fields: Any) -> httpx.Response:
        """Returns the response to a chat message; the provider responds with `reply`."""
        name = "open-webui"
        self._harness.provider.expect(name, reply)
        messages = [{"role": "user", "content": f"Hello! {mark_of(name)}"}]
        return self.client.post("/api/chat/completions", json={"model": model, "messages": messages, **fields})


@pytest.fixture(scope="module")
def open_webui(harness: ClientHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWebUI]:
    python = Path(python_with(PINS))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    folder = tmp_path_factory.mktemp("open-webui")
    settings = {
        "DATA_DIR": str(folder),
        "WEBUI_SECRET_KEY": "a secret of the tests",
        "OPENAI_API_BASE_URL": harness.servers["main"].base_url,
        "OPENAI_API_KEY": harness.key,
    }
    command = [str(python.with_name("open-webui")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (
        starting(folder, command, **settings, **NO_LOCAL_MODELS, **NO_TELEMETRY),
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        eventually(lambda: _is_healthy(client), True)
        account = {"name": "Ada", "email": "ada@example.com", "password": "a password of the tests"}
        token = client.post("/api/v1/auths/signup", json=account).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield OpenWebUI(client, harness)


def _is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_connection_is_verified(open_webui: OpenWebUI, harness: ClientHarness) -> None:
    verified = open_webui.verify(harness.key)
    assert [model["id"] for model in verified.json()["data"]] == ["demo-bot", "relay", "handy", "keyless"]
    assert "Invalid API key" in open_webui.verify("sk-of-somebody-else").text


def test_models_are_listed(open_webui: OpenWebUI) -> None:
    listed = open_webui.client.get("/api/models").json()["data"]
    assert {"demo-bot", "relay"} <= {model["id"] for model in listed}


def test_chat_message_is_answered(open_webui: OpenWebUI) -> None:
    answered = open_webui.chat(openai_responder(GREETING)).json()
    assert answered["choices"][0]["message"]["content"] == "".join(GREETING.text)


def test_chat_message_is_answered_by_a_stream(open_webui: OpenWebUI) -> None:
    response = open_webui.chat(openai_responder(GREETING), stream=True)
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    deltas = [choice["delta"].get("content") for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert [delta for delta in deltas if delta] == list(GREETING.text)


def test_errors_are_shown(open_webui: OpenWebUI) -> None:
    refused = open_webui.chat(openai_responder(GREETING), temperature=9)
    assert (refused.status_code, "at `$.temperature`" in refused.text) == (400, True)
    broken = open_webui.chat(lambda _: openai_partial_stream(*PARTIAL_TEXT, then=Then.CUT), stream=True)
    assert "The model provider failed to answer" in broken.text
