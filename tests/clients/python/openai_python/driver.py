"""The official client for Python."""

from importlib.metadata import version
from typing import Any

from openai import AsyncOpenAI, OpenAI

from clients.driving import Call, counts, drive, message_in_body


def _client(call: Call) -> OpenAI:
    return OpenAI(base_url=call.base_url, api_key=call.key, **call.patience)


def _async_client(call: Call) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=call.base_url, api_key=call.key, **call.patience)


def _arguments(call: Call) -> dict[str, Any]:
    return {"model": call.model, "messages": call.messages}


def _seen(answer: Any) -> dict[str, Any]:
    choice = answer.choices[0]
    return {
        "text": choice.message.content,
        "role": choice.message.role,
        "finish": choice.finish_reason,
        "usage": counts(answer.usage),
    }


class _Stream:
    """Collects the role, finish reason and usage of a stream's chunks."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.seen: dict[str, Any] = {}

    def take(self, chunk: Any) -> bool:
        if chunk.usage is not None:
            self.seen["usage"] = counts(chunk.usage)
        for choice in chunk.choices:
            self.seen.setdefault("role", choice.delta.role)  # the first chunk must contain the role
            self.seen["finish"] = choice.finish_reason
            return self._call.report(choice.delta.content)
        return False


def models(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        return {"models": [model.id for model in client.models.list()]}


def retrieve(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        return {"models": [client.models.retrieve(call.model).id]}


def answer(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        return _seen(client.chat.completions.create(**_arguments(call)))


async def answer_async(call: Call) -> dict[str, Any]:
    async with _async_client(call) as client:
        return _seen(await client.chat.completions.create(**_arguments(call)))


def answer_raw(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        response = client.chat.completions.with_raw_response.create(**_arguments(call))
        return {**_seen(response.parse()), "request_id": response.headers["x-request-id"]}


def stream(call: Call) -> dict[str, Any]:
    collected = _Stream(call)
    with (
        _client(call) as client,
        client.chat.completions.create(**_arguments(call), **call.stream_options, stream=True) as chunks,
    ):
        for chunk in chunks:
            if collected.take(chunk):
                break
    return collected.seen


async def stream_async(call: Call) -> dict[str, Any]:
    collected = _Stream(call)
    async with _async_client(call) as client:
        chunks = await client.chat.completions.create(**_arguments(call), **call.stream_options, stream=True)
        async with chunks:
            async for chunk in chunks:
                if collected.take(chunk):
                    break
    return collected.seen


def stream_helper(call: Call) -> dict[str, Any]:
    with _client(call) as client, client.chat.completions.stream(**_arguments(call), **call.stream_options) as events:
        for event in events:
            if event.type == "content.delta" and call.report(event.delta):
                return {}
        return _seen(events.get_final_completion())


def impatient(call: Call) -> dict[str, Any]:
    """Makes a call with a timeout that is shorter than the response takes."""
    with _client(call) as client:
        return _seen(client.with_options(timeout=0.2).chat.completions.create(**_arguments(call)))


if __name__ == "__main__":
    verbs = (models, retrieve, answer, answer_async, answer_raw, stream, stream_async, stream_helper, impatient)
    drive(version("openai"), {"patient": answer, **{verb.__name__: verb for verb in verbs}}, message_of=message_in_body)
