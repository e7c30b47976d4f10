"""Pydantic AI's Agent."""

from importlib.metadata import version
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from clients.driving import Call, drive


def _agent(call: Call) -> Agent:
    client = AsyncOpenAI(base_url=call.base_url, api_key=call.key, **call.patience)
    return Agent(OpenAIChatModel(call.model, provider=OpenAIProvider(openai_client=client)))


def _history(call: Call) -> list[ModelMessage]:
    return [
        ModelRequest([UserPromptPart(message["content"])])
        if message["role"] == "user"
        else ModelResponse([TextPart(message["content"])])
        for message in call.messages[:-1]
    ]


def _prompt(call: Call) -> Any:
    content = call.messages[-1]["content"]
    return content if isinstance(content, str) else [part["text"] for part in content]


def _seen(run: Any, text: str | None = None) -> dict[str, Any]:
    last = run.all_messages()[-1]
    return {"text": text, "finish": last.finish_reason, "usage": [run.usage.input_tokens, run.usage.output_tokens]}


async def answer(call: Call) -> dict[str, Any]:
    run = await _agent(call).run(_prompt(call), message_history=_history(call))
    return _seen(run, run.output)


def answer_sync(call: Call) -> dict[str, Any]:
    run = _agent(call).run_sync(_prompt(call), message_history=_history(call))
    return _seen(run, run.output)


async def stream(call: Call) -> dict[str, Any]:
    async with _agent(call).run_stream(_prompt(call), message_history=_history(call)) as run:
        async for piece in run.stream_text(delta=True, debounce_by=None):
            if call.report(piece):
                return {}
        return _seen(run)


def message_of(error: Any) -> object:
    return error.__cause__.response.json()["message"]


if __name__ == "__main__":
    drive(
        version("pydantic-ai-slim"),
        {verb.__name__: verb for verb in (answer, answer_sync, stream)},
        message_of=message_of,
    )
