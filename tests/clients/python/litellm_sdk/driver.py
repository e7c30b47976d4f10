"""LiteLLM as a library."""

from importlib.metadata import version
from typing import Any

import litellm

from clients.driving import Call, counts, drive

litellm.suppress_debug_info = True


def _arguments(call: Call) -> dict[str, Any]:
    return {
        "model": f"openai/{call.model}",
        "api_base": call.base_url,
        "api_key": call.key,
        "messages": call.messages,
        **call.patience,
    }


def _seen(answer: Any) -> dict[str, Any]:
    choice = answer.choices[0]
    return {
        "text": choice.message.content,
        "role": choice.message.role,
        "finish": choice.finish_reason,
        "usage": counts(answer.usage),
    }


def _take(call: Call, chunk: Any, seen: dict[str, Any]) -> bool:
    if getattr(chunk, "usage", None) is not None:
        seen["usage"] = counts(chunk.usage)
    for choice in chunk.choices:
        seen.setdefault("role", choice.delta.role)
        seen["finish"] = choice.finish_reason or seen.get("finish")
        return call.report(choice.delta.content)
    return False


def models(call: Call) -> dict[str, Any]:
    found = litellm.get_valid_models(
        check_provider_endpoint=True, custom_llm_provider="openai", api_base=call.base_url, api_key=call.key
    )
    return {"models": [name.removeprefix("openai/") for name in found]}


def answer(call: Call) -> dict[str, Any]:
    return _seen(litellm.completion(**_arguments(call)))


async def answer_async(call: Call) -> dict[str, Any]:
    return _seen(await litellm.acompletion(**_arguments(call)))


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for chunk in litellm.completion(**_arguments(call), **call.stream_options, stream=True):
        if _take(call, chunk, seen):
            break
    return seen


async def stream_async(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    chunks = await litellm.acompletion(**_arguments(call), **call.stream_options, stream=True)
    async for chunk in chunks:
        if _take(call, chunk, seen):
            await chunks.aclose()
            break
    return seen


if __name__ == "__main__":
    drive(version("litellm"), {verb.__name__: verb for verb in (models, answer, answer_async, stream, stream_async)})
