"""Responses of the tables with values replaced at random: the readers understand them or fail, but never break."""

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from adapters.llm import anthropic_inputs, provider_inputs
from adapters.llm.provider_inputs import Case
from polyant.adapters.llm.anthropic_response_reader import AnthropicResponseReader
from polyant.adapters.llm.failures import CallFailedError
from polyant.adapters.llm.openai_response_reader import OpenAIResponseReader
from polyant.adapters.llm.response_reader import ProviderModel, ResponseReader
from polyant.domain.chat import MAX_TOKENS

OWNER = ProviderModel("provider", "model")
VALUES: tuple[Any, ...] = (
    None,
    False,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud83d",
    "error",
    [],
    {},
    [None],
    {"a": 1},
    [{}],
    "null",
)
LOSSES, REPLACEMENTS = 0.03, 0.08
ROUNDS = 3


def altered(value: Any, chance: random.Random) -> Any:
    """Returns the value with some of its parts replaced or removed."""
    if chance.random() < REPLACEMENTS:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        return {name: altered(part, chance) for name, part in value.items() if chance.random() > LOSSES}
    return [altered(part, chance) for part in value] if isinstance(value, list) else value


def altered_line(line: bytes, chance: random.Random) -> bytes:
    prefix, found, text = line.rpartition(b"data: ")
    try:
        return prefix + found + json.dumps(altered(json.loads(text), chance)).encode()
    except ValueError:  # no JSON
        return line


@pytest.mark.parametrize(
    ("kind", "cases"),
    [(OpenAIResponseReader, provider_inputs.OPENAI), (AnthropicResponseReader, anthropic_inputs.ANTHROPIC)],
)
def test_altered_response_is_understood_or_a_failure(
    kind: Callable[[ProviderModel], ResponseReader], cases: list[Case]
) -> None:
    for number, case in enumerate(cases * ROUNDS):
        chance = random.Random(number)  # noqa: S311 - a repeatable choice, no secret
        body = b"\n".join(altered_line(line, chance) for line in case.body.split(b"\n"))
        reader = kind(OWNER)
        try:
            text = reader.read_whole(body.lstrip())
            events = reader.end()
        except CallFailedError:
            continue
        msgspec.json.encode((text, events))
        assert 0 <= reader.usage.cached_tokens <= reader.usage.prompt_tokens <= MAX_TOKENS, case.name
