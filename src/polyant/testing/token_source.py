"""Contract of the port TokenSource."""

import math
import re
from collections.abc import Sequence

import pytest

from polyant.domain.ports.token_source import TokenSource

# In so many draws every value that a character may take appears, but for a chance of less than one in a billion.
DRAWS = 2_000


class TokenSourceContract:
    """What every TokenSource does; a subclass gives it."""

    @pytest.fixture
    def tokens(self) -> TokenSource:
        raise NotImplementedError("return the token source under test")

    def test_it_has_the_shape_of_the_port(self, tokens: TokenSource) -> None:
        assert isinstance(tokens, TokenSource)

    def test_instance_id_is_32_lowercase_hex_digits(self, tokens: TokenSource) -> None:
        assert re.fullmatch(r"[0-9a-f]{32}", tokens.instance_id())

    def test_instance_id_has_128_random_bits(self, tokens: TokenSource) -> None:
        """A UUID has 122 only."""
        assert random_bits([tokens.instance_id() for _ in range(DRAWS)]) == 128

    def test_api_key_is_sk_and_characters_that_need_no_quoting(self, tokens: TokenSource) -> None:
        for _ in range(100):
            assert re.fullmatch(r"sk-[A-Za-z0-9_-]+", tokens.api_key().reveal())

    def test_api_key_has_at_least_192_random_bits(self, tokens: TokenSource) -> None:
        assert random_bits([tokens.api_key().reveal() for _ in range(DRAWS)]) >= 192

    def test_nothing_is_drawn_twice(self, tokens: TokenSource) -> None:
        drawn = [tokens.instance_id() for _ in range(DRAWS)] + [tokens.api_key().reveal() for _ in range(DRAWS)]
        assert len(set(drawn)) == 2 * DRAWS


def random_bits(drawn: Sequence[str]) -> float:
    """Returns how many bits the values can carry, going by the characters seen at each place."""
    return sum(math.log2(len(set(characters))) for characters in zip(*drawn, strict=True))
