"""The contract of the port SecretCipher."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterator
from itertools import permutations
from typing import TypeVar

import pytest
from msgspec.structs import replace

from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretName, SecretText
from polyant.testing.contract import Contract, proves
from polyant.testing.guessed_fingerprints import guessed_fingerprints

ResultT = TypeVar("ResultT")

SECRET = SecretText("sk-Grüße-🗝")
ADDRESS = SecretAddress(
    instance_id="0123456789abcdef0123456789abcdef",
    name=SecretName("openai_api_key"),
    origin="https://api.openai.com:443",
)
UNBOUND = replace(ADDRESS, origin=None)
ADDRESSES = {
    "an address": ADDRESS,
    "another instance": replace(ADDRESS, instance_id="f" * 32),
    "another name": replace(ADDRESS, name=SecretName("auth_api_key")),
    "another origin": replace(ADDRESS, origin="https://api.openai.com:444"),
    "no origin": UNBOUND,
    "an empty origin": replace(ADDRESS, origin=""),
    "parts split differently": replace(
        ADDRESS, instance_id=ADDRESS.instance_id + "o", name=SecretName("penai_api_key")
    ),
}
RUBBISH = ("", "v1", "...", "plain text", "\0", "clé", "v1.00.!!", "A" * 10_000)


MARKER = "Grape-Juice"
UNENCODABLE = f"{MARKER}\ud800"
"""A text that UTF-8 can't encode. Python's error contains the text."""

_SEALS = 1_000
_NONCE_AND_TAG_BITS = 96 + 128
_BITS_PER_CHARACTER = 6
_TOLERANCE_BITS = 8
"""Bits that share a character with others."""


class SecretCipherContract(Contract):
    """The tests that every SecretCipher must pass; subclasses provide five of them."""

    @pytest.fixture
    def cipher(self) -> SecretCipher:
        raise NotImplementedError("return the cipher under test, with one key")

    @pytest.fixture
    def successor(self) -> SecretCipher:
        raise NotImplementedError("return a cipher with a new key and the key of `cipher` as a previous key")

    @pytest.fixture
    def stranger(self) -> SecretCipher:
        raise NotImplementedError("return a cipher that shares no key with `cipher`")

    @pytest.fixture
    def restarted(self) -> SecretCipher:
        raise NotImplementedError("return another cipher with the key of `cipher`, as after a restart")

    @pytest.fixture
    def relabelled(self) -> SecretCipher:
        raise NotImplementedError("return a cipher with another key that has the id of the key of `cipher`")

    def test_implements_the_port(self, cipher: SecretCipher) -> None:
        assert isinstance(cipher, SecretCipher)

    # seal

    @proves("The ciphertext is ASCII and contains its format version and the id of the key that encrypted it.")
    async def test_ciphertext_is_ascii(self, cipher: SecretCipher) -> None:
        assert (await cipher.seal(SECRET, ADDRESS)).isascii()

    @proves("The ciphertext is ASCII and contains its format version and the id of the key that encrypted it.")
    async def test_ciphertext_contains_version_then_key_id(self, cipher: SecretCipher) -> None:
        first, second = [
            (await cipher.seal(SECRET, address)).partition(await cipher.key_id()) for address in [ADDRESS] * 2
        ]
        assert first[0] == second[0] != ""
        assert first[1] == second[1] == await cipher.key_id()

    @proves(
        "It differs on each call, also after a restart, so it doesn't reveal whether two secrets are equal.",
        "It contains a nonce or initialization vector of at least 96 bits, so that none repeats, and an "
        "authentication tag of at least 128 bits.",
    )
    async def test_ciphertext_differs_on_each_call(self, cipher: SecretCipher) -> None:
        assert len({await cipher.seal(SECRET, ADDRESS) for _ in range(_SEALS)}) == _SEALS

    @proves("It differs on each call, also after a restart, so it doesn't reveal whether two secrets are equal.")
    async def test_ciphertext_differs_after_a_restart(self, cipher: SecretCipher, restarted: SecretCipher) -> None:
        sealed = [await each.seal(SECRET, ADDRESS) for _ in range(10) for each in (cipher, restarted)]
        assert len(set(sealed)) == len(sealed)

    @proves(
        "It contains a nonce or initialization vector of at least 96 bits, so that none repeats, and an "
        "authentication tag of at least 128 bits.",
    )
    async def test_nonce_and_tag_are_long(self, cipher: SecretCipher) -> None:
        """Shorter ones leave constant characters, or a short ciphertext."""
        sealed = [await cipher.seal(SecretText(""), ADDRESS) for _ in range(100)]
        assert _varying_bits(sealed) >= _NONCE_AND_TAG_BITS - _TOLERANCE_BITS

    @proves("Returns the ciphertext of a secret.")
    async def test_ciphertext_does_not_contain_secret(self, cipher: SecretCipher) -> None:
        assert MARKER not in await cipher.seal(SecretText(MARKER), ADDRESS)

    # open

    @proves("Returns the secret that was encrypted for the same address.")
    @pytest.mark.parametrize("text", ["", "x", "sk-Grüße-🗝", "two\nlines\0", "long " * 10_000])
    async def test_secret_is_decrypted_for_its_address(self, cipher: SecretCipher, text: str) -> None:
        assert (await cipher.open(await cipher.seal(SecretText(text), ADDRESS), ADDRESS)).reveal() == text

    async def test_secret_without_origin_is_decrypted_for_its_address(self, cipher: SecretCipher) -> None:
        assert (await cipher.open(await cipher.seal(SECRET, UNBOUND), UNBOUND)).reveal() == SECRET.reveal()

    @proves(
        "SecretUnreadableError: The ciphertext is damaged, has an unknown version or key, or belongs to "
        "another address (another instance, name or origin).",
    )
    @pytest.mark.parametrize(
        ("home", "other"),
        [pytest.param(ADDRESSES[one], ADDRESSES[two], id=f"{one}, {two}") for one, two in permutations(ADDRESSES, 2)],
    )
    async def test_secret_is_not_decrypted_for_another_address(
        self, cipher: SecretCipher, home: SecretAddress, other: SecretAddress
    ) -> None:
        sealed = await cipher.seal(SECRET, home)
        with pytest.raises(SecretUnreadableError):
            await cipher.open(sealed, other)

    @proves(
        "SecretUnreadableError: The ciphertext is damaged, has an unknown version or key, or belongs to "
        "another address (another instance, name or origin).",
    )
    async def test_ciphertext_with_any_changed_character_is_rejected(self, cipher: SecretCipher) -> None:
        sealed = await cipher.seal(SECRET, ADDRESS)
        for at, character in enumerate(sealed):
            for other in {"A", "b", "0", "_", ".", "=", " ", "\n", "é"} - {character}:
                with pytest.raises(SecretUnreadableError):
                    await cipher.open(sealed[:at] + other + sealed[at + 1 :], ADDRESS)

    async def test_truncated_or_extended_ciphertext_is_rejected(self, cipher: SecretCipher) -> None:
        sealed = await cipher.seal(SECRET, ADDRESS)
        for at in range(len(sealed)):
            for damaged in (sealed[:at], sealed[at + 1 :], sealed[:at] + "A" + sealed[at:]):
                with pytest.raises(SecretUnreadableError):
                    await cipher.open(damaged, ADDRESS)
        for more in ("A", "=", "\n", "."):
            with pytest.raises(SecretUnreadableError):
                await cipher.open(sealed + more, ADDRESS)

    @pytest.mark.parametrize("rubbish", RUBBISH)
    async def test_text_that_is_no_ciphertext_is_rejected(self, cipher: SecretCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            await cipher.open(rubbish, ADDRESS)

    @proves(
        "SecretUnreadableError: The ciphertext is damaged, has an unknown version or key, or belongs to "
        "another address (another instance, name or origin).",
    )
    async def test_ciphertext_with_unknown_version_is_rejected(self, cipher: SecretCipher) -> None:
        version, key_id, rest = (await cipher.seal(SECRET, ADDRESS)).partition(await cipher.key_id())
        with pytest.raises(SecretUnreadableError):
            await cipher.open("9" + version + key_id + rest, ADDRESS)

    @proves(
        "SecretUnreadableError: The ciphertext is damaged, has an unknown version or key, or belongs to "
        "another address (another instance, name or origin).",
    )
    async def test_ciphertext_from_unknown_key_is_rejected(self, cipher: SecretCipher, stranger: SecretCipher) -> None:
        with pytest.raises(SecretUnreadableError):
            await cipher.open(await stranger.seal(SECRET, ADDRESS), ADDRESS)

    async def test_ciphertext_with_id_of_another_key_is_rejected(
        self, cipher: SecretCipher, successor: SecretCipher
    ) -> None:
        sealed = await cipher.seal(SECRET, ADDRESS)
        with pytest.raises(SecretUnreadableError):
            await successor.open(sealed.replace(await cipher.key_id(), await successor.key_id()), ADDRESS)

    async def test_ciphertext_from_previous_key_is_decrypted(
        self, cipher: SecretCipher, successor: SecretCipher
    ) -> None:
        assert (await successor.open(await cipher.seal(SECRET, ADDRESS), ADDRESS)).reveal() == SECRET.reveal()

    @proves("The message contains neither ciphertext nor secret.")
    async def test_error_contains_neither_ciphertext_nor_secret(self, cipher: SecretCipher) -> None:
        sealed = await cipher.seal(SECRET, ADDRESS)
        with pytest.raises(SecretUnreadableError) as caught:
            await cipher.open(sealed, ADDRESSES["another instance"])
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
        assert sealed not in shown
        assert SECRET.reveal() not in shown

    # secrets in logs and errors

    @proves("No log line, and no exception that a method raises or replaces, contains a secret.")
    async def test_secret_is_in_no_log_and_no_output(
        self, cipher: SecretCipher, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(0)
        await _errors_of(cipher, SecretText(MARKER))
        assert MARKER not in "".join([caplog.text, *capfd.readouterr()])

    @proves("No log line, and no exception that a method raises or replaces, contains a secret.")
    @pytest.mark.parametrize("text", [MARKER, UNENCODABLE], ids=["text", "unencodable text"])
    async def test_secret_is_in_no_exception(self, cipher: SecretCipher, text: str) -> None:
        logging.disable()
        try:
            errors = await _errors_of(cipher, SecretText(text))
        finally:
            logging.disable(logging.NOTSET)
        assert [each for each in errors if MARKER in each] == []

    @proves("Calls may overlap.")
    async def test_calls_overlap(self, cipher: SecretCipher) -> None:
        secrets = [SecretText(f"sk-{number}") for number in range(20)]
        sealed = await asyncio.gather(*(cipher.seal(secret, ADDRESS) for secret in secrets))
        opened = await asyncio.gather(*(cipher.open(text, ADDRESS) for text in sealed))
        assert [text.reveal() for text in opened] == [secret.reveal() for secret in secrets]

    # fingerprints

    @proves("Two secrets have equal fingerprints if and only if they are equal.")
    async def test_equal_secrets_have_equal_fingerprints(self, cipher: SecretCipher) -> None:
        assert await cipher.fingerprints(SECRET) == await cipher.fingerprints(SecretText(SECRET.reveal()))

    @proves("Two secrets have equal fingerprints if and only if they are equal.")
    async def test_different_secrets_have_different_fingerprints(self, cipher: SecretCipher) -> None:
        assert len({(await cipher.fingerprints(SecretText(f"sk-{number}")))[0] for number in range(100)}) == 100

    @proves("Returns every keyed hash under which the secret may be stored, starting with the current key's.")
    async def test_fingerprints_of_all_keys_start_with_current_key(
        self, cipher: SecretCipher, successor: SecretCipher
    ) -> None:
        assert len(await cipher.fingerprints(SECRET)) == 1
        new, *previous = await successor.fingerprints(SECRET)
        assert previous == list(await cipher.fingerprints(SECRET))
        assert new not in previous

    async def test_different_master_keys_have_different_fingerprints(
        self, cipher: SecretCipher, stranger: SecretCipher
    ) -> None:
        assert set(await cipher.fingerprints(SECRET)).isdisjoint(await stranger.fingerprints(SECRET))

    @proves("Without the master key, a fingerprint can be used neither to recover a secret nor to test a guess.")
    async def test_fingerprint_depends_on_the_key_not_on_its_id(
        self, cipher: SecretCipher, relabelled: SecretCipher
    ) -> None:
        assert await cipher.key_id() == await relabelled.key_id()
        assert set(await cipher.fingerprints(SECRET)).isdisjoint(await relabelled.fingerprints(SECRET))

    @proves("Without the master key, a fingerprint can be used neither to recover a secret nor to test a guess.")
    async def test_fingerprint_is_not_computed_from_public_values(self, cipher: SecretCipher) -> None:
        sealed = await cipher.seal(SECRET, ADDRESS)
        public = ["", await cipher.key_id(), *sealed.split("."), ADDRESS.instance_id, ADDRESS.name, "polyant"]
        (fingerprint,) = await cipher.fingerprints(SECRET)
        assert [guess for guess in guessed_fingerprints(SECRET, public) if guess.startswith(fingerprint)] == []

    async def test_fingerprint_contains_no_part_of_the_secret(self, cipher: SecretCipher) -> None:
        assert MARKER not in "".join(await cipher.fingerprints(SecretText(MARKER)))

    # key_id, key_id_of

    @proves("Returns the id of the key that encrypts now; the id reveals nothing about the key.")
    async def test_key_id_is_stable_and_unique_per_key(
        self, cipher: SecretCipher, successor: SecretCipher, stranger: SecretCipher
    ) -> None:
        assert await cipher.key_id() == await cipher.key_id()
        assert len({await cipher.key_id(), await successor.key_id(), await stranger.key_id()}) == 3

    @proves("Returns the id of the key that produced this ciphertext.")
    async def test_key_id_of_ciphertext_is_id_of_its_key(self, cipher: SecretCipher, successor: SecretCipher) -> None:
        assert await successor.key_id_of(await successor.seal(SECRET, ADDRESS)) == await successor.key_id()
        assert await successor.key_id_of(await cipher.seal(SECRET, ADDRESS)) == await cipher.key_id()

    @proves("Returns the id of the key that produced this ciphertext.")
    async def test_key_id_of_ciphertext_does_not_require_the_key(
        self, cipher: SecretCipher, stranger: SecretCipher
    ) -> None:
        assert await cipher.key_id_of(await stranger.seal(SECRET, ADDRESS)) == await stranger.key_id()

    @proves("SecretUnreadableError: The text isn't a ciphertext of this cipher.")
    @pytest.mark.parametrize("rubbish", RUBBISH)
    async def test_text_that_is_no_ciphertext_has_no_key_id(self, cipher: SecretCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            await cipher.key_id_of(rubbish)


async def _errors_of(cipher: SecretCipher, secret: SecretText) -> list[str]:
    """Uses the secret in each way, also in wrong ones, and returns everything that the raised exceptions show."""
    shown: list[str] = []
    sealed = await _result_of(cipher.seal(secret, ADDRESS), shown)
    for address in ADDRESSES.values():
        await _result_of(cipher.open(sealed or "", address), shown)
    await _result_of(cipher.fingerprints(secret), shown)
    return shown


async def _result_of(call: Awaitable[ResultT], shown: list[str]) -> ResultT | None:
    """Returns the result of the call, or None if it fails; then `shown` gets the data of all its exceptions."""
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - each exception is examined
        shown.extend(f"{each!r} {each} {vars(each)} {_fields(each)}" for each in _chain(error))
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the exception, its causes and its contexts, also the suppressed ones."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def _fields(error: BaseException) -> str:
    """Returns the data of an exception of the standard library, such as the text that couldn't be encoded."""
    return repr([getattr(error, name, None) for name in ("args", "object", "doc", "value")])


def _varying_bits(sealed: list[str]) -> float:
    """Returns how many bits differ between the ciphertexts, from the characters at the positions that differ."""
    columns = [set(column) for column in zip(*sealed, strict=False)]
    varying = [column for column in columns if len(column) > 1]
    alphabet = set[str]().union(*varying)
    return len(varying) * min(math.log2(max(len(alphabet), 1)), _BITS_PER_CHARACTER)
