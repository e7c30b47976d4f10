"""LiteLLM's proxy in front of the server, and the official client in front of the proxy."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import openai
from openai import OpenAI

from clients.driving import Call, counts, drive

SNIPPET = Path(__file__).with_name("snippet.yaml")
ANY_SERVER = """
  - model_name: "*"
    litellm_params:
      model: openai/*
general_settings:
  allow_client_side_credentials: true
router_settings:
  num_retries: 0
"""
KEY = f"sk-{secrets.token_hex(16)}"
START_SECONDS = 200


@contextmanager
def proxy() -> Iterator[str]:
    """Runs a proxy with the example's configuration, which also accepts a server per call; yields its base URL.

    The proxy doesn't retry, so that its handling of a failure shows immediately.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(SNIPPET.read_text().replace("http://localhost:4000", os.environ["POLYANT_URL"]) + ANY_SERVER)
        litellm = Path(sys.executable).with_name("litellm")
        process = subprocess.Popen(
            [litellm, "--config", config, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "LITELLM_MASTER_KEY": KEY},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/liveliness", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    patience_ends = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - the proxy's own URL
        except urllib.error.URLError:
            if time.monotonic() > patience_ends or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return


class Proxied:
    """Calls through a proxy; each call names the server and the key that the proxy must use."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def answer(self, call: Call) -> dict[str, Any]:
        with self._client(call) as client:
            answer = client.chat.completions.create(**self._arguments(call))
        choice = answer.choices[0]
        return {
            "text": choice.message.content,
            "role": choice.message.role,
            "finish": choice.finish_reason,
            "usage": counts(answer.usage),
        }

    def stream(self, call: Call) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        with (
            self._client(call) as client,
            client.chat.completions.create(**self._arguments(call), **call.stream_options, stream=True) as chunks,
        ):
            for chunk in chunks:
                if chunk.usage is not None:
                    seen["usage"] = counts(chunk.usage)
                for choice in chunk.choices:
                    seen.setdefault("role", choice.delta.role)
                    seen["finish"] = choice.finish_reason or seen.get("finish")
                    if call.report(choice.delta.content):
                        return seen
        return seen

    def snippet(self, call: Call) -> dict[str, str]:
        """Calls the model of the example's configuration."""
        with self._client(call) as client:
            answer = client.chat.completions.create(model="demo-bot", messages=[{"role": "user", "content": "Hello!"}])
        return {"text": answer.choices[0].message.content or ""}

    def _client(self, call: Call) -> OpenAI:
        return OpenAI(base_url=self._base_url, api_key=KEY, **call.patience)

    def _arguments(self, call: Call) -> dict[str, Any]:
        server = {"api_base": call.base_url, "api_key": call.key}
        return {"model": call.model, "messages": call.messages, "extra_body": server}


def message_of(error: openai.APIStatusError) -> object:
    return error.response.json()["error"]["message"]


if __name__ == "__main__":
    with proxy() as url:
        proxied = Proxied(url)
        verbs = {"answer": proxied.answer, "stream": proxied.stream, "snippet": proxied.snippet}
        drive(version("litellm"), verbs, message_of=message_of)
