"""Runs coroutines in synchronous code, also while an event loop runs."""

from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def result_of(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns the result of a coroutine that never waits, as those of AesGcmSecretCipher."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: ResultT = finished.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waits for something")
