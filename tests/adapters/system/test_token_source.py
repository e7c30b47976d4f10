from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.secrets import AUTH_API_KEY, parse_secret_value


def test_api_key_is_a_valid_instance_key() -> None:
    key = SystemTokenSource().api_key().reveal()
    assert parse_secret_value(AUTH_API_KEY, key).reveal() == key


def test_api_key_is_not_shown_by_its_repr() -> None:
    key = SystemTokenSource().api_key()
    assert key.reveal() not in f"{key!r} {key}"
