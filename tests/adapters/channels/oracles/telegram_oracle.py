"""Parses updates, responses and calls with aiogram; runs in the environment `platforms`."""

import json
import sys
from typing import Any

from aiogram import methods, types


def unknown_fields(value: Any, path: str = "") -> list[str]:
    """Returns the paths of the fields that aiogram's types don't have."""
    if isinstance(value, list):
        return [name for each in value for name in unknown_fields(each, path)]
    if not hasattr(value, "model_extra"):
        return []
    found = [f"{path}{name}" for name in value.model_extra or {}]
    for name in value.model_fields_set:
        found += unknown_fields(getattr(value, name, None), f"{path}{name}.")
    return found


def method_of(name: str) -> Any:
    return getattr(methods, name[0].upper() + name[1:])


def main(sample: dict[str, Any]) -> dict[str, Any]:
    updates = [types.Update.model_validate(update) for update in sample["updates"]]
    calls = [method_of(name).model_validate(arguments) for name, arguments in sample["calls"]]
    responses = [getattr(types, kind).model_validate(result) for kind, result in sample["responses"]]
    return {
        "kinds": [update.event_type for update in updates],
        "unknown": unknown_fields(updates) + unknown_fields(calls) + unknown_fields(responses),
    }


json.dump(main(json.load(sys.stdin)), sys.stdout)
