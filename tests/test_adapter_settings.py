import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from polyant.adapter_settings import AdapterSetting, describe_settings, read_adapter_settings, settings_struct_of
from polyant.arguments import WiringError
from polyant.domain.secrets import SecretText


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    url: Annotated[str, Meta(description="Address of the server", pattern="^redis")]
    password: SecretText | None = None
    port: Annotated[int, Meta(ge=1, le=65_535)] = 6379
    seconds: Annotated[float, Meta(gt=0)] = 2.5
    tls: bool = False
    mode: Mode = Mode.SAFE
    level: Literal["low", "high"] = "low"
    hosts: tuple[str, ...] = ()
    folder: Path = Path("data")
    name: Annotated[str, Meta(min_length=2, max_length=5)] = "limits"


GIVEN = {"POLYANT_MY_STORE_URL": "redis://localhost"}


def test_variables_are_described() -> None:
    assert describe_settings("my-store", Everything) == (
        AdapterSetting(
            variable="POLYANT_MY_STORE_URL",
            description="Address of the server",
            allowed="a text that matches ^redis",
            default=None,
        ),
        *(
            AdapterSetting(variable=f"POLYANT_MY_STORE_{name}", description="", allowed=allowed, default=default)
            for name, allowed, default in (
                ("PASSWORD", "a secret", "none"),
                ("PORT", "a whole number of at least 1 and of at most 65535", "6379"),
                ("SECONDS", "a number above 0", "2.5"),
                ("TLS", "true or false", "false"),
                ("MODE", "fast or safe", "safe"),
                ("LEVEL", "high or low", "low"),
                ("HOSTS", "values separated by commas", "none"),
                ("FOLDER", "a path", "data"),
                ("NAME", "a text of at least 2 and at most 5 characters", "limits"),
            )
        ),
    )


def test_unset_and_empty_variables_have_their_defaults() -> None:
    environ = {**GIVEN, "POLYANT_MY_STORE_PORT": " ", "POLYANT_OTHER_PORT": "7"}
    assert read_adapter_settings("my-store", Everything, environ) == Everything(url="redis://localhost")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORT", " 7 ", 7),
        ("SECONDS", "3", 3.0),
        ("TLS", "true", True),
        ("TLS", "On", True),
        ("TLS", "0", False),
        ("MODE", "fast", Mode.FAST),
        ("LEVEL", "high", "high"),
        ("HOSTS", "a, b c", ("a", "b", "c")),
        ("FOLDER", "/data", Path("/data")),
        ("NAME", "12", "12"),
    ],
)
def test_text_is_decoded(name: str, text: str, value: object) -> None:
    found = read_adapter_settings("my-store", Everything, {**GIVEN, f"POLYANT_MY_STORE_{name}": text})
    assert getattr(found, name.lower()) == value


def test_secret_is_decoded_and_never_shown() -> None:
    found = read_adapter_settings("my-store", Everything, {**GIVEN, "POLYANT_MY_STORE_PASSWORD": "hunter2"})
    assert found.password is not None
    assert found.password.reveal() == "hunter2"
    assert "hunter2" not in repr(found)


def test_every_fault_is_named_without_its_value() -> None:
    faulty = {"PORT": "70000", "SECONDS": "soon", "TLS": "maybe", "MODE": "slow", "NAME": "too long"}
    with pytest.raises(WiringError) as caught:
        read_adapter_settings(
            "my-store", Everything, {f"POLYANT_MY_STORE_{name}": text for name, text in faulty.items()}
        )
    assert str(caught.value) == (
        "POLYANT_MY_STORE_URL must be set to a text that matches ^redis; "
        "POLYANT_MY_STORE_PORT must be a whole number of at least 1 and of at most 65535; "
        "POLYANT_MY_STORE_SECONDS must be a number above 0; "
        "POLYANT_MY_STORE_TLS must be true or false; "
        "POLYANT_MY_STORE_MODE must be fast or safe; "
        "POLYANT_MY_STORE_NAME must be a text of at least 2 and at most 5 characters"
    )


class Checked(msgspec.Struct):
    low: int = 1
    high: int = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


def test_rule_over_several_settings_is_checked() -> None:
    with pytest.raises(WiringError, match="POLYANT_X_…: low is above high"):
        read_adapter_settings("x", Checked, {"POLYANT_X_LOW": "3"})


@pytest.mark.parametrize("kind", [Everything, None])
def test_attribute_holds_the_struct(kind: Any) -> None:
    assert settings_struct_of(type("Adapter", (), {"settings": kind})) is kind
    assert settings_struct_of(type("Adapter", (), {})) is None


def test_attribute_that_is_no_struct_is_refused() -> None:
    with pytest.raises(WiringError, match=r"the attribute `settings` must be a msgspec\.Struct class or None"):
        settings_struct_of(type("Adapter", (), {"settings": {"url": "x"}}))
