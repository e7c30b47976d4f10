"""The proof that an operator sends."""

import pytest

from polyant.domain.secrets import SecretText
from polyant.http.operator_proof import OperatorProof

NOW = 1_795_344_240.5
PROOF = OperatorProof(SecretText("a secret of more than thirty-two characters"))


@pytest.mark.parametrize("later, valid", [(0, True), (299, True), (-299, True), (302, False), (-302, False)])
def test_proof_is_valid_for_five_minutes(later: float, *, valid: bool) -> None:
    assert PROOF.is_valid(PROOF.create(NOW), NOW + later) is valid


@pytest.mark.parametrize(
    "proof",
    [
        "",
        ".",
        "1795344240",
        "1795344240.",
        "1795344240.00",
        "x.y",
        "-1.y",
        "²." + "0" * 64,
        "9" * 5_000 + ".a",
        "1.\udcff",
    ],
)
def test_rubbish_is_invalid(proof: str) -> None:
    assert not PROOF.is_valid(proof, NOW)


def test_other_secret_and_other_time_are_invalid() -> None:
    other = OperatorProof(SecretText("another secret of more than thirty-two characters"))
    assert not PROOF.is_valid(other.create(NOW), NOW)
    assert not PROOF.is_valid(PROOF.create(NOW).replace("1795344240", "1795344241"), NOW)
