"""A conversation through the official client, on two workers that are killed."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import msgspec
import openai
import pytest

from support.process import SECRETS, Server, run_polyant, serving

KEY = "sk-0123456789abcdef"
TURNS = 30
LEASE_SECONDS = "2"
KILLED_IDLE, KILLED_RUNNING = 10, 20
"""The turns before which an idle worker is killed, and during which both workers are."""
SCRIPT = [
    {"when": f"Message {KILLED_RUNNING}$", "steps": [[{"text": "Half"}, {"pause": 1}, {"text": " and whole"}]]},
    {"steps": [[{"text": "You said: "}, {"text": "{{user}}"}]]},
]


@pytest.fixture
def variables(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, **SECRETS, "RATE_LIMIT": "off", "LEASE_SECONDS": LEASE_SECONDS}


def keeping(folder: Path, variables: dict[str, str]) -> None:
    """Creates an instance that keeps conversations."""
    for arguments, given in (
        (("instances", "create", "kept"), None),
        (("secrets", "set", "kept", "auth_api_key"), KEY),
        (("instances", "update", "kept", "--auth", "--conversations"), None),
    ):
        done = run_polyant(folder, *arguments, given=given, **variables)
        assert done.returncode == 0, done.stderr


class Client:
    """A client of one conversation that sends one message a turn, and repeats failed requests."""

    def __init__(self, server: Server) -> None:
        self._client = openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0, timeout=60)
        self.answers: list[str] = []
        self.failures = 0

    def say(self, number: int, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Sends a message until it is answered; calls `meanwhile` once the first answer to it has begun."""
        for attempt in range(60):
            try:
                self.answers.append(self._ask(f"Message {number}", (lambda: None) if attempt else meanwhile))
            except (openai.APIError, httpx.TransportError):
                self.failures += 1  # the worker died, or its lease hasn't expired yet
                continue
            return
        raise AssertionError(f"message {number} wasn't answered")

    def _ask(self, text: str, meanwhile: Callable[[], None]) -> str:
        answer = ""
        with self._client.chat.completions.create(
            model="kept",
            messages=[{"role": "user", "content": text}],
            stream=True,
            extra_body={"chat_id": "chat-1"},
        ) as stream:
            for chunk in stream:
                part = (chunk.choices[0].delta.content if chunk.choices else None) or ""
                if part and not answer:
                    meanwhile()
                answer += part
        return answer


def kill_workers(server: Server) -> None:
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)


def test_conversation_of_thirty_turns_survives_killed_workers(tmp_path: Path, variables: dict[str, str]) -> None:
    script = tmp_path / "script.json"
    script.write_text(msgspec.json.encode(SCRIPT).decode())
    with serving(tmp_path, "--workers", "2", SCRIPTED_TURNS=str(script), **variables) as server:
        keeping(tmp_path, variables)
        client = Client(server)
        for number in range(TURNS):
            if number == KILLED_IDLE:
                os.kill(min(server.workers()), signal.SIGKILL)
            client.say(number, meanwhile=partial(kill_workers, server) if number == KILLED_RUNNING else lambda: None)
    assert client.failures, "the turn broke off"
    found = run_polyant(tmp_path, "conversations", "list", "kept", "--json", **variables)
    assert '"total": 1' in found.stdout
    (conversation,) = msgspec.json.decode(found.stdout)["conversations"]
    exported = run_polyant(tmp_path, "conversations", "export", "kept", conversation["id"], **variables)
    transcript = msgspec.json.decode(exported.stdout)["transcript"]
    answered = [message["text"] for message in transcript if message["answered"]]
    expected = [text for number in range(TURNS) for text in (f"Message {number}", client.answers[number])]
    assert answered == expected
