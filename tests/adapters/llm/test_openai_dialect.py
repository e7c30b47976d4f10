import pytest

from polyant.adapters.llm.openai_dialect import dialect_of

AZURE = "https://ants.openai.azure.com/openai/v1"
ELSEWHERE = "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-5", "gpt-5.4-mini", "ptu-gpt-5.4-mini", "prod-gpt5", "gpt54", "GPT_5", "gpt-5-2025-08-07", "gpt-10"),
        *("openai/gpt-5", "my-chat-gpt-5", "gpt-5-chatbot", "gpt-6.1-terra", "o3", "prod-o4-mini", "o4mini", "my_o1"),
    ],
)
def test_reasoning_model_is_found_anywhere_in_a_deployment_name(model: str) -> None:
    assert dialect_of(AZURE, model).is_reasoning_model


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-35-turbo", "gpt-3.5-turbo-0125", "gpt-4o", "prod-gpt4o", "gpt-4-32k", "gpt-4-0613", "gpt41-mini"),
        *("gpt-5-chat", "gpt-5.1-chat-latest", "gpt-oss-120b", "prod", "gpt-4-turbo-2024-04-09", "gpt-512"),
    ],
)
def test_other_models_accept_sampling_parameters(model: str) -> None:
    assert not dialect_of(AZURE, model).is_reasoning_model


@pytest.mark.parametrize(("model", "excludes"), [("gpt-5", False), ("ptu-gpt-5.4-mini", True), ("gpt-5-1", True)])
def test_reasoning_is_turned_off_for_tools_where_the_model_requires_it(*, model: str, excludes: bool) -> None:
    assert dialect_of(AZURE, model).tools_exclude_reasoning is excludes
    assert not dialect_of(ELSEWHERE, model).tools_exclude_reasoning


def test_o_series_is_found_anywhere_only_on_openai_s_servers() -> None:
    assert not dialect_of(ELSEWHERE, "marco-o1").is_reasoning_model
    assert dialect_of(ELSEWHERE, "openai/o3-mini").is_reasoning_model


def test_address_of_a_single_azure_deployment_is_recognised() -> None:
    assert dialect_of("https://ants.openai.azure.com/openai/deployments/a", "a").is_azure_deployment
    assert not dialect_of(AZURE, "a").is_azure_deployment
    assert not dialect_of("http://127.0.0.1/deployments/a", "a").is_azure_deployment
