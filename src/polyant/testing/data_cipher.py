"""The contract of the port DataCipher."""

import asyncio
from base64 import urlsafe_b64encode
from itertools import permutations

import pytest

from polyant.domain.data_keys import DataAddress, wrapping_address
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.testing.contract import Contract, proves

CONVERSATION = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
ADDRESS = DataAddress(CONVERSATION, "1", "user")
ADDRESSES = {
    "an address": ADDRESS,
    "another conversation": DataAddress(OTHER, "1", "user"),
    "another message": DataAddress(CONVERSATION, "2", "user"),
    "another role": DataAddress(CONVERSATION, "1", "assistant"),
    "parts split differently": DataAddress(CONVERSATION, "1u", "ser"),
}
DATA = b"Apple-Strudel \x00\xff" * 3
TEXT = "Apple-Strudel 🥧"
RUBBISH = ("", "v1", "\0", "clé", "AA==", "A" * 10_000)


class DataCipherContract(Contract):
    """The tests that every DataCipher must pass; subclasses provide four of them, and the SecretCipher of one."""

    @pytest.fixture
    def data_cipher(self) -> DataCipher:
        raise NotImplementedError("return the cipher under test, which wraps with `secret_cipher`")

    @pytest.fixture
    def data_cipher_successor(self) -> DataCipher:
        raise NotImplementedError("return a cipher with a new master key, and that of `data_cipher` as a previous key")

    @pytest.fixture
    def data_cipher_stranger(self) -> DataCipher:
        raise NotImplementedError("return a cipher that shares no master key with `data_cipher`")

    @pytest.fixture
    def data_cipher_newest(self) -> DataCipher:
        raise NotImplementedError("return a cipher with only the new master key of `data_cipher_successor`")

    @pytest.fixture
    def secret_cipher(self) -> SecretCipher:
        raise NotImplementedError("return the SecretCipher of `data_cipher`")

    @pytest.fixture
    async def key(self, data_cipher: DataCipher) -> DataKey:
        """A new data key."""
        return (await data_cipher.create_key(CONVERSATION))[0]

    @pytest.fixture
    async def other_key(self, data_cipher: DataCipher) -> DataKey:
        """Another data key of the same conversation."""
        return (await data_cipher.create_key(CONVERSATION))[0]

    def test_implements_the_port(self, data_cipher: DataCipher, key: DataKey) -> None:
        assert isinstance(data_cipher, DataCipher)
        assert isinstance(key, DataKey)

    # create_key, unwrap_key

    @proves("Returns a new random data key for a conversation, and its wrapped form in ASCII, which is stored.")
    async def test_wrapped_key_is_ascii_and_new_on_each_call(self, data_cipher: DataCipher) -> None:
        wrapped = [(await data_cipher.create_key(CONVERSATION))[1] for _ in range(20)]
        assert len(set(wrapped)) == 20
        assert all(text.isascii() for text in wrapped)

    @proves("Calls may overlap.")
    async def test_calls_overlap(self, data_cipher: DataCipher) -> None:
        created = await asyncio.gather(*(data_cipher.create_key(str(number)) for number in range(20)))
        calls = (data_cipher.unwrap_key(wrapped, str(number)) for number, (_, wrapped) in enumerate(created))
        unwrapped = await asyncio.gather(*calls)
        prints = [key.fingerprint(DATA) for key, _ in created]
        assert [key.fingerprint(DATA) for key in unwrapped] == prints
        assert len(set(prints)) == 20

    @proves("Returns the data key of a conversation.")
    async def test_unwrapped_key_decrypts_what_the_created_key_encrypted(self, data_cipher: DataCipher) -> None:
        key, wrapped = await data_cipher.create_key(CONVERSATION)
        unwrapped = await data_cipher.unwrap_key(wrapped, CONVERSATION)
        assert unwrapped.decrypt_text(key.encrypt_text(TEXT, ADDRESS), ADDRESS) == TEXT
        assert unwrapped.fingerprint(DATA) == key.fingerprint(DATA)

    @proves(
        "SecretUnreadableError: The wrapped key is damaged, belongs to another conversation, or was "
        "encrypted with a master key that isn't configured.",
    )
    async def test_key_is_not_unwrapped_for_another_conversation(self, data_cipher: DataCipher) -> None:
        _, wrapped = await data_cipher.create_key(CONVERSATION)
        with pytest.raises(SecretUnreadableError):
            await data_cipher.unwrap_key(wrapped, OTHER)

    @proves(
        "SecretUnreadableError: The wrapped key is damaged, belongs to another conversation, or was "
        "encrypted with a master key that isn't configured.",
    )
    async def test_key_is_not_unwrapped_without_its_master_key(
        self, data_cipher: DataCipher, data_cipher_stranger: DataCipher
    ) -> None:
        _, wrapped = await data_cipher.create_key(CONVERSATION)
        with pytest.raises(SecretUnreadableError):
            await data_cipher_stranger.unwrap_key(wrapped, CONVERSATION)

    @proves("Returns the data key of a conversation.")
    async def test_key_is_unwrapped_with_a_previous_master_key(
        self, data_cipher: DataCipher, data_cipher_successor: DataCipher
    ) -> None:
        key, wrapped = await data_cipher.create_key(CONVERSATION)
        unwrapped = await data_cipher_successor.unwrap_key(wrapped, CONVERSATION)
        assert unwrapped.decrypt(key.encrypt(DATA, ADDRESS), ADDRESS) == DATA

    @proves(
        "SecretUnreadableError: The wrapped key is damaged, belongs to another conversation, or was "
        "encrypted with a master key that isn't configured.",
    )
    async def test_changed_wrapped_key_is_rejected(self, data_cipher: DataCipher) -> None:
        _, wrapped = await data_cipher.create_key(CONVERSATION)
        for at, character in enumerate(wrapped):
            with pytest.raises(SecretUnreadableError):
                await data_cipher.unwrap_key(
                    wrapped[:at] + ("A" if character != "A" else "B") + wrapped[at + 1 :], CONVERSATION
                )

    @pytest.mark.parametrize("rubbish", RUBBISH)
    async def test_text_that_is_no_wrapped_key_is_rejected(self, data_cipher: DataCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            await data_cipher.unwrap_key(rubbish, CONVERSATION)

    @pytest.mark.parametrize("secret", ["", "short", "sk-Grüße", "A" * 44, "A" * 42 + "=="])
    async def test_other_secret_at_the_key_s_address_is_rejected(
        self, data_cipher: DataCipher, secret_cipher: SecretCipher, secret: str
    ) -> None:
        """No error but SecretUnreadableError leaves `unwrap_key`, whatever was encrypted."""
        sealed = await secret_cipher.seal(SecretText(secret), wrapping_address(CONVERSATION))
        with pytest.raises(SecretUnreadableError):
            await data_cipher.unwrap_key(sealed, CONVERSATION)

    # rewrap_key, key_id, key_id_of

    @proves("Returns the same data key, wrapped with the current master key.")
    async def test_rewrapped_key_needs_only_the_current_master_key(
        self, data_cipher: DataCipher, data_cipher_successor: DataCipher, data_cipher_newest: DataCipher
    ) -> None:
        key, wrapped = await data_cipher.create_key(CONVERSATION)
        rewrapped = await data_cipher_successor.rewrap_key(wrapped, CONVERSATION)
        unwrapped = await data_cipher_newest.unwrap_key(rewrapped, CONVERSATION)
        assert unwrapped.decrypt(key.encrypt(DATA, ADDRESS), ADDRESS) == DATA

    @proves(
        "Returns the id of the master key that wraps now; the id reveals nothing about the key.",
        "Returns the id of the master key that wrapped a data key.",
    )
    async def test_key_id_tells_which_master_key_wrapped_a_key(
        self, data_cipher: DataCipher, data_cipher_successor: DataCipher
    ) -> None:
        _, wrapped = await data_cipher.create_key(CONVERSATION)
        assert await data_cipher.key_id_of(wrapped) == await data_cipher.key_id()
        assert await data_cipher_successor.key_id_of(wrapped) != await data_cipher_successor.key_id()
        rewrapped = await data_cipher_successor.rewrap_key(wrapped, CONVERSATION)
        assert await data_cipher_successor.key_id_of(rewrapped) == await data_cipher_successor.key_id()

    @proves("SecretUnreadableError: As for `unwrap_key`.")
    async def test_key_is_not_rewrapped_for_another_conversation_or_without_its_master_key(
        self, data_cipher: DataCipher, data_cipher_stranger: DataCipher
    ) -> None:
        _, wrapped = await data_cipher.create_key(CONVERSATION)
        with pytest.raises(SecretUnreadableError):
            await data_cipher.rewrap_key(wrapped, OTHER)
        with pytest.raises(SecretUnreadableError):
            await data_cipher_stranger.rewrap_key(wrapped, CONVERSATION)

    @proves("SecretUnreadableError: The text isn't a wrapped key.")
    @pytest.mark.parametrize("rubbish", RUBBISH)
    async def test_text_that_is_no_wrapped_key_has_no_key_id(self, data_cipher: DataCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            await data_cipher.key_id_of(rubbish)

    # encrypt, decrypt

    @proves(
        "It differs on each call, and is at most 64 bytes longer than the data.",
    )
    @proves("Returns the data that this key encrypted for the same address.")
    @pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(100_000)])
    def test_data_are_decrypted_for_their_address(self, key: DataKey, data: bytes) -> None:
        encrypted = key.encrypt(data, ADDRESS)
        assert key.decrypt(encrypted, ADDRESS) == data
        assert len(encrypted) <= len(data) + 64

    @proves("Returns the text that this key encrypted for the same address.")
    @pytest.mark.parametrize("text", ["", "x", TEXT, "two\nlines\0", "\ud800 alone", "long " * 10_000])
    def test_text_is_decrypted_for_its_address(self, key: DataKey, text: str) -> None:
        encrypted = key.encrypt_text(text, ADDRESS)
        assert encrypted.isascii()
        assert key.decrypt_text(encrypted, ADDRESS) == text

    @proves(
        "SecretUnreadableError: The ciphertext is damaged, or belongs to another key or address.",
        "SecretUnreadableError: As for `decrypt`; also for the result of `encrypt`, in any encoding.",
    )
    @pytest.mark.parametrize(
        ("home", "other"),
        [pytest.param(ADDRESSES[one], ADDRESSES[two], id=f"{one}, {two}") for one, two in permutations(ADDRESSES, 2)],
    )
    def test_ciphertext_is_not_decrypted_for_another_address(
        self, key: DataKey, home: DataAddress, other: DataAddress
    ) -> None:
        with pytest.raises(SecretUnreadableError):
            key.decrypt(key.encrypt(DATA, home), other)
        with pytest.raises(SecretUnreadableError):
            key.decrypt_text(key.encrypt_text(TEXT, home), other)

    @proves("Returns the texts that this key encrypted for these addresses, in their order.")
    def test_texts_are_decrypted_together_in_their_order(self, key: DataKey) -> None:
        texts = [TEXT, "", "\ud800 alone", "long " * 10_000, TEXT]
        encrypted = [
            (key.encrypt_text(text, address), address) for text, address in zip(texts, ADDRESSES.values(), strict=True)
        ]
        assert key.decrypt_texts(encrypted) == texts
        assert key.decrypt_texts(encrypted[::-1]) == texts[::-1]
        assert key.decrypt_texts([]) == []

    @proves("SecretUnreadableError: As for `decrypt_text`, if one of them can't be decrypted.")
    def test_texts_are_not_decrypted_together_if_one_of_them_cannot_be(self, key: DataKey, other_key: DataKey) -> None:
        good = key.encrypt_text(TEXT, ADDRESS), ADDRESS
        rubbish = [(text, ADDRESS) for text in RUBBISH]
        moved = [(good[0], address) for address in ADDRESSES.values() if address != ADDRESS]
        foreign = [(other_key.encrypt_text(TEXT, ADDRESS), ADDRESS)]
        of_bytes = [(urlsafe_b64encode(key.encrypt(TEXT.encode(), ADDRESS)).decode(), ADDRESS)]
        for bad in (*rubbish, *moved, *foreign, *of_bytes):
            with pytest.raises(SecretUnreadableError):
                key.decrypt_texts([good, bad, good])

    @proves("SecretUnreadableError: The ciphertext is damaged, or belongs to another key or address.")
    def test_ciphertext_is_not_decrypted_by_another_key(self, key: DataKey, other_key: DataKey) -> None:
        with pytest.raises(SecretUnreadableError):
            other_key.decrypt(key.encrypt(DATA, ADDRESS), ADDRESS)
        with pytest.raises(SecretUnreadableError):
            other_key.decrypt_text(key.encrypt_text(TEXT, ADDRESS), ADDRESS)

    @proves(
        "It differs on each call, and is at most 64 bytes longer than the data.",
    )
    @proves(
        "Returns the ciphertext of the data.", "Returns the ciphertext of any text, in ASCII; it differs on each call."
    )
    def test_ciphertext_differs_on_each_call_and_does_not_contain_the_content(self, key: DataKey) -> None:
        assert len({key.encrypt(DATA, ADDRESS) for _ in range(100)}) == 100
        assert len({key.encrypt_text(TEXT, ADDRESS) for _ in range(100)}) == 100
        assert b"Strudel" not in key.encrypt(DATA, ADDRESS)
        assert "Strudel" not in key.encrypt_text(TEXT, ADDRESS)

    @proves("SecretUnreadableError: The ciphertext is damaged, or belongs to another key or address.")
    def test_any_flipped_bit_is_rejected(self, key: DataKey) -> None:
        encrypted = key.encrypt(DATA, ADDRESS)
        for bit in range(8 * len(encrypted)):
            damaged = bytearray(encrypted)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SecretUnreadableError):
                key.decrypt(bytes(damaged), ADDRESS)

    def test_changed_truncated_or_extended_text_is_rejected(self, key: DataKey) -> None:
        encrypted = key.encrypt_text(TEXT, ADDRESS)
        for at, character in enumerate(encrypted):
            other = "A" if character != "A" else "B"
            for damaged in (
                encrypted[:at],
                encrypted[:at] + encrypted[at + 1 :],
                encrypted[:at] + other + encrypted[at + 1 :],
            ):
                with pytest.raises(SecretUnreadableError):
                    key.decrypt_text(damaged, ADDRESS)
        for more in ("A", "=", "\n", "AAAA"):
            with pytest.raises(SecretUnreadableError):
                key.decrypt_text(encrypted + more, ADDRESS)

    @pytest.mark.parametrize("rubbish", RUBBISH)
    def test_rubbish_is_rejected(self, key: DataKey, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            key.decrypt_text(rubbish, ADDRESS)
        with pytest.raises(SecretUnreadableError):
            key.decrypt(rubbish.encode(), ADDRESS)

    @proves("SecretUnreadableError: As for `decrypt`; also for the result of `encrypt`, in any encoding.")
    def test_ciphertext_of_bytes_is_no_ciphertext_of_text(self, key: DataKey) -> None:
        encrypted = key.encrypt(TEXT.encode(), ADDRESS)
        for form in (urlsafe_b64encode(encrypted).decode(), encrypted.hex(), encrypted.decode("latin-1")):
            with pytest.raises(SecretUnreadableError):
                key.decrypt_text(form, ADDRESS)

    # repr, errors

    @proves(
        "No method waits, and no repr or error contains the key or anything that it encrypted.",
        "The message contains neither ciphertext nor data.",
    )
    @proves("The message contains no key.")
    async def test_repr_and_errors_contain_no_key_and_no_content(
        self, data_cipher: DataCipher, secret_cipher: SecretCipher
    ) -> None:
        key, wrapped = await data_cipher.create_key(CONVERSATION)
        secret = (await secret_cipher.open(wrapped, wrapping_address(CONVERSATION))).reveal()
        encrypted = key.encrypt_text(TEXT, ADDRESS)
        with pytest.raises(SecretUnreadableError) as caught:
            key.decrypt_text(encrypted, ADDRESSES["another role"])
        shown = f"{key!r} {key} {data_cipher!r} {caught.value!r} {caught.value} {caught.value.__cause__}"
        assert not any(text in shown for text in (secret, wrapped, TEXT, encrypted))

    # fingerprint

    @proves(
        "Equal data have equal fingerprints under one key.",
        "Without the key, a fingerprint can be used neither to recover the data nor to test a guess, and "
        "fingerprints of different keys can't be compared.",
    )
    def test_fingerprints_are_equal_for_equal_data_only(self, key: DataKey, other_key: DataKey) -> None:
        assert key.fingerprint(DATA) == key.fingerprint(bytes(bytearray(DATA)))
        assert len({key.fingerprint(b"%d" % number) for number in range(100)}) == 100
        assert key.fingerprint(DATA) != other_key.fingerprint(DATA)

    @proves(
        "Returns a keyed hash of the data: 64 lowercase hex digits.",
    )
    def test_fingerprint_is_64_lowercase_hex_digits(self, key: DataKey) -> None:
        assert len(key.fingerprint(DATA)) == 64
        assert set(key.fingerprint(DATA)) <= set("0123456789abcdef")
