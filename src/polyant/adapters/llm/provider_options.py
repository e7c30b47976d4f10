"""An instance's options for its provider: additional fields of the request body, and parameters of the address."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

MAX_BODY_BYTES = 8 * 1024
MAX_PARAMETERS = 16
MAX_VALUE_CHARACTERS = 256

_ENCODE = msgspec.json.Encoder().encode
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PARAMETER = re.compile(r"\A[A-Za-z0-9_.$-]{1,64}\Z")
_KEYS = frozenset({"key", "apikey", "accesstoken", "token", "secret", "subscriptionkey", "password"})


class ProviderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Fields to merge into each request, and query parameters to add to its address.

    Adapters derive a struct that names the fields that they own.

    Raises:
        ValueError: A field or a parameter isn't allowed; the message names it.
    """

    owned: ClassVar[frozenset[str]] = frozenset()
    """The fields of the body that only Polyant sets."""
    replaced: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The fields that a field of the options excludes, by its name."""

    body: Annotated[
        dict[str, Any],
        Meta(
            description='Fields for the request body, such as {"reasoning_effort": "low"}. They take precedence over '
            "those of the caller, and null removes a field."
        ),
    ] = {}
    query: Annotated[
        dict[str, str | int | float | bool],
        Meta(description='Parameters for the address, such as {"api-version": "2025-04-01-preview"}.'),
    ] = {}

    def __post_init__(self) -> None:
        """Rejects what can't be sent."""
        owned = sorted(self.body.keys() & self.owned)
        if owned:
            raise ValueError(f"body must not contain `{owned[0]}`: Polyant sets it for each call")
        if len(_ENCODE(self.body)) > MAX_BODY_BYTES:
            raise ValueError(f"body must have at most {MAX_BODY_BYTES} bytes as JSON")
        if len(self.query) > MAX_PARAMETERS:
            raise ValueError(f"query must have at most {MAX_PARAMETERS} parameters")
        for name, value in self.query.items():
            _check_parameter(name, str(value))

    def address(self, url: str) -> str:
        """Returns the URL with the query parameters."""
        return f"{url}?{urlencode({name: _text(value) for name, value in self.query.items()})}" if self.query else url

    def merged_into(self, encoded: bytes) -> bytes:
        """Returns the encoded request body with the fields."""
        if not self.body:
            return encoded
        fields: dict[str, Any] = dict(_FIELDS.decode(encoded))
        for name in self.body:
            for replaced in self.replaced.get(name, ()):
                fields.pop(replaced, None)
        return _ENCODE({name: value for name, value in (fields | self.body).items() if value is not None})


def _check_parameter(name: str, value: str) -> None:
    if not _PARAMETER.match(name):
        raise ValueError("query must have parameter names of 1 to 64 characters: a-z, A-Z, 0-9, _, ., $ and -")
    if re.sub(r"[^a-z]", "", name.lower()) in _KEYS:
        raise ValueError(f"query must not contain `{name}`: options are shown and exported, so store keys as secrets")
    if len(value) > MAX_VALUE_CHARACTERS or not value.isprintable():
        raise ValueError(f"query must have a value of at most {MAX_VALUE_CHARACTERS} printable characters for `{name}`")


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
