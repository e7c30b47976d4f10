"""The model of smolagents for OpenAI-compatible servers."""

from importlib.metadata import version
from typing import Any

from smolagents import OpenAIModel

from clients.driving import Call, drive, message_in_body


def _model(call: Call) -> OpenAIModel:
    retry = {} if call.retries is None else {"retry": False}
    return OpenAIModel(call.model, api_base=call.base_url, api_key=call.key, client_kwargs=call.patience, **retry)


def _messages(call: Call) -> list[Any]:
    return [{"role": message["role"], "content": _parts(message["content"])} for message in call.messages]


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _usage(message: Any) -> list[int]:
    return [message.token_usage.input_tokens, message.token_usage.output_tokens]


def answer(call: Call) -> dict[str, Any]:
    message = _model(call).generate(_messages(call))
    return {"text": message.content, "role": message.role, "usage": _usage(message)}


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for delta in _model(call).generate_stream(_messages(call)):
        if delta.token_usage is not None:
            seen["usage"] = _usage(delta)
        if call.report(delta.content):
            break
    return seen


if __name__ == "__main__":
    drive(version("smolagents"), {verb.__name__: verb for verb in (answer, stream)}, message_of=message_in_body)
