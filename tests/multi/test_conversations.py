"""A conversation through the official client, on two workers of which one is killed."""

import os
import signal
from pathlib import Path

import msgspec
import openai
import pytest

from support.process import SECRETS, Server, run_polyant, serving

KEY = "sk-0123456789abcdef"
TURNS = 30
LEASE_SECONDS = "2"


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

    def say(self, number: int) -> None:
        for _ in range(60):
            try:
                self.answers.append(self._ask(f"Message {number}"))
            except openai.APIError:
                continue  # the worker died, or its lease hasn't expired yet
            return
        raise AssertionError(f"message {number} wasn't answered")

    def _ask(self, text: str) -> str:
        with self._client.chat.completions.create(
            model="kept",
            messages=[{"role": "user", "content": text}],
            stream=True,
            extra_body={"chat_id": "chat-1"},
        ) as stream:
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_conversation_of_thirty_turns_survives_a_killed_worker(tmp_path: Path, variables: dict[str, str]) -> None:
    with serving(tmp_path, "--workers", "2", **variables) as server:
        keeping(tmp_path, variables)
        client = Client(server)
        for number in range(TURNS):
            if number == TURNS // 2:
                os.kill(min(server.workers()), signal.SIGKILL)
            client.say(number)
    found = run_polyant(tmp_path, "conversations", "list", "kept", "--json", **variables)
    assert '"total": 1' in found.stdout
    (conversation,) = msgspec.json.decode(found.stdout)["conversations"]
    exported = run_polyant(tmp_path, "conversations", "export", "kept", conversation["id"], **variables)
    transcript = msgspec.json.decode(exported.stdout)["transcript"]
    answered = [message["text"] for message in transcript if message["answered"]]
    expected = [text for number in range(TURNS) for text in (f"Message {number}", client.answers[number])]
    assert answered == expected
