"""The differences between two texts, word by word."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

_WORD = re.compile(r"\s+|[^\s]+")
_CONTEXT_WORDS = 30
_MAX_COMPARED_WORDS = 100_000
_MAX_PIECES = 500


class Kind(StrEnum):
    """The relation of a piece of text to both texts."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    OMITTED = "omitted"


class Piece(msgspec.Struct, frozen=True):
    """A piece of text; an omitted one is the same in both texts and has no text here."""

    kind: Kind
    text: str = ""


class _BoundedMatcher(difflib.SequenceMatcher[str]):
    """Stops looking for equal words after a bounded amount of work; the rest then counts as different."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new)
        self._length = len(old)
        self._compared = 0

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        self._compared += (self._length if ahi is None else ahi) - alo
        if self._compared > _MAX_COMPARED_WORDS:
            return difflib.Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Returns the pieces that make `after` out of `before`; long equal parts are omitted."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    # Equal ends are found here, because a popular word is no start of a match in a long text.
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    middle = _BoundedMatcher(old[start : len(old) - end], new[start : len(new) - end])
    blocks = [(0, 0, start)]
    blocks += [(start + match.a, start + match.b, match.size) for match in middle.get_matching_blocks()[:-1]]
    blocks += [(len(old) - end, len(new) - end, end), (len(old), len(new), 0)]
    return tuple(piece for piece in _pieces(old, new, blocks) if piece.text or piece.kind is Kind.OMITTED)


def clipped(pieces: Iterable[Piece], maximum: int) -> tuple[Piece, ...]:
    """Returns the first pieces, with at most `maximum` characters together; the rest is omitted."""
    kept: list[Piece] = []
    for piece in pieces:
        if len(kept) >= _MAX_PIECES or maximum <= 0:
            return (*kept, Piece(Kind.OMITTED))
        kept.append(Piece(piece.kind, piece.text[:maximum]))
        maximum -= len(piece.text)
    return (*kept, Piece(Kind.OMITTED)) if maximum < 0 else tuple(kept)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the number of words that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _pieces(old: Sequence[str], new: Sequence[str], blocks: Sequence[tuple[int, int, int]]) -> Iterator[Piece]:
    for (a, b, size), (next_a, next_b, _) in pairwise(blocks):
        yield from _same(old[a : a + size], first=a == 0, last=a + size == len(old) and b + size == len(new))
        yield Piece(Kind.REMOVED, "".join(old[a + size : next_a]))
        yield Piece(Kind.ADDED, "".join(new[b + size : next_b]))


def _same(words: Sequence[str], *, first: bool, last: bool) -> Iterator[Piece]:
    """Yields the words, or only those next to a difference if there are many."""
    if len(words) <= 3 * _CONTEXT_WORDS:
        yield Piece(Kind.SAME, "".join(words))
        return
    if not first:
        yield Piece(Kind.SAME, "".join(words[:_CONTEXT_WORDS]))
    yield Piece(Kind.OMITTED)
    if not last:
        yield Piece(Kind.SAME, "".join(words[-_CONTEXT_WORDS:]))
