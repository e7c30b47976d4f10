import pytest

from support.refusals import refusals_of

LOGGED = {"test_secret_is_in_no_log_and_no_output"}
RAISED = {"test_secret_is_in_no_exception"}
NONCE = {"test_nonce_and_tag_are_long"}
REFUSALS = {
    "TestFingerprintFromKeyId": {
        "test_fingerprint_depends_on_the_key_not_on_its_id",
        "test_fingerprint_is_not_computed_from_public_values",
    },
    "TestFingerprintFromPepper": {"test_fingerprint_depends_on_the_key_not_on_its_id"},
    "TestSecretLogged": LOGGED,
    "TestSecretPrinted": LOGGED,
    "TestSecretInContext": RAISED,
    "TestSecretInEncodingError": RAISED,
    "TestShortNonce": NONCE,
    "TestPaddedNonce": NONCE,
    "TestNonceRepeated": {"test_ciphertext_differs_on_each_call"},
    "TestNonceRestarts": {"test_ciphertext_differs_after_a_restart"},
}


@pytest.mark.parametrize("wrong", REFUSALS)
def test_kit_refuses_wrong_cipher(wrong: str) -> None:
    assert refusals_of("secret_ciphers")[wrong] == REFUSALS[wrong]


def test_every_wrong_cipher_is_listed() -> None:
    assert refusals_of("secret_ciphers").keys() == REFUSALS.keys()
