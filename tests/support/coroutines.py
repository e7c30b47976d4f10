"""Runs coroutines in synchronous code, even while an event loop is running."""

from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def result_of(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns the result of a coroutine that never waits, such as those of AesGcmSecretCipher."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: ResultT = finished.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine must not wait for anything")
