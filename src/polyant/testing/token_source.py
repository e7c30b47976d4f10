"""The contract of the port TokenSource."""

import math
import re
from collections.abc import Sequence

import pytest

from polyant.domain.ports.token_source import TokenSource
from polyant.testing.contract import Contract, proves

# With this many draws, the chance that a possible value of a character never appears is less than one in a billion.
DRAWS = 2_000


class TokenSourceContract(Contract):
    """The tests that every TokenSource must pass; subclasses provide it."""

    @pytest.fixture
    def tokens(self) -> TokenSource:
        raise NotImplementedError("return the token source under test")

    def test_implements_the_port(self, tokens: TokenSource) -> None:
        assert isinstance(tokens, TokenSource)

    @proves("Returns 32 lowercase hex digits, 128 random bits.")
    def test_ids_are_32_lowercase_hex_digits(self, tokens: TokenSource) -> None:
        for drawn in (tokens.instance_id(), tokens.user_id(), tokens.session_id(), tokens.turn_id()):
            assert re.fullmatch(r"[0-9a-f]{32}", drawn)

    @proves("Returns 32 lowercase hex digits, 128 random bits.")
    def test_ids_have_128_random_bits(self, tokens: TokenSource) -> None:
        """A UUID has only 122."""
        for draw in (tokens.instance_id, tokens.user_id, tokens.session_id, tokens.turn_id):
            assert random_bits([draw() for _ in range(DRAWS)]) == 128

    @proves("Returns `sk-` and at least 192 random bits, in characters that need no quoting in a shell or URL.")
    def test_api_key_is_sk_prefix_and_characters_that_need_no_quoting(self, tokens: TokenSource) -> None:
        for _ in range(100):
            assert re.fullmatch(r"sk-[A-Za-z0-9_-]+", tokens.api_key().reveal())

    @proves("Returns `sk-` and at least 192 random bits, in characters that need no quoting in a shell or URL.")
    def test_api_key_has_at_least_192_random_bits(self, tokens: TokenSource) -> None:
        assert random_bits([tokens.api_key().reveal() for _ in range(DRAWS)]) >= 192

    @proves("Returns at least 12 letters and digits with at least 96 random bits.")
    def test_password_has_at_least_12_letters_and_digits(self, tokens: TokenSource) -> None:
        for _ in range(100):
            assert re.fullmatch(r"[A-Za-z0-9]{12,}", tokens.password().reveal())

    @proves("Returns at least 12 letters and digits with at least 96 random bits.")
    def test_password_has_at_least_96_random_bits(self, tokens: TokenSource) -> None:
        assert random_bits([tokens.password().reveal() for _ in range(DRAWS)]) >= 96

    @proves("Generates unique values that can't be guessed.")
    def test_generated_values_are_unique(self, tokens: TokenSource) -> None:
        drawn = [
            draw
            for _ in range(DRAWS)
            for draw in (
                *(tokens.instance_id(), tokens.user_id(), tokens.session_id(), tokens.turn_id()),
                *(tokens.api_key().reveal(), tokens.password().reveal()),
            )
        ]
        assert len(set(drawn)) == len(drawn)


def random_bits(drawn: Sequence[str]) -> float:
    """Returns the number of bits in the values, computed from the distinct characters at each position."""
    return sum(math.log2(len(set(characters))) for characters in zip(*drawn, strict=True))
