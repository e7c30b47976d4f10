"""Instructor in its JSON modes."""

from importlib.metadata import version
from typing import Any

import instructor
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from clients.driving import Call, counts, drive


class Answer(BaseModel):
    """The object that the provider of the tests responds with."""

    text: str = ""


def _client(call: Call, mode: instructor.Mode = instructor.Mode.JSON_SCHEMA) -> Any:
    return instructor.from_openai(OpenAI(base_url=call.base_url, api_key=call.key, **call.patience), mode=mode)


def _arguments(call: Call) -> dict[str, Any]:
    return {"model": call.model, "messages": call.messages, "response_model": Answer, **call.patience}


def _seen(answer: Answer, completion: Any) -> dict[str, Any]:
    return {"text": answer.text, "finish": completion.choices[0].finish_reason, "usage": counts(completion.usage)}


def answer(call: Call) -> dict[str, Any]:
    return _seen(*_client(call).chat.completions.create_with_completion(**_arguments(call)))


def answer_json(call: Call) -> dict[str, Any]:
    client = _client(call, instructor.Mode.JSON)
    return _seen(*client.chat.completions.create_with_completion(**_arguments(call)))


async def answer_async(call: Call) -> dict[str, Any]:
    client = AsyncOpenAI(base_url=call.base_url, api_key=call.key, **call.patience)
    patched = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    return _seen(*await patched.chat.completions.create_with_completion(**_arguments(call)))


if __name__ == "__main__":
    verbs = (answer, answer_json, answer_async)
    drive(version("instructor"), {verb.__name__: verb for verb in verbs})
