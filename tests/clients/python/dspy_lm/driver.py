"""DSPy's language model client."""

from importlib.metadata import version
from typing import Any

import dspy

from clients.driving import Call, drive


def _lm(call: Call) -> dspy.LM:
    retries = {} if call.retries is None else {"num_retries": call.retries}
    return dspy.LM(f"openai/{call.model}", api_base=call.base_url, api_key=call.key, cache=False, **retries)


def _seen(lm: dspy.LM, texts: list[Any]) -> dict[str, Any]:
    usage = lm.history[-1]["usage"]
    return {"text": texts[0], "usage": [usage["prompt_tokens"], usage["completion_tokens"]]}


def answer(call: Call) -> dict[str, Any]:
    lm = _lm(call)
    return _seen(lm, lm(messages=call.messages))


async def answer_async(call: Call) -> dict[str, Any]:
    lm = _lm(call)
    return _seen(lm, await lm.acall(messages=call.messages))


if __name__ == "__main__":
    drive(version("dspy"), {verb.__name__: verb for verb in (answer, answer_async)})
