"""Simon Willison's llm, with the server's models among its extra OpenAI models."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llm

from clients.driving import Call, drive, message_in_body

MODELS = Path(os.environ["LLM_USER_PATH"], "extra-openai-models.yaml")
EXTRA = "- model_id: {0}\n  model_name: {0}\n  api_base: {1}\n  api_key_name: polyant\n"


def _prompt(call: Call, *, stream: bool) -> Any:
    MODELS.write_text(EXTRA.format(call.model, call.base_url))
    messages = [_message(message["role"], message["content"]) for message in call.messages]
    return llm.get_model(call.model).prompt(messages=messages, stream=stream, key=call.key)


def _message(role: str, content: Any) -> Any:
    texts = [content] if isinstance(content, str) else [part["text"] for part in content]
    return llm.user(*texts) if role == "user" else llm.assistant(*texts)


def _usage(response: Any) -> list[int]:
    usage = response.usage()
    return [usage.input, usage.output]


def answer(call: Call) -> dict[str, Any]:
    response = _prompt(call, stream=False)
    return {"text": response.text(), "usage": _usage(response)}


def stream(call: Call) -> dict[str, Any]:
    response = _prompt(call, stream=True)
    for piece in response:
        if call.report(piece):
            return {}
    return {"usage": _usage(response)}


def snippet(call: Call) -> dict[str, str]:
    MODELS.write_text(call.code)
    return {"text": llm.get_model("demo-bot").prompt("Hello!", key=call.key).text()}


if __name__ == "__main__":
    drive(version("llm"), {"answer": answer, "stream": stream, "snippet": snippet}, message_of=message_in_body)
