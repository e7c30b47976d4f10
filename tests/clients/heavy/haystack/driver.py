"""Haystack's chat generator."""

from importlib.metadata import version
from typing import Any

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

from clients.driving import Call, drive, message_in_body


def _generator(call: Call) -> OpenAIChatGenerator:
    key = Secret.from_token(call.key)
    return OpenAIChatGenerator(api_base_url=call.base_url, api_key=key, model=call.model, **call.patience)


def _messages(call: Call) -> list[ChatMessage]:
    makers = {"user": ChatMessage.from_user, "assistant": ChatMessage.from_assistant}
    return [makers[message["role"]](message["content"]) for message in call.messages]


def answer(call: Call) -> dict[str, Any]:
    (reply,) = _generator(call).run(_messages(call))["replies"]
    usage = reply.meta["usage"]
    return {"text": reply.text, "usage": [usage["prompt_tokens"], usage["completion_tokens"]]}


def stream(call: Call) -> dict[str, Any]:
    def take(chunk: Any) -> None:
        call.report(chunk.content)

    (reply,) = _generator(call).run(_messages(call), streaming_callback=take)["replies"]
    return {"text": reply.text}


if __name__ == "__main__":
    drive(version("haystack-ai"), {verb.__name__: verb for verb in (answer, stream)}, message_of=message_in_body)
