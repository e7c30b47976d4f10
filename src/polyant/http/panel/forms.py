"""Posted forms: their fields, the errors in them, and the digest that reveals conflicting changes."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException

from polyant.domain.errors import InvalidInputError
from polyant.domain.versioned_edit import save_latest
from polyant.http.bodies import read_body, received

T = TypeVar("T")
StoredT = TypeVar("StoredT")

SECRET_PREFIX = "secret."  # noqa: S105 - the beginning of the names of password fields
"""Begins the name of each field that holds a secret; such fields are never shown again."""

DRAFT = "draft"
"""A field that marks a form as typed before the session ended: it is shown again, not saved."""

RETRY = "retry"
"""The value of `draft` in a form that is sent again without its secrets after a failure."""

SEEN = "seen"
"""The field with the digest of the values that the form showed."""

_OVERWRITE = "overwrite"
_MAX_FIELDS = 2_000
_OWN_FIELDS, _OWN_BYTES = 8, 8_192
"""The room for the fields that a page adds, such as the address and the password."""
_MAX_PARTS = 1_000  # Litestar's limit
_FORM_TYPE = b"application/x-www-form-urlencoded"
_MULTIPART_TYPE = b"multipart/form-data"


class FormConflictError(Exception):
    """Somebody else changed the values while the form was open."""

    def __init__(self, stored: Mapping[str, str]) -> None:
        super().__init__()
        self.stored = stored
        """The values as now stored, by field."""


class Form:
    """The fields of one posted form, and the errors found in them.

    Args:
        fields: The names and values in the posted order; a name may occur more than once.
    """

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields = tuple((name, value.replace("\r\n", "\n")) for name, value in fields)
        self.errors: dict[str, str] = {}
        """The error of each field; the key is empty for an error of the whole form."""

    @property
    def is_draft(self) -> bool:
        """Whether the form was typed before the session ended, and must not be saved yet."""
        return bool(self.text(DRAFT))

    @property
    def draft_code(self) -> str:
        """The code of the sentence that explains why nothing is saved yet; empty if the form isn't a draft."""
        if not self.is_draft:
            return ""
        return "retry" if self.text(DRAFT) == RETRY else "signed-in"

    @property
    def has_secrets(self) -> bool:
        """Whether a field with a secret was filled in."""
        return any(value for name, value in self.fields if name.startswith(SECRET_PREFIX))

    @property
    def overwrites(self) -> bool:
        """Whether the user chose to overwrite somebody else's changes."""
        return bool(self.text(_OVERWRITE))

    def text(self, name: str, default: str = "") -> str:
        """Returns the last value of a field without surrounding blanks."""
        return self.raw(name, default).strip()

    def raw(self, name: str, default: str = "") -> str:
        """Returns the last value of a field as typed."""
        return next((value for found, value in reversed(self.fields) if found == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Returns all values of a field."""
        return tuple(value for found, value in self.fields if found == name)

    def __contains__(self, name: object) -> bool:
        return any(found == name for found, _ in self.fields)

    def parse(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Returns the parsed value of a field, or None after recording the error that `parse` raises."""
        try:
            return parse(self.text(name))
        except InvalidInputError as error:
            self.errors[name] = error.message
            return None

    def shown(self, names: Iterable[str]) -> dict[str, str]:
        """Returns the values as typed, by field, for showing the form again."""
        return {name: self.raw(name) for name in names}

    def replayed(self) -> tuple[tuple[str, str], ...]:
        """Returns the fields that survive the end of a session: all but secrets."""
        return tuple(
            (name, value) for name, value in self.fields if not name.startswith(SECRET_PREFIX) and name != _OVERWRITE
        )


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """Returns the form in the request's body; the value of a file is its text.

    Later calls for the same request return the same form.

    Raises:
        InvalidInputError: The body isn't a form, isn't UTF-8, or has too many fields.
        CallerGoneError: The client disconnected before it had sent the whole body.
    """
    known = request.scope["state"].get("form")
    if isinstance(known, Form):
        return known
    given = next((value for name, value in request.scope["headers"] if name == b"content-type"), b"")
    media_type = given.partition(b";")[0].strip().lower()
    if media_type not in {_FORM_TYPE, _MULTIPART_TYPE}:
        raise InvalidInputError("The body must be a form: send Content-Type: application/x-www-form-urlencoded")
    try:
        form = Form(await (_parts if media_type == _MULTIPART_TYPE else _pairs)(request))
    except (ValueError, LookupError):  # LookupError: a part names an unknown character set
        raise InvalidInputError(f"The form must be UTF-8 and have at most {_MAX_FIELDS} fields") from None
    request.scope["state"]["form"] = form  # an error page shows what was typed
    return form


async def _pairs(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    body = await read_body(request)
    return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)


async def _parts(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    """Returns the parts of a multipart form."""
    await received(request.body())  # `form` would read it, and its errors mean that the form is invalid
    try:
        form = await request.form()
    except HTTPException:
        raise InvalidInputError(f"The body isn't a multipart form with at most {_MAX_PARTS} parts") from None
    try:
        return [(name, await _text_of(value)) for name, value in form.multi_items()]
    finally:
        await form.close()  # the gate reads the form, and Litestar closes only the files of its own requests


async def _text_of(value: str | UploadFile) -> str:
    return (await value.read()).decode() if isinstance(value, UploadFile) else value


def encode_form(fields: Iterable[tuple[str, str]]) -> bytes:
    """Returns the body of a form with these fields."""
    return urlencode(list(fields)).encode()


def fits(fields: Sequence[tuple[str, str]], max_bytes: int) -> bool:
    """Returns whether these fields can be posted by a page that adds a few of its own.

    Args:
        fields: The names and values.
        max_bytes: The maximum size of a posted form.
    """
    return len(fields) <= _MAX_FIELDS - _OWN_FIELDS and len(encode_form(fields)) <= max_bytes - _OWN_BYTES


def digest_of(values: Mapping[str, str]) -> str:
    """Returns a digest of the values that a form shows."""
    return hashlib.sha256(msgspec.json.encode(sorted(values.items()))).hexdigest()[:32]


def seen_by(form: Form | None, stored: Mapping[str, str], *, conflict: FormConflictError | None = None) -> str:
    """Returns the digest that a page's form carries: that of the stored values, if the page shows them.

    A form that is shown again keeps its own digest, so that its next save still finds a conflict. The page of a
    conflict shows the stored values beside the typed ones.

    Args:
        form: The form that wasn't saved; None for a form with the stored values.
        stored: The stored values.
        conflict: The conflict that the page shows.
    """
    if form is None or conflict is not None or SEEN not in form:
        return digest_of(stored)
    return form.text(SEEN)


async def save_form(
    form: Form,
    *,
    read: Callable[[], Awaitable[StoredT]],
    values_of: Callable[[StoredT], Mapping[str, str]],
    save: Callable[[StoredT], Awaitable[T]],
) -> T:
    """Returns what `save` returns, if nobody changed the values that the form showed.

    Unrelated changes of the same resource don't matter: the save is repeated on the newer state.

    Args:
        form: The form; its digest is that of the values that it showed.
        read: Returns the stored resource.
        values_of: Returns the values of a resource that the form shows.
        save: Stores the form's values in place of those of the resource, with the resource's version as precondition.

    Raises:
        FormConflictError: Somebody else changed one of the values, and the form doesn't overwrite them.
    """

    async def read_unchanged() -> StoredT:
        stored = await read()
        values = values_of(stored)
        if form.text(SEEN) != digest_of(values) and not form.overwrites:
            raise FormConflictError(values)
        return stored

    return await save_latest(read_unchanged, save)
