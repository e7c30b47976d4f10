import pytest

from support.refusals import refusals_of

REFUSALS: dict[str, set[str]] = {
    "TestSystemPromptDropped": {
        "test_system_prompt_is_sent",
        "test_system_prompt_with_instructions_of_the_caller_is_sent",
    },
    "TestToolsDropped": {"test_tools_are_sent"},
    "TestToolHistoryDropped": {"test_conversation_is_sent"},
    "TestHistoryDropped": {"test_conversation_is_sent", "test_tool_results_are_accepted"},
    "TestSamplingDropped": {"test_sampling_is_sent"},
    "TestKeyNotSent": {"test_key_and_model_are_sent"},
    "TestDeadlineIgnored": {
        "test_deadline_ends_call_before_its_response",
        "test_deadline_ends_silent_stream",
        "test_deadline_ends_stream_that_goes_on",
    },
    "TestLengthReportedAsStop": {"test_finish_reason_is_reported"},
    "TestRedirectsFollowed": {"test_redirect_is_not_followed"},
    "TestIdsMadeUp": {
        "test_events_are_text_then_tool_calls_then_finish",
        "test_tool_calls_without_text_yield_no_empty_delta",
    },
    "TestSameIds": {"test_events_are_text_then_tool_calls_then_finish"},
    "TestStreamedUsageDropped": {
        "test_events_are_text_then_tool_calls_then_finish",
        "test_finish_reason_is_reported",
        "test_second_retry_can_succeed",
        "test_streamed_text_arrives_in_provider_chunks",
        "test_tokens_read_from_the_prompt_cache_are_reported",
        "test_tool_calls_without_text_yield_no_empty_delta",
    },
    "TestRightWithoutIdsOfTheProvider": set(),
    "TestRightWithoutStreamedUsage": set(),
}


@pytest.mark.parametrize("model", REFUSALS)
def test_kit_refuses_wrong_models_only(model: str) -> None:
    assert refusals_of("chat_models")[model] == REFUSALS[model]


def test_every_model_is_listed() -> None:
    assert refusals_of("chat_models").keys() == REFUSALS.keys()
