import re

import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InvalidInputError, UserExistsError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.log_in import LogIn
from polyant.domain.users import Role
from support.management import NETWORK, PASSWORD, ManagementHarness


async def test_user_can_log_in_and_is_audited(management: ManagementHarness) -> None:
    user = await (await management.get(CreateUser))(
        "Ada@Example.com", SecretText(PASSWORD), role=Role.SUPERADMIN, by=CLI
    )
    assert (user.email, user.role, user.disabled, user.version) == ("ada@example.com", Role.SUPERADMIN, False, 1)
    assert re.fullmatch("[0-9a-f]{32}", user.id)
    assert user.created_at == user.updated_at == management.clock.now()
    assert (await (await management.get(LogIn))("ada@example.com", SecretText(PASSWORD), network=NETWORK)).user == user
    assert (await management.audit_entries())[0] == ("cli", "user.create", None, "ada@example.com", ("superadmin",))


async def test_password_is_stored_as_a_salted_hash(management: ManagementHarness) -> None:
    one = await (await management.get(CreateUser))("one@example.com", SecretText(PASSWORD), by=CLI)
    two = await (await management.get(CreateUser))("two@example.com", SecretText(PASSWORD), by=CLI)
    assert one.password_hash != two.password_hash
    assert PASSWORD not in one.password_hash
    assert one.role is Role.USER


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada", PASSWORD),
        ("ada@", PASSWORD),
        ("a b@example.com", PASSWORD),
        ("a\0b@example.com", PASSWORD),
        ("adá@example.com", PASSWORD),
        (f"{'a' * 65}@example.com", PASSWORD),
        ("ada@example.com", "elevenchars"),
        ("ada@example.com", "x" * 1_025),
    ],
)
async def test_invalid_value_is_refused_and_nothing_is_stored(
    management: ManagementHarness, email: str, password: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await (await management.get(CreateUser))(email, SecretText(password), by=CLI)
    assert password not in str(caught.value)
    assert (await management.users.list()).total == 0
    assert await management.audit_entries() == []


async def test_address_is_unique_regardless_of_case(management: ManagementHarness) -> None:
    await management.add_user()
    with pytest.raises(UserExistsError):
        await (await management.get(CreateUser))("ADA@EXAMPLE.COM", SecretText(PASSWORD), by=CLI)
