import pytest

from support.refusals import refusals_of

REQUEST = {"test_request_is_that_of_the_turn_and_its_instance"}
REFUSALS = {
    "TestStepsUnlimited": {"test_steps_are_limited_and_last_one_has_no_tools"},
    "TestToolCallsUnlimited": {"test_tool_calls_are_limited"},
    "TestPausesNotContinued": {"test_paused_response_is_continued"},
    "TestToolTimeUnlimited": {"test_tool_that_takes_too_long_is_cancelled"},
    "TestEveryInstalledToolOffered": {
        "test_only_enabled_and_ready_tools_are_offered",
        "test_tool_that_is_not_offered_is_not_run",
    },
    "TestSystemPromptDropped": {"test_system_prompt_has_sections_in_order"},
    "TestInstructionsOfCallerDropped": {"test_system_prompt_ends_with_instructions_of_the_caller"},
    "TestParametersDropped": REQUEST,
    "TestHistoryDropped": REQUEST,
    "TestOptionsDropped": REQUEST,
    "TestMcpServersNotOpened": {
        "test_mcp_servers_are_open_during_the_turn",
        "test_only_enabled_and_ready_tools_are_offered",
        "test_tool_of_mcp_server_is_called",
    },
    "TestMcpServersNotClosed": {
        "test_mcp_servers_are_closed_after_the_turn",
        "test_mcp_servers_are_open_during_the_turn",
    },
    "TestSecretsNotRedacted": {"test_model_sees_name_of_secret_in_result", "test_model_sees_no_secret_in_results"},
    "TestEverySecretForEachTool": {
        "test_model_sees_name_of_secret_in_result",
        "test_tool_receives_only_its_secrets",
    },
}


@pytest.mark.parametrize("wrong", REFUSALS)
def test_kit_refuses_wrong_supervisor(wrong: str) -> None:
    assert refusals_of("supervisors")[wrong] == REFUSALS[wrong]


def test_every_wrong_supervisor_is_listed() -> None:
    assert refusals_of("supervisors").keys() == REFUSALS.keys()
