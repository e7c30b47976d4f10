import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.http.panel.word_diff import Kind, Piece, clipped, word_diff

SAME, ADDED, REMOVED, OMITTED = Kind.SAME, Kind.ADDED, Kind.REMOVED, Kind.OMITTED


def text_of(pieces: tuple[Piece, ...], kind: Kind) -> str:
    return "".join(piece.text for piece in pieces if piece.kind in {SAME, kind})


def test_changed_words_are_marked() -> None:
    assert word_diff("You are kind.", "You are very kind.\nAlways.") == (
        Piece(SAME, "You are "),
        Piece(ADDED, "very "),
        Piece(SAME, "kind."),
        Piece(ADDED, "\nAlways."),
    )
    assert word_diff("a b c", "a c") == (Piece(SAME, "a "), Piece(REMOVED, "b "), Piece(SAME, "c"))


def test_empty_text_is_added_or_removed_as_a_whole() -> None:
    assert word_diff("", "a b") == (Piece(ADDED, "a b"),)
    assert word_diff("a b", "") == (Piece(REMOVED, "a b"),)
    assert word_diff("a b", "a b") == (Piece(SAME, "a b"),)


def test_long_equal_parts_are_omitted() -> None:
    long = " ".join(f"w{number}" for number in range(200))
    pieces = word_diff(f"{long} one {long} tail", f"{long} two {long} tail")
    assert [piece.kind for piece in pieces] == [OMITTED, SAME, REMOVED, ADDED, SAME, OMITTED]
    assert pieces[1].text.endswith("w199 ")
    assert pieces[4].text.startswith(" w0 ")


@given(st.lists(st.sampled_from("abc ")), st.lists(st.sampled_from("abc ")))
def test_pieces_make_both_texts(before: list[str], after: list[str]) -> None:
    old, new = "".join(before)[:60], "".join(after)[:60]
    pieces = word_diff(old, new)
    assert text_of(pieces, REMOVED) == old
    assert text_of(pieces, ADDED) == new


@pytest.mark.parametrize("words", [40, 10_000])
def test_long_texts_without_a_common_order_are_compared_in_bounded_work(words: int) -> None:
    """Such texts would take minutes; the parts that aren't compared count as different."""
    shuffled = random.Random(1)  # noqa: S311 - not for security
    old = [f"{number}" for number in range(words)]
    new = shuffled.sample(old, words)
    pieces = word_diff(" ".join(old), " ".join(new))
    assert {piece.kind for piece in pieces} >= {REMOVED, ADDED}


def test_clipped_pieces_have_a_bounded_size() -> None:
    pieces = (Piece(SAME, "a " * 10), Piece(REMOVED, "b" * 100), Piece(ADDED, "c"))
    assert clipped(pieces, 1_000) == pieces
    assert clipped(pieces, 30) == (Piece(SAME, "a " * 10), Piece(REMOVED, "b" * 10), Piece(OMITTED))
    assert clipped(pieces, 20) == (Piece(SAME, "a " * 10), Piece(OMITTED))
    many = tuple(Piece(ADDED, "x") for _ in range(1_000))
    assert clipped(many, 100_000) == (*many[:500], Piece(OMITTED))
