"""The base of all contracts: tests that name the promises they prove, and that no adapter overrides silently."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import pytest

TestT = TypeVar("TestT", bound=Callable[..., Any])

_PROMISES = "__promises__"
_CAPABILITY = "__capability__"


class OverriddenTestError(TypeError):
    """A test of a contract is overridden without a written reason."""


def proves(*sentences: str) -> Callable[[TestT], TestT]:
    """Returns a decorator that names what a test proves: sentences of the port's docstrings, word for word.

    A test of Polyant compares the sentences of all tests with the docstrings, so that neither changes alone.
    """

    def decorate(test: TestT) -> TestT:
        setattr(test, _PROMISES, (*getattr(test, _PROMISES, ()), *sentences))
        return test

    return decorate


def requires(capability: str) -> Callable[[TestT], TestT]:
    """Returns a decorator for a test that runs only for adapters with that capability."""

    def decorate(test: TestT) -> TestT:
        setattr(test, _CAPABILITY, capability)
        return test

    return decorate


class Contract:
    """The base class of a port's tests.

    A test class denies the capabilities that its adapter's technology doesn't have. Any other deviation has to be
    written down: an overriding test needs `@pytest.mark.xfail(reason=...)`.

    Raises:
        OverriddenTestError: A subclass overrides or removes a test without such a mark.
    """

    capabilities: ClassVar[Any] = None
    """A struct with a boolean for each capability, if the port has any. All are true by default."""

    _dropped: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Checks the tests of a new subclass, and drops those that need a capability it denies."""
        super().__init_subclass__(**kwargs)
        for name, test in _inherited_tests(cls):
            found = getattr(cls, name)
            if not getattr(cls.capabilities, getattr(test, _CAPABILITY, ""), True):
                setattr(cls, name, None)
                cls._dropped |= {name}
            elif found is None and name in cls._dropped:
                setattr(cls, name, test)  # a subclass has the capability that its base class denies
            elif found is not test and not _is_expected_to_fail(found):
                raise OverriddenTestError(
                    f"{cls.__qualname__} overrides {name} of the contract. Mark the overriding test with "
                    '@pytest.mark.xfail(reason="..."), or remove it'
                )

    @classmethod
    def promises(cls) -> Iterator[tuple[str, str]]:
        """Yields each test's name with each sentence that it proves, also of inherited tests."""
        for name in dir(cls):
            for sentence in getattr(getattr(cls, name), _PROMISES, ()):
                yield name, sentence


def _inherited_tests(contract: type[Contract]) -> Iterator[tuple[str, Any]]:
    for base in contract.__mro__[1:]:
        if issubclass(base, Contract):
            yield from ((name, test) for name, test in vars(base).items() if name.startswith("test"))


def _is_expected_to_fail(test: Any) -> bool:
    """Returns whether the test has an unconditional xfail mark with a reason."""
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    return any(mark.name == "xfail" and not mark.args and mark.kwargs.get("reason") for mark in marks)
