import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.channels import ConnectionId
from polyant.domain.errors import InvalidInputError
from polyant.domain.pairing import PairingCodes
from polyant.domain.secrets import SecretText

OLD, NEW = SecretText("0f" * 32), SecretText("1e" * 32)
CONNECTION, OTHER = ConnectionId("a" * 22), ConnectionId("b" * 22)


def codes(*keys: SecretText) -> PairingCodes:
    return PairingCodes(cipher=AesGcmSecretCipher(master_keys=keys or (OLD,)))


@pytest.mark.parametrize("user", ["4711", "U02ABC", "491701234567"])
async def test_code_names_its_user(user: str) -> None:
    code = await codes().code_of(CONNECTION, user)
    assert code.startswith(f"{user}-")
    assert code == await codes().code_of(CONNECTION, user)
    for typed in (code, f"  {code}\n", code.lower() if user.isdecimal() else code):
        assert await codes().user_of(CONNECTION, typed) == user


async def test_code_is_valid_for_its_connection_user_and_master_key_only() -> None:
    code = await codes().code_of(CONNECTION, "4711")
    forged = f"4712-{code.partition('-')[2]}"
    for connection, given in (
        (OTHER, code),
        (CONNECTION, forged),
        (CONNECTION, code[:-1]),
        (CONNECTION, "4711"),
        (CONNECTION, ""),
    ):
        with pytest.raises(InvalidInputError, match="pairing code is wrong"):
            await codes().user_of(connection, given)
    with pytest.raises(InvalidInputError):
        await codes(NEW).user_of(CONNECTION, code)


async def test_code_stays_valid_while_the_master_key_is_replaced() -> None:
    code = await codes(OLD).code_of(CONNECTION, "4711")
    assert await codes(NEW, OLD).user_of(CONNECTION, code) == "4711"
