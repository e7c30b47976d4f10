"""OpenAI's Agents SDK for Python, with its Chat Completions model."""

from importlib.metadata import version
from typing import Any

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

from clients.driving import Call, drive, message_in_body

set_tracing_disabled(True)


def _agent(call: Call, **options: Any) -> Agent:
    client = AsyncOpenAI(base_url=call.base_url, api_key=call.key, **call.patience)
    model = OpenAIChatCompletionsModel(model=call.model, openai_client=client)
    settings = ModelSettings(include_usage=call.usage or None)
    return Agent(name="Assistant", model=model, model_settings=settings, **options)


def _input(call: Call) -> Any:
    return [{"role": message["role"], "content": _content(message["content"])} for message in call.messages]


def _content(content: Any) -> Any:
    return content if isinstance(content, str) else [{"type": "input_text", "text": part["text"]} for part in content]


def _usage(run: Any) -> list[int] | None:
    usage = run.raw_responses[-1].usage
    return [usage.input_tokens, usage.output_tokens] if usage.requests else None


async def answer(call: Call) -> dict[str, Any]:
    run = await Runner.run(_agent(call), _input(call))
    return {"text": run.final_output, "usage": _usage(run)}


def answer_sync(call: Call) -> dict[str, Any]:
    run = Runner.run_sync(_agent(call), _input(call))
    return {"text": run.final_output, "usage": _usage(run)}


async def stream(call: Call) -> dict[str, Any]:
    run = Runner.run_streamed(_agent(call), _input(call))
    async for event in run.stream_events():
        is_text = event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        if is_text and call.report(event.data.delta):
            run.cancel()
            return {}
    return {"usage": _usage(run)}


async def tools(call: Call) -> dict[str, Any]:
    calls = []

    def multiply(a: int, b: int) -> int:
        """Multiplies two numbers."""
        calls.append((a, b))
        return a * b

    run = await Runner.run(_agent(call, tools=[function_tool(multiply)]), _input(call))
    return {"text": run.final_output, "calls": len(calls)}


if __name__ == "__main__":
    verbs = (answer, answer_sync, stream, tools)
    drive(version("openai-agents"), {verb.__name__: verb for verb in verbs}, message_of=message_in_body)
