from typing import Annotated, Any

import msgspec
import pytest

from polyant.domain.adapter_options import AdapterOptions, declared_options, decode_options, options_of
from polyant.domain.errors import InvalidInputError, UnavailableError
from polyant.testing.factories import InstanceFactory


class Inner(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True, rename="camel"):
    max_level: Annotated[int, msgspec.Meta(ge=1)] = 1
    inner: Inner = Inner()


OPTIONS = AdapterOptions({"vendor": Options, "other": Options, "bare": None})


@pytest.mark.parametrize(
    "options",
    [{}, {"vendor": {}}, {"vendor": {"maxLevel": 3, "inner": {"tags": ["a"]}}, "other": {"maxLevel": 1}}],
)
def test_valid_options_pass(options: dict[str, dict[str, Any]]) -> None:
    OPTIONS.check(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nobody": {}}, "Unknown adapter 'nobody'; adapters with options: other, vendor - at `$.options.nobody`"),
        ({"bare": {}}, "The adapter 'bare' has no options - at `$.options.bare`"),
        ({"vendor": {"maxLevel": 0}}, "Expected `int` >= 1 - at `$.options.vendor.maxLevel`"),
        ({"vendor": {"maxLevel": "1"}}, "Expected `int`, got `str` - at `$.options.vendor.maxLevel`"),
        ({"vendor": {"inner": {"tags": [1]}}}, "Expected `str`, got `int` - at `$.options.vendor.inner.tags[0]`"),
        ({"vendor": {"max_level": 1}}, "Object contains unknown field `max_level` - at `$.options.vendor`"),
        ({"vendor": {}, "other": {"maxLevel": None}}, "Expected `int`, got `null` - at `$.options.other.maxLevel`"),
    ],
)
def test_invalid_options_are_refused_with_reason_and_path(options: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        OPTIONS.check(options)
    assert caught.value.message == message


def test_error_of_the_whole_object_has_a_path() -> None:
    class Strict(msgspec.Struct, frozen=True):
        level: int

    with pytest.raises(InvalidInputError) as caught:
        AdapterOptions({"strict": Strict}).check({"strict": {}})
    assert caught.value.message == "Object missing required field `level` - at `$.options.strict`"


def test_message_reports_that_no_adapter_has_options() -> None:
    with pytest.raises(InvalidInputError, match="adapters with options: none"):
        AdapterOptions({"bare": None}).check({"vendor": {}})


class WithOptions:
    options = Options


class WithoutOptions:
    options = None


class WithWrongOptions:
    options = Options()


def test_declared_options_are_the_struct_of_the_attribute() -> None:
    assert declared_options(WithOptions()) is Options
    assert declared_options(WithoutOptions()) is None
    assert declared_options(object()) is None


@pytest.mark.parametrize(
    "wrong", [WithWrongOptions(), type("X", (), {"options": dict})(), type("X", (), {"options": 1})]
)
def test_attribute_of_another_type_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"msgspec\.Struct class or None"):
        declared_options(wrong)


def test_instance_options_are_decoded_with_defaults() -> None:
    instance = InstanceFactory.build(options={"vendor": {"maxLevel": 7}})
    assert options_of(instance, "vendor", Options) == Options(max_level=7)
    assert options_of(instance, "other", Options) == Options()


def test_invalid_stored_options_are_a_configuration_error() -> None:
    with pytest.raises(UnavailableError) as caught:
        decode_options({"maxLevel": 0}, "vendor", Options)
    assert caught.value.message == "The instance is not configured correctly"
    assert caught.value.hint == (
        "Its options for the adapter 'vendor' are invalid "
        "(Expected `int` >= 1 - at `$.maxLevel`): change or remove them"
    )
