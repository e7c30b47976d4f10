"""Contract of the port SecretCipher."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretName, SecretText

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
    "parts joined otherwise": replace(ADDRESS, instance_id=ADDRESS.instance_id + "o", name=SecretName("penai_api_key")),
}
RUBBISH = ("", "v1", "...", "plain text", "\0", "clé", "v1.00.!!", "A" * 10_000)


class SecretCipherContract:
    """What every SecretCipher does; a subclass gives three of them."""

    @pytest.fixture
    def cipher(self) -> SecretCipher:
        raise NotImplementedError("return the cipher under test, with one key")

    @pytest.fixture
    def successor(self) -> SecretCipher:
        raise NotImplementedError("return a cipher with a new key, for which the key of `cipher` is a previous one")

    @pytest.fixture
    def stranger(self) -> SecretCipher:
        raise NotImplementedError("return a cipher that shares no key with `cipher`")

    def test_it_has_the_shape_of_the_port(self, cipher: SecretCipher) -> None:
        assert isinstance(cipher, SecretCipher)

    # seal

    def test_sealed_form_is_ascii(self, cipher: SecretCipher) -> None:
        assert cipher.seal(SECRET, ADDRESS).isascii()

    def test_sealed_form_names_its_version_and_then_the_key(self, cipher: SecretCipher) -> None:
        first, second = (cipher.seal(SECRET, address).partition(cipher.key_id()) for address in [ADDRESS] * 2)
        assert first[0] == second[0] != ""
        assert first[1] == second[1] == cipher.key_id()

    def test_sealed_form_differs_at_each_call(self, cipher: SecretCipher) -> None:
        assert len({cipher.seal(SECRET, ADDRESS) for _ in range(100)}) == 100

    def test_sealed_form_does_not_show_the_secret(self, cipher: SecretCipher) -> None:
        assert "Grape-Juice" not in cipher.seal(SecretText("Grape-Juice"), ADDRESS)

    # open

    @pytest.mark.parametrize("text", ["", "x", "sk-Grüße-🗝", "two\nlines\0", "long " * 10_000])
    def test_secret_opens_at_its_address(self, cipher: SecretCipher, text: str) -> None:
        assert cipher.open(cipher.seal(SecretText(text), ADDRESS), ADDRESS).reveal() == text

    def test_secret_without_an_origin_opens_at_its_address(self, cipher: SecretCipher) -> None:
        assert cipher.open(cipher.seal(SECRET, UNBOUND), UNBOUND).reveal() == SECRET.reveal()

    @pytest.mark.parametrize(
        ("home", "other"),
        [pytest.param(ADDRESSES[one], ADDRESSES[two], id=f"{one}, {two}") for one, two in permutations(ADDRESSES, 2)],
    )
    def test_secret_opens_at_no_other_address(
        self, cipher: SecretCipher, home: SecretAddress, other: SecretAddress
    ) -> None:
        sealed = cipher.seal(SECRET, home)
        with pytest.raises(SecretUnreadableError):
            cipher.open(sealed, other)

    def test_form_with_any_character_changed_does_not_open(self, cipher: SecretCipher) -> None:
        sealed = cipher.seal(SECRET, ADDRESS)
        for at, character in enumerate(sealed):
            for other in {"A", "b", "0", "_", ".", "=", " ", "\n", "é"} - {character}:
                with pytest.raises(SecretUnreadableError):
                    cipher.open(sealed[:at] + other + sealed[at + 1 :], ADDRESS)

    def test_form_cut_or_lengthened_anywhere_does_not_open(self, cipher: SecretCipher) -> None:
        sealed = cipher.seal(SECRET, ADDRESS)
        for at in range(len(sealed)):
            for damaged in (sealed[:at], sealed[at + 1 :], sealed[:at] + "A" + sealed[at:]):
                with pytest.raises(SecretUnreadableError):
                    cipher.open(damaged, ADDRESS)
        for more in ("A", "=", "\n", "."):
            with pytest.raises(SecretUnreadableError):
                cipher.open(sealed + more, ADDRESS)

    @pytest.mark.parametrize("rubbish", RUBBISH)
    def test_what_is_no_sealed_form_does_not_open(self, cipher: SecretCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            cipher.open(rubbish, ADDRESS)

    def test_form_of_an_unknown_version_does_not_open(self, cipher: SecretCipher) -> None:
        version, key_id, rest = cipher.seal(SECRET, ADDRESS).partition(cipher.key_id())
        with pytest.raises(SecretUnreadableError):
            cipher.open("9" + version + key_id + rest, ADDRESS)

    def test_form_of_an_unknown_key_does_not_open(self, cipher: SecretCipher, stranger: SecretCipher) -> None:
        with pytest.raises(SecretUnreadableError):
            cipher.open(stranger.seal(SECRET, ADDRESS), ADDRESS)

    def test_form_that_names_another_key_does_not_open(self, cipher: SecretCipher, successor: SecretCipher) -> None:
        sealed = cipher.seal(SECRET, ADDRESS)
        with pytest.raises(SecretUnreadableError):
            successor.open(sealed.replace(cipher.key_id(), successor.key_id()), ADDRESS)

    def test_form_of_a_previous_key_opens(self, cipher: SecretCipher, successor: SecretCipher) -> None:
        assert successor.open(cipher.seal(SECRET, ADDRESS), ADDRESS).reveal() == SECRET.reveal()

    def test_error_shows_neither_the_form_nor_the_secret(self, cipher: SecretCipher) -> None:
        sealed = cipher.seal(SECRET, ADDRESS)
        with pytest.raises(SecretUnreadableError) as caught:
            cipher.open(sealed, ADDRESSES["another instance"])
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
        assert sealed not in shown
        assert SECRET.reveal() not in shown

    # fingerprints

    def test_equal_secrets_have_equal_fingerprints(self, cipher: SecretCipher) -> None:
        assert cipher.fingerprints(SECRET) == cipher.fingerprints(SecretText(SECRET.reveal()))

    def test_other_secrets_have_other_fingerprints(self, cipher: SecretCipher) -> None:
        assert len({cipher.fingerprints(SecretText(f"sk-{number}"))[0] for number in range(100)}) == 100

    def test_fingerprints_are_those_of_all_keys_and_the_current_one_is_first(
        self, cipher: SecretCipher, successor: SecretCipher
    ) -> None:
        assert len(cipher.fingerprints(SECRET)) == 1
        new, *previous = successor.fingerprints(SECRET)
        assert previous == list(cipher.fingerprints(SECRET))
        assert new not in previous

    def test_another_master_key_gives_other_fingerprints(self, cipher: SecretCipher, stranger: SecretCipher) -> None:
        assert set(cipher.fingerprints(SECRET)).isdisjoint(stranger.fingerprints(SECRET))

    # key_id, key_id_of

    def test_key_id_belongs_to_the_key(
        self, cipher: SecretCipher, successor: SecretCipher, stranger: SecretCipher
    ) -> None:
        assert cipher.key_id() == cipher.key_id()
        assert len({cipher.key_id(), successor.key_id(), stranger.key_id()}) == 3

    def test_key_id_of_a_form_is_the_id_of_the_key_that_sealed_it(
        self, cipher: SecretCipher, successor: SecretCipher
    ) -> None:
        assert successor.key_id_of(successor.seal(SECRET, ADDRESS)) == successor.key_id()
        assert successor.key_id_of(cipher.seal(SECRET, ADDRESS)) == cipher.key_id()

    def test_key_id_of_a_form_is_known_without_the_key(self, cipher: SecretCipher, stranger: SecretCipher) -> None:
        assert cipher.key_id_of(stranger.seal(SECRET, ADDRESS)) == stranger.key_id()

    @pytest.mark.parametrize("rubbish", RUBBISH)
    def test_what_is_no_sealed_form_has_no_key_id(self, cipher: SecretCipher, rubbish: str) -> None:
        with pytest.raises(SecretUnreadableError):
            cipher.key_id_of(rubbish)
