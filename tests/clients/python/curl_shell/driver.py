"""The command curl, with the options of the specification's examples."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

from clients.driving import Call, drive


class CurlError(Exception):
    """The output of curl if the response is an error."""


def _version() -> str:
    return subprocess.run(["curl", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]


def _command(call: Call, path: str, *options: str) -> list[str]:
    return ["curl", "--silent", "--show-error", f"{call.base_url}{path}", *options]


def _authorised(call: Call) -> tuple[str, str]:
    return ("-H", f"Authorization: Bearer {call.key}")


def _chat(call: Call, *options: str, **more: Any) -> list[str]:
    body = json.dumps({"model": call.model, "messages": call.messages, **more})
    headers = ("-H", "Content-Type: application/json", *_authorised(call))
    return _command(call, "/chat/completions", *headers, "-d", body, *options)


def _print(command: list[str]) -> dict[str, Any]:
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return _checked(json.loads(printed), printed.decode())


def _checked(answer: dict[str, Any], printed: str) -> dict[str, Any]:
    if "statusCode" in answer or "error" in answer:
        raise CurlError(printed.strip())
    return answer


def models(call: Call) -> dict[str, Any]:
    answer = _print(_command(call, "/models", *_authorised(call)))
    return {"models": [model["id"] for model in answer["data"]]}


def answer(call: Call) -> dict[str, Any]:
    whole = _print(_chat(call))
    choice, usage = whole["choices"][0], whole["usage"]
    return {
        "text": choice["message"]["content"],
        "role": choice["message"]["role"],
        "finish": choice["finish_reason"],
        "usage": [usage["prompt_tokens"], usage["completion_tokens"]],
    }


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {"pings": 0}
    command = _chat(call, "-N", stream=True, **call.stream_options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as curl:
        assert curl.stdout is not None
        for event in _events(curl.stdout, seen):
            if event.get("usage"):
                seen["usage"] = [event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"]]
            for choice in event["choices"]:
                seen.setdefault("role", choice["delta"].get("role"))
                seen["finish"] = choice["finish_reason"]
                if call.report(choice["delta"].get("content")):
                    curl.terminate()  # as Ctrl-C does
                    return seen
    return seen


def _events(lines: Iterator[str], seen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(":"):
            seen["pings"] += 1
        elif line.strip() and line != "data: [DONE]\n":
            yield _checked(json.loads(line.removeprefix("data: ")), line)


def snippet(call: Call) -> dict[str, str]:
    done = subprocess.run(["bash", "-euc", call.code], stdout=subprocess.PIPE, text=True, check=True)
    return {"text": done.stdout}


if __name__ == "__main__":
    drive(_version(), {"models": models, "answer": answer, "stream": stream, "snippet": snippet})
