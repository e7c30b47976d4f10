import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.users import Role, check_password, parse_email, parse_user_id
from polyant.testing.factories import UserFactory


@pytest.mark.parametrize(
    "text, email",
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.O'Neil+x@Example.COM\n", "ann.o'neil+x@example.com"),
        ("admin@localhost", "admin@localhost"),
        ("a@1", "a@1"),
        ("x" * 64 + "@" + "y" * 254, "x" * 64 + "@" + "y" * 254),
    ],
)
def test_email_is_kept_in_lower_case_without_space_around_it(text: str, email: str) -> None:
    assert parse_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        *("", "ann", "ann@", "@example.com", "ann@@example.com", "ann@bob@example.com", "ann smith@example.com"),
        *("ann@-example.com", "ann@example.com.", "ann@exam_ple.com", "änn@example.com", "ann@exämple.com"),
        *("a\0nn@example.com", "a\x1fnn@example.com", "a\x7fnn@example.com", "a\tnn@example.com", "ann\n@example.com"),
        *('"ann"@example.com', "Ann <ann@example.com>", "ann,bob@example.com", "ann\\@example.com"),
        *("x" * 65 + "@example.com", "x@" + "y" * 255),
    ],
)
def test_invalid_email_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="email must look like"):
        parse_email(text)


@given(st.text())
def test_accepted_email_has_only_printable_ascii_and_is_stable(text: str) -> None:
    try:
        email = parse_email(text + "@example.com")
    except InvalidInputError:
        return
    assert email.isascii()
    assert email.isprintable()
    assert parse_email(email) == email


@pytest.mark.parametrize("password", ["x" * 12, "x" * 1_024, " " * 12, "päßwörter🔑 mit Raum"])
def test_password_has_12_to_1024_characters(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1_025])
def test_invalid_password_is_refused_without_showing_it(password: str) -> None:
    with pytest.raises(InvalidInputError, match="12 to 1024 characters") as caught:
        check_password(password)
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "g" * 32, "A" * 32, "0" * 32 + "\n", "0" * 31 + "\0"])
def test_user_id_is_32_hex_digits(text: str) -> None:
    assert parse_user_id("09af" * 8) == "09af" * 8
    with pytest.raises(InvalidInputError):
        parse_user_id(text)


@pytest.mark.parametrize(
    "role, disabled, active",
    [(Role.SUPERADMIN, False, True), (Role.SUPERADMIN, True, False), (Role.USER, False, False)],
)
def test_active_superadmin_is_one_who_is_not_disabled(role: Role, *, disabled: bool, active: bool) -> None:
    assert UserFactory.build(role=role, disabled=disabled).is_active_superadmin is active


def test_text_of_a_user_does_not_show_the_hash() -> None:
    user = UserFactory.build()
    assert user.password_hash not in f"{user} {user!r} {[user]}"
