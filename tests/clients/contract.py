"""What every client has to get from the server; each has a subclass that says how it is with this one."""

import os
from http import HTTPStatus
from typing import ClassVar

import pytest

from clients.page import PAGE, row, section, without_version
from clients.performance import Run
from clients.registry import WRITES_PAGE
from clients.scenarios import AFTER_TOOL, CONVERSATION, FAILURES, GREETING, HALF, PARTS, WIDTHS


def errors_of(*, status: str, stream: str, **others: str) -> dict[str, str]:
    """Returns the class of a client's error for each failure: by its status, in mid-stream, and where it is another."""
    return {name: stream if code is None else status for name, (code, _) in FAILURES.items()} | others


OPENAI_ERRORS = errors_of(
    wrong_key="AuthenticationError",
    unknown_model="AuthenticationError",
    bad_body="BadRequestError",
    too_many="RateLimitError",
    status="InternalServerError",
    stream="APIError",
)
USAGE = [GREETING.usage.prompt_tokens, GREETING.usage.completion_tokens]


@pytest.mark.timeout(900)  # installing what a client needs may take a while
class ClientContract:
    """Put `client`, `verbs` and `errors` into a subclass."""

    client: ClassVar[str]
    verbs: ClassVar[tuple[str, ...]]
    """The ways to ask it for an answer or a stream."""
    errors: ClassVar[dict[str, str]]
    """The class of its error for each of the nine failures."""
    shows_reason_only = False
    """Whether a developer can't see the message of an error by the client's own means."""

    def ways(self, verb: str) -> list[str]:
        found = sorted(way for way in self.verbs if way.split("_")[0] == verb)
        assert found
        return found

    def test_all_its_ways_are_tried(self, run: Run) -> None:
        assert {verb for verb in run.verbs if verb.startswith(("answer", "stream"))} == set(self.verbs)

    def test_example_works_as_printed(self, run: Run) -> None:
        assert "Hello!" in "".join(run.seen["snippet", "snippet"].answer["text"])

    def test_whole_answer(self, run: Run) -> None:
        for way in self.ways("answer"):
            answer = run.seen["answer", way].answer
            assert answer["text"] == "".join(GREETING.text)
            assert answer.get("role", "assistant") == "assistant"
            assert answer.get("finish", "stop") == "stop"
            assert answer["usage"] == USAGE

    def test_streamed_answer_comes_piece_by_piece_each_as_soon_as_it_is_there(self, run: Run) -> None:
        """The provider sends a piece only after the client has reported the one before it."""
        for way in self.ways("stream"):
            seen = run.seen["stream", way]
            assert seen.pieces == list(GREETING.text)
            assert seen.answer.get("role", "assistant") == "assistant"
            assert seen.answer.get("finish", "stop") == "stop"

    def test_stream_tells_the_usage_when_asked(self, run: Run) -> None:
        told = [run.seen["usage", way].answer.get("usage") for way in self.ways("stream")]
        assert USAGE in told
        assert {str(usage) for usage in told} <= {str(USAGE), "None"}  # one way of a client may have no place for it

    def test_turn_in_which_only_tools_run_for_20_heartbeats(self, run: Run) -> None:
        seen = run.seen["tool", "stream"]
        assert seen.pieces == list(AFTER_TOOL.text)
        assert seen.answer.get("finish", "stop") == "stop"
        assert len(run.heard["tool", "stream"]) == 2

    def test_text_of_every_width_arrives_as_it_was_sent(self, run: Run) -> None:
        for way in self.ways("stream"):
            assert run.seen["unicode", way].pieces == list(WIDTHS.text)

    def test_history_of_100_messages_reaches_the_provider(self, run: Run) -> None:
        assert run.seen["history", "answer"].answer["text"]
        (request,) = run.heard["history", "answer"]
        system, *conversation = request.json()["messages"]
        assert system["role"] == "system"
        assert len(conversation) == 100
        assert conversation[:-1] == [dict(message) for message in CONVERSATION]

    def test_text_in_parts_reaches_the_provider_whole(self, run: Run) -> None:
        assert run.seen["parts", "answer"].answer["text"]
        (request,) = run.heard["parts", "answer"]
        assert request.json()["messages"][-1]["content"].startswith("".join(PARTS))

    def test_provider_is_closed_when_the_client_leaves_in_mid_stream(self, run: Run) -> None:
        for way in self.ways("stream"):
            assert run.seen["cancelled", way].pieces == [HALF[0]]
            assert run.closed["cancelled", way]

    @pytest.mark.parametrize("failure", FAILURES)
    def test_failure_raises_an_error_of_the_clients_own_that_says_what_was_wrong(self, run: Run, failure: str) -> None:
        status, message = FAILURES[failure]
        fault = run.failure(failure).fault
        assert fault["type"] == self.errors[failure]
        if status is not None and self.shows_reason_only:
            assert (fault["status"], fault["detail"]) == (status, None)
            assert HTTPStatus(status).phrase in fault["text"]
        else:
            assert status in {None, fault["status"]} or fault["status"] is None
            assert message in (fault["detail"] or fault["text"])

    @pytest.mark.parametrize("failure", ["breaks_off", "shutdown"])
    def test_failure_in_mid_stream_comes_after_what_was_said(self, run: Run, failure: str) -> None:
        assert run.failure(failure).pieces == list(HALF)

    def test_failure_looks_the_same_whichever_way_it_was_asked(self, run: Run) -> None:
        for scenario, verb in (("provider_fails", "answer"), ("fails_at_once", "stream"), ("breaks_off", "stream")):
            faults = [run.seen[scenario, way].fault for way in self.ways(verb)]
            assert {fault["type"] for fault in faults} == {faults[0]["type"]}
            assert {fault["text"] for fault in faults} == {faults[0]["text"]}

    @pytest.mark.skipif(WRITES_PAGE in os.environ, reason="the page is about to be written")
    def test_page_says_what_was_seen(self, run: Run) -> None:
        page = PAGE.read_text()
        rows = [without_version(run.client, line) for line in page.splitlines()]
        assert without_version(run.client, row(run)) in rows
        assert section(run) in page


class ModelsContract:
    """For clients that list models."""

    def test_models_are_listed(self, run: Run) -> None:
        assert run.seen["models", "models"].answer["models"] == ["demo-bot", "relay", "handy", "keyless"]


class PersistenceContract:
    """For clients that give up within a test's patience."""

    calls = 1
    """How often it calls, left to itself, when the server answers 502."""

    def test_calls_that_it_makes_by_itself_when_the_provider_fails(self, run: Run) -> None:
        assert len(run.heard["repeats", "answer"]) == self.calls


class ExplainedContract:
    """For clients that take a `fetch` of one's own."""

    def test_explaining_fetch_makes_the_message_show(self, run: Run) -> None:
        assert "Unknown model" in run.seen["explained", "explained"].fault["text"]


class OfficialContract(ModelsContract, PersistenceContract):
    """For OpenAI's own clients."""

    timeout: ClassVar[str]
    """The class of the error when the server takes too long for the client."""

    def test_model_is_retrieved(self, run: Run) -> None:
        assert run.seen["one_model", "retrieve"].answer["models"] == ["relay"]

    def test_raw_response_has_the_request_id(self, run: Run) -> None:
        assert run.seen["answer", "answer_raw"].answer["request_id"].startswith("req_")

    def test_timeout_of_the_client_raises_and_closes_the_provider(self, run: Run) -> None:
        assert run.seen["impatient", "impatient"].fault["type"] == self.timeout
        assert run.closed["impatient", "impatient"]

    def test_refused_call_is_repeated_after_the_time_that_the_server_gives(self, run: Run) -> None:
        assert "Hello!" in run.seen["waits", "patient"].answer["text"]
        assert run.refusals >= 1
