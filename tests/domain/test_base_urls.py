import pytest

from polyant.domain.base_urls import correction_of, parse_base_url
from polyant.domain.errors import InvalidInputError


@pytest.mark.parametrize(
    "text",
    [
        "http://h/v1/chat/completions",
        " http://h/v1/messages/ ",
        "http://h/v1//chat/completions",
        "http://h/v1/MESSAGES",
    ],
)
def test_endpoint_is_removed_with_a_notice(text: str) -> None:
    assert parse_base_url(text) == "http://h/v1"
    assert (correction_of(text) or "").startswith("The base URL was corrected to http://h/v1: /")


@pytest.mark.parametrize(
    "text", [None, "", "http://h/v1", "http://h/v1/", "http://h/messages/v1", "http://h/mymessages"]
)
def test_other_urls_are_not_corrected(text: str | None) -> None:
    assert correction_of(text) is None


def test_query_is_refused_with_the_place_where_it_belongs() -> None:
    with pytest.raises(InvalidInputError, match="in the options of the provider"):
        parse_base_url("http://h/v1?api-version=1")
