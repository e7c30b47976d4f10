"""Haystack's OpenAIChatGenerator, in a process and an environment of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.driver import CallResult, Driver
from clients.environments import python_with
from clients.harness import ClientHarness, mark_of
from clients.scenarios import GREETING, PARTIAL_TEXT
from support.openai_replies import openai_partial_stream, openai_responder
from support.patience import PATIENCE
from support.upstream import Responder, Then

HERE = Path(__file__).parent
FOLDER = HERE / "haystack"

pytestmark = pytest.mark.timeout(900)


class Haystack:
    """The client's driver."""

    def __init__(self, driver: Driver, harness: ClientHarness) -> None:
        self._driver = driver
        self._harness = harness

    def call(self, verb: str, *, model: str = "relay", reply: Responder | None = None, **others: Any) -> CallResult:
        """Returns the result of a call; the provider responds with `reply`, by default with a greeting."""
        name = f"haystack/{verb}/{model}"
        self._harness.provider.expect(name, reply or openai_responder(GREETING))
        server = self._harness.servers["main"]
        arguments = {
            "base_url": server.base_url,
            "key": self._harness.key,
            "model": model,
            "messages": [{"role": "user", "content": f"Hello! {mark_of(name)}"}],
            "retries": 0,
            "code": (FOLDER / "snippet.py").read_text().replace("http://localhost:4000", server.url),
        }
        return self._driver.call(verb, {**arguments, **others}, seconds=PATIENCE)


@pytest.fixture(scope="module")
def haystack(harness: ClientHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haystack]:
    command = [python_with(HERE / "environments" / "haystack.txt"), str(FOLDER / "driver.py")]
    with Driver(command, tmp_path_factory.mktemp("haystack"), {"HAYSTACK_TELEMETRY_ENABLED": "False"}) as driver:
        yield Haystack(driver, harness)


def test_example_works_as_printed(haystack: Haystack) -> None:
    assert "Hello!" in haystack.call("snippet").answer["text"]


def test_whole_response_has_text_and_usage(haystack: Haystack) -> None:
    usage = [GREETING.usage.prompt_tokens, GREETING.usage.completion_tokens]
    assert haystack.call("answer").answer == {"text": "".join(GREETING.text), "usage": usage}


def test_stream_has_the_deltas_and_their_text(haystack: Haystack) -> None:
    seen = haystack.call("stream")
    assert (seen.pieces, seen.answer["text"]) == (list(GREETING.text), "".join(GREETING.text))


def test_failures_are_raised_with_their_message(haystack: Haystack) -> None:
    unknown = haystack.call("answer", model="nobody").error
    assert (unknown["type"], unknown["detail"]) == ("AuthenticationError", "Unknown model")
    broken = haystack.call("stream", reply=lambda _: openai_partial_stream(*PARTIAL_TEXT, then=Then.CUT))
    assert broken.pieces == list(PARTIAL_TEXT)
    assert "The model provider failed to answer" in broken.error["text"]
