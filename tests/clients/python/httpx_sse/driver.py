"""A custom program that uses httpx and reads the events of a stream line by line."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx

from clients.driving import Call, drive


class StreamBrokenError(Exception):
    """The program's own error for an error event."""


def _client(call: Call) -> httpx.Client:
    return httpx.Client(base_url=call.base_url, headers={"Authorization": f"Bearer {call.key}"}, timeout=60)


def _body(call: Call, **more: Any) -> dict[str, Any]:
    return {"model": call.model, "messages": call.messages, **more}


def models(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        answer = client.get("/models").raise_for_status().json()
    return {"models": [model["id"] for model in answer["data"]]}


def answer(call: Call) -> dict[str, Any]:
    with _client(call) as client:
        whole = client.post("/chat/completions", json=_body(call)).raise_for_status().json()
    choice, usage = whole["choices"][0], whole["usage"]
    return {
        "text": choice["message"]["content"],
        "role": choice["message"]["role"],
        "finish": choice["finish_reason"],
        "usage": [usage["prompt_tokens"], usage["completion_tokens"]],
    }


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {"pings": 0}
    body = _body(call, stream=True, **call.stream_options)
    with _client(call) as client, client.stream("POST", "/chat/completions", json=body) as response:
        if response.is_error:
            response.read()
        response.raise_for_status()
        for event in _events(response, seen):
            if event.get("usage"):
                seen["usage"] = [event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"]]
            for choice in event["choices"]:
                seen.setdefault("role", choice["delta"].get("role"))
                seen["finish"] = choice["finish_reason"]
                if call.report(choice["delta"].get("content")):
                    return seen
    return seen


def _events(response: httpx.Response, seen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith(":"):
            seen["pings"] += 1
        elif line.startswith("data: ") and line != "data: [DONE]":
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise StreamBrokenError(event["error"]["message"])
            yield event


def message_of(error: httpx.HTTPStatusError) -> object:
    return error.response.json()["message"]


if __name__ == "__main__":
    drive(version("httpx"), {"models": models, "answer": answer, "stream": stream}, message_of=message_of)
