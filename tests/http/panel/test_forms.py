"""Posted forms: parsing, what survives a session's end, and conflicts."""

from collections.abc import Mapping

import pytest

from polyant.domain.errors import InstanceChangedError, InvalidInputError
from polyant.http.panel.forms import SEEN, Form, FormConflictError, digest_of, save_form


class Note:
    """A stored resource with one value that the form shows and one that it doesn't."""

    def __init__(self) -> None:
        self.text = "old"
        self.version = 1
        self.races = 0

    async def read(self) -> "Note":
        return self

    async def save(self, _: "Note") -> str:
        if self.races:
            self.races -= 1
            self.version += 1
            raise InstanceChangedError("note")
        return "saved"

    @staticmethod
    def values(note: "Note") -> Mapping[str, str]:
        return {"text": note.text}


async def save(note: Note, form: Form) -> str:
    return await save_form(form, read=note.read, values_of=Note.values, save=note.save)


def form_of(note: Note, **fields: str) -> Form:
    return Form([*fields.items(), (SEEN, digest_of(Note.values(note)))])


async def test_unrelated_change_does_not_refuse_a_form() -> None:
    note = Note()
    form = form_of(note)
    note.races = 3
    assert await save(note, form) == "saved"


async def test_endless_races_end() -> None:
    note = Note()
    note.races = 1_000
    with pytest.raises(InstanceChangedError):
        await save(note, form_of(note))


async def test_change_of_a_shown_value_is_a_conflict() -> None:
    note = Note()
    form = form_of(note)
    note.text = "theirs"
    with pytest.raises(FormConflictError) as raised:
        await save(note, form)
    assert raised.value.stored == {"text": "theirs"}
    assert await save(note, Form([*form.fields, ("overwrite", "1")])) == "saved"


async def test_form_without_a_digest_is_a_conflict() -> None:
    with pytest.raises(FormConflictError):
        await save(Note(), Form())


def test_secrets_do_not_survive_the_end_of_a_session() -> None:
    form = Form([("name", "Bot"), ("secret.key", "sk-1"), ("tool", "a"), ("tool", "b"), ("overwrite", "1")])
    assert form.replayed() == (("name", "Bot"), ("tool", "a"), ("tool", "b"))


def test_line_ends_of_browsers_become_plain() -> None:
    assert Form([("text", "a\r\nb")]).raw("text") == "a\nb"


def test_errors_are_collected_by_field() -> None:
    def refuse(text: str) -> int:
        raise InvalidInputError(f"{text} isn't a number")

    form = Form([("steps", " many "), ("name", "Bot")])
    assert form.parse("steps", refuse) is None
    assert form.parse("name", str.upper) == "BOT"
    assert form.errors == {"steps": "many isn't a number"}
