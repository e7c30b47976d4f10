import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.chunks import split_text


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize("text", ["", " ", "\n\n \n"])
def test_blank_text_has_no_pieces(text: str) -> None:
    assert split_text(text, maximum=200) == ()


def test_short_text_is_one_piece() -> None:
    assert split_text("a" * 200, maximum=200) == ("a" * 200,)
    assert len(split_text("a" * 201, maximum=200)) == 2


def test_cuts_are_at_paragraphs() -> None:
    paragraphs = [f"{number} " + "word " * 20 for number in range(10)]
    pieces = split_text("\n\n".join(paragraphs), maximum=400)
    assert all(re.match(r"\d word", piece) for piece in pieces)


def test_cuts_are_between_words() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    assert " ".join(split_text(text, maximum=300)).split() == text.split()


def test_code_block_is_closed_and_opened_again() -> None:
    code = "\n".join(f"print({number})" for number in range(100))
    pieces = split_text(f"Before\n\n```python\n{code}\n```\n\nAfter", maximum=400)
    assert len(pieces) > 2
    for piece in pieces:
        assert len(re.findall(r"(?m)^```", piece)) % 2 == 0
    assert all(piece.startswith("```python\n") for piece in pieces[1:-1])
    assert re.findall(r"print\((\d+)\)", "".join(pieces)) == [str(number) for number in range(100)]


def test_tildes_and_longer_fences_are_understood() -> None:
    text = "~~~\n" + "```\n" * 60 + "~~~"
    for piece in split_text(text, maximum=200):
        assert len(re.findall(r"(?m)^~~~", piece)) == 2


@pytest.mark.parametrize("mark", ["**", "*", "_", "~~", "`", "***"])
def test_emphasis_is_closed_and_opened_again(mark: str) -> None:
    text = f"a {mark}{' '.join(['word'] * 100)}{mark} b"
    pieces = split_text(text, maximum=250)
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.count(mark) == 2
        assert len(piece) <= 250


def test_lone_marks_are_left_alone() -> None:
    text = "2 * 3 = 6, snake_case " * 40
    assert " ".join(split_text(text, maximum=250)).split() == text.split()


def test_link_is_not_cut() -> None:
    text = " ".join(["[a long label here](https://example.com/with/path)"] * 20)
    for piece in split_text(text, maximum=250):
        assert piece.count("[") == piece.count("]") == piece.count("(") == piece.count(")")


def test_lengths_are_counted_in_utf16_units() -> None:
    pieces = split_text("🙂" * 500, maximum=300, utf16=True)
    assert all(units(piece) <= 300 for piece in pieces)
    assert "".join(pieces) == "🙂" * 500
    assert len(split_text("🙂" * 300, maximum=300)) == 1


def test_characters_are_not_separated_from_their_marks() -> None:
    for mark in ("👩‍💻", "é", "☀️"):
        for piece in split_text(mark * 300, maximum=201):
            assert piece.replace(mark, "") == ""


@given(st.text(alphabet="ab *_`~\n[]().é🙂#>-", max_size=1_500), st.booleans())
def test_every_piece_fits_and_no_word_is_lost(text: str, utf16: bool) -> None:  # noqa: FBT001 - generated
    pieces = split_text(text, maximum=200, utf16=utf16)
    for piece in pieces:
        assert (units(piece) if utf16 else len(piece)) <= 200
        assert piece.strip()
    letters = re.compile(r"[abé🙂]")
    assert letters.findall("".join(pieces)) == letters.findall(text)
