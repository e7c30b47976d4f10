from typing import ClassVar

import msgspec
import pytest

from polyant.testing.contract import Contract, OverriddenTestError, proves, requires


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    fast: bool = True


class ExampleContract(Contract):
    capabilities: ClassVar[Capabilities] = Capabilities()

    @proves("It works.")
    def test_works(self) -> None:
        pass

    @requires("fast")
    @proves("It is fast.")
    def test_is_fast(self) -> None:
        pass


def test_subclass_keeps_the_tests() -> None:
    class Example(ExampleContract):
        def test_of_its_own(self) -> None:
            pass

    assert (Example.test_works, Example.test_is_fast) == (ExampleContract.test_works, ExampleContract.test_is_fast)


def test_test_that_needs_a_denied_capability_is_dropped() -> None:
    class Slow(ExampleContract):
        capabilities = Capabilities(fast=False)

    class Slower(Slow):
        pass

    assert Slow.test_is_fast is Slower.test_is_fast is None
    assert Slower.test_works is ExampleContract.test_works


def test_subclass_can_have_a_capability_that_its_base_class_denies() -> None:
    class Slow(ExampleContract):
        capabilities = Capabilities(fast=False)

    class Fast(Slow):
        capabilities = Capabilities()

    assert Fast.test_is_fast is ExampleContract.test_is_fast


def test_overridden_test_without_a_mark_is_an_error() -> None:
    with pytest.raises(OverriddenTestError, match="Example overrides test_works of the contract") as caught:

        class Example(ExampleContract):
            def test_works(self) -> None:
                pass

    assert '@pytest.mark.xfail(reason="...")' in str(caught.value)


def test_removed_test_is_an_error() -> None:
    with pytest.raises(OverriddenTestError):
        type("Example", (ExampleContract,), {"test_works": None})


def test_test_overridden_by_a_mixin_is_an_error() -> None:
    class Mixin:
        def test_works(self) -> None:
            pass

    with pytest.raises(OverriddenTestError):
        type("Example", (Mixin, ExampleContract), {})


@pytest.mark.parametrize(
    "mark",
    [
        pytest.mark.xfail,
        pytest.mark.xfail(reason=""),
        pytest.mark.xfail(False, reason="never"),
        pytest.mark.skip(reason="no time"),
    ],
)
def test_mark_without_a_reason_to_fail_is_an_error(mark: pytest.MarkDecorator) -> None:
    @mark
    def test_works(self: object) -> None:
        pass

    with pytest.raises(OverriddenTestError):
        type("Example", (ExampleContract,), {"test_works": test_works})


def test_test_with_a_reason_to_fail_may_be_overridden_and_inherited() -> None:
    class Example(ExampleContract):
        @pytest.mark.xfail(reason="the vendor's bug 7")
        def test_works(self) -> None:
            raise AssertionError

    class Inheriting(Example):
        pass

    assert Inheriting.test_works is Example.test_works


def test_promises_are_those_of_all_tests() -> None:
    class Further(ExampleContract):
        @proves("It is small.", "It is cheap.")
        def test_size(self) -> None:
            pass

    assert sorted(Further.promises()) == [
        ("test_is_fast", "It is fast."),
        ("test_size", "It is cheap."),
        ("test_size", "It is small."),
        ("test_works", "It works."),
    ]
