"""LlamaIndex's OpenAILike."""

from importlib.metadata import version
from typing import Any

from llama_index.core.llms import ChatMessage, TextBlock
from llama_index.llms.openai_like import OpenAILike

from clients.driving import Call, counts, drive


def _model(call: Call) -> OpenAILike:
    return OpenAILike(
        api_base=call.base_url,
        api_key=call.key,
        model=call.model,
        is_chat_model=True,
        additional_kwargs=call.stream_options,
        **call.patience,
    )


def _messages(call: Call) -> list[ChatMessage]:
    return [_message(message["role"], message["content"]) for message in call.messages]


def _message(role: str, content: Any) -> ChatMessage:
    if isinstance(content, str):
        return ChatMessage(role=role, content=content)
    return ChatMessage(role=role, blocks=[TextBlock(text=part["text"]) for part in content])


def _seen(answer: Any) -> dict[str, Any]:
    return {
        "text": answer.message.content,
        "role": answer.message.role.value,
        "finish": answer.raw.choices[0].finish_reason,
        "usage": counts(answer.raw.usage),
    }


def answer(call: Call) -> dict[str, Any]:
    return _seen(_model(call).chat(_messages(call)))


async def answer_async(call: Call) -> dict[str, Any]:
    return _seen(await _model(call).achat(_messages(call)))


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for chunk in _model(call).stream_chat(_messages(call)):
        if chunk.raw.usage is not None:
            seen["usage"] = counts(chunk.raw.usage)
        if call.report(chunk.delta):
            break
    return seen


async def stream_async(call: Call) -> dict[str, Any]:
    chunks = await _model(call).astream_chat(_messages(call))
    async for chunk in chunks:
        if call.report(chunk.delta):
            await chunks.aclose()
            break
    return {}


if __name__ == "__main__":
    verbs = (answer, answer_async, stream, stream_async)
    drive(version("llama-index-llms-openai-like"), {verb.__name__: verb for verb in verbs})
