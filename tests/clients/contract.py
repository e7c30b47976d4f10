"""The contract between the server and every client; a subclass per client states the client's properties."""

import os
from http import HTTPStatus
from typing import ClassVar

import pytest

from clients.page import PAGE, row, section, without_version
from clients.registry import WRITES_PAGE
from clients.runner import Run
from clients.scenarios import (
    AFTER_TOOL,
    CONVERSATION,
    FAILURES,
    GREETING,
    PARTIAL_TEXT,
    PARTS,
    STREAM_FAILURES,
    WIDE_TEXT,
)


def errors_of(*, status: str, stream: str, **others: str) -> dict[str, str]:
    """Returns a client's error class for each failure.

    Args:
        status: The class for failures with an HTTP status.
        stream: The class for failures in mid-stream.
        others: The classes of failures that deviate, by the failure's name.
    """
    return {name: stream if code is None else status for name, (code, _) in FAILURES.items()} | others


OPENAI_ERRORS = errors_of(
    wrong_key="AuthenticationError",
    unknown_model="AuthenticationError",
    bad_body="BadRequestError",
    too_many="RateLimitError",
    status="InternalServerError",
    stream="APIError",
)
LANGCHAIN_ERRORS = errors_of(
    wrong_key="OpenAIAuthenticationError",
    unknown_model="OpenAIAuthenticationError",
    bad_body="OpenAIInvalidRequestError",
    too_many="OpenAIRateLimitError",
    status="OpenAIAPIError",
    stream="APIError",
)
USAGE = [GREETING.usage.prompt_tokens, GREETING.usage.completion_tokens]


@pytest.mark.timeout(900)  # installing a client's dependencies may take a while
class AnswerContract:
    """The contract of every client, and the whole contract of one that doesn't stream.

    Subclasses set `client`, `verbs` and `errors`.
    """

    client: ClassVar[str]
    verbs: ClassVar[tuple[str, ...]]
    """The verbs with which the client requests a response or a stream."""
    errors: ClassVar[dict[str, str]]
    """The client's error class for each failure."""
    sends_parts = True
    """Whether the client can send a message in parts."""
    always_sends_parts = False
    """Whether the client sends every message in parts, so that an error names a part."""
    joins_messages = False
    """Whether the client joins two user messages in a row."""
    adds_messages = False
    """Whether the client adds messages of its own to the conversation."""
    understands_openais_errors = True
    """Whether the client reads the message of an error in OpenAI's format."""
    has_usage = True
    """Whether the client exposes the usage of a whole response."""
    shows_reason_only = False
    """Whether the client hides the message of an error response and shows only the reason phrase."""

    def verbs_for(self, verb: str) -> list[str]:
        found = sorted(name for name in self.verbs if name.split("_")[0] == verb)
        assert found
        return found

    def test_all_verbs_of_the_client_are_tested(self, run: Run) -> None:
        assert {verb for verb in run.verbs if verb.startswith(("answer", "stream"))} == set(self.verbs)

    def test_example_works_as_printed(self, run: Run) -> None:
        assert "Hello!" in "".join(run.results["snippet", "snippet"].answer["text"])

    def test_whole_response(self, run: Run) -> None:
        for verb in self.verbs_for("answer"):
            answer = run.results["answer", verb].answer
            assert answer["text"] == "".join(GREETING.text)
            assert answer.get("role", "assistant") == "assistant"
            assert answer.get("finish", "stop") == "stop"
            assert answer["usage"] == (USAGE if self.has_usage else None)

    def test_history_of_100_messages_reaches_the_provider(self, run: Run) -> None:
        assert run.results["history", "answer"].answer["text"]
        (request,) = run.requests["history", "answer"]
        system, *conversation = request.json()["messages"]
        assert system["role"] == "system"
        expected = [dict(message) for message in CONVERSATION]
        if self.adds_messages:
            begin = conversation.index(expected[0])
            conversation = conversation[begin : begin + len(expected) + 1]
        if self.joins_messages:
            *expected, joined = expected
            assert conversation[-1]["content"].startswith(joined["content"])
        assert conversation[:-1] == expected
        assert len(conversation) == len(expected) + 1

    def test_text_in_parts_reaches_the_provider_complete(self, run: Run) -> None:
        if not self.sends_parts:
            assert ("parts", "answer") not in run.results or run.results["parts", "answer"].failure is not None
            return
        assert run.results["parts", "answer"].answer["text"]
        (request,) = run.requests["parts", "answer"]
        assert request.json()["messages"][-1]["content"].startswith("".join(PARTS))

    @pytest.mark.parametrize("failure", [name for name in FAILURES if name not in STREAM_FAILURES])
    def test_failure_raises_the_clients_own_error_with_the_message(self, run: Run, failure: str) -> None:
        self.assert_failed(run, failure)

    def assert_failed(self, run: Run, failure: str) -> None:
        status, message = FAILURES[failure]
        error = run.failure(failure).error
        assert error["type"] == self.errors[failure]
        if status is not None and self.shows_reason_only:
            assert error["status"] in {None, status}
            assert error["detail"] is None
            assert HTTPStatus(status).phrase in error["text"]
        else:
            assert status in {None, error["status"]} or error["status"] is None
            expected = message.partition(" - at ")[0] if self.adds_messages else message
            if self.always_sends_parts:
                expected = expected.replace("[0].content`", "[0].content[0].text`")
            assert expected in (error["detail"] or error["text"])

    def test_openais_format_of_errors_shows_the_message(self, run: Run) -> None:
        shows = "Unknown model" in run.results["in_openais_format", "answer"].error["text"]
        assert shows is self.understands_openais_errors

    def test_failure_looks_the_same_with_every_verb(self, run: Run) -> None:
        self.assert_same_errors(run, "provider_fails", "answer")

    def assert_same_errors(self, run: Run, scenario: str, verb: str) -> None:
        errors = [run.results[scenario, name].error for name in self.verbs_for(verb)]
        assert {error["type"] for error in errors} == {errors[0]["type"]}
        assert {error["text"] for error in errors} == {errors[0]["text"]}

    @pytest.mark.skipif(WRITES_PAGE in os.environ, reason="the page is about to be written")
    def test_page_matches_the_results(self, run: Run) -> None:
        page = PAGE.read_text()
        rows = [without_version(run.client, line) for line in page.splitlines()]
        assert without_version(run.client, row(run)) in rows
        assert section(run) in page


class ClientContract(AnswerContract):
    """The contract of a client that streams."""

    streams_usage = True
    """Whether the client exposes the usage of a stream."""

    def test_stream_delivers_each_delta_immediately(self, run: Run) -> None:
        """The provider sends a delta only after the client has reported the previous one."""
        for verb in self.verbs_for("stream"):
            seen = run.results["stream", verb]
            assert seen.pieces == list(GREETING.text)
            assert seen.answer.get("role", "assistant") == "assistant"
            assert seen.answer.get("finish", "stop") == "stop"

    def test_stream_contains_usage_if_requested(self, run: Run) -> None:
        usages = [run.results["usage", verb].answer.get("usage") for verb in self.verbs_for("stream")]
        assert (USAGE in usages) is self.streams_usage
        assert {str(usage) for usage in usages} <= {str(USAGE), "None"}  # not every verb of a client exposes usage

    def test_stream_survives_20_heartbeats_while_a_tool_runs(self, run: Run) -> None:
        seen = run.results["tool", "stream"]
        assert seen.pieces == list(AFTER_TOOL.text)
        assert seen.answer.get("finish", "stop") == "stop"
        assert len(run.requests["tool", "stream"]) == 2

    def test_text_of_one_to_four_bytes_per_character_arrives_unchanged(self, run: Run) -> None:
        for verb in self.verbs_for("stream"):
            assert run.results["unicode", verb].pieces == list(WIDE_TEXT.text)

    def test_disconnect_in_mid_stream_ends_the_call_to_the_provider(self, run: Run) -> None:
        for verb in self.verbs_for("stream"):
            assert run.results["cancelled", verb].pieces == [PARTIAL_TEXT[0]]
            assert run.closed["cancelled", verb] or run.client.closes_at_exit

    @pytest.mark.parametrize("failure", STREAM_FAILURES)
    def test_failure_in_mid_stream_raises_the_message_after_the_text_so_far(self, run: Run, failure: str) -> None:
        self.assert_failed(run, failure)
        assert run.failure(failure).pieces == list(PARTIAL_TEXT)

    @pytest.mark.parametrize("scenario", ["fails_at_once", "breaks_off"])
    def test_failure_of_a_stream_looks_the_same_with_every_verb(self, run: Run, scenario: str) -> None:
        self.assert_same_errors(run, scenario, "stream")


class ModelsContract:
    """The contract of clients that list models."""

    def test_models_are_listed(self, run: Run) -> None:
        assert run.results["models", "models"].answer["models"] == ["demo-bot", "relay", "handy", "keyless"]


class OwnToolsContract:
    """The contract of agent frameworks with tools of their own, which the server ignores."""

    def test_own_tools_are_never_called_and_the_text_is_the_answer(self, run: Run) -> None:
        assert run.results["own_tools", "tools"].answer["text"] == "".join(GREETING.text)
        assert run.results["own_tools", "tools"].answer["calls"] == 0
        (request,) = run.requests["own_tools", "tools"]
        assert "tools" not in request.json()


class PersistenceContract:
    """The contract of clients that stop retrying before a test would time out."""

    calls = 1
    """The number of requests that the client sends, with its default settings, if the response is 502."""

    def test_number_of_requests_when_the_provider_fails(self, run: Run) -> None:
        assert len(run.requests["repeats", "answer"]) == self.calls


class ExplainedContract:
    """The contract of clients that accept a custom `fetch`."""

    def test_explaining_fetch_shows_the_message(self, run: Run) -> None:
        assert "Unknown model" in run.results["explained", "explained"].error["text"]


class OfficialContract(ModelsContract, PersistenceContract):
    """The contract of OpenAI's own clients."""

    timeout: ClassVar[str]
    """The client's error class for a timeout."""

    def test_model_is_retrieved(self, run: Run) -> None:
        assert run.results["one_model", "retrieve"].answer["models"] == ["relay"]

    def test_raw_response_has_the_request_id(self, run: Run) -> None:
        assert run.results["answer", "answer_raw"].answer["request_id"].startswith("req_")

    def test_timeout_of_the_client_raises_and_ends_the_call_to_the_provider(self, run: Run) -> None:
        assert run.results["impatient", "impatient"].error["type"] == self.timeout
        assert run.closed["impatient", "impatient"]

    def test_rate_limited_call_is_retried_after_the_retry_after_seconds(self, run: Run) -> None:
        assert "Hello!" in run.results["waits", "patient"].answer["text"]
        assert run.rejections >= 1
