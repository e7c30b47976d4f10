import pytest

from contracts.unproven_promises import UNPROVEN
from support.promises import KITS, PORTS, promises_of, proofs_of

PROMISES = {stem: promises_of(stem) for stem in PORTS}
EVERY_PROMISE = {sentence for sentences in PROMISES.values() for sentence in sentences}
PROOFS = {stem: proofs_of(stem) for stem in PORTS}
EVERY_PROOF = {sentence for stem in KITS for sentence in proofs_of(stem)}


def proven_elsewhere(sentence: str) -> bool:
    """Returns whether any kit proves a sentence that only one port has."""
    return sentence in EVERY_PROOF and sum(sentence in sentences for sentences in PROMISES.values()) == 1


@pytest.mark.parametrize("stem", PORTS)
def test_kit_proves_each_sentence_of_its_port(stem: str) -> None:
    """A changed sentence needs another look at its tests: then change the sentence of `@proves`, too."""
    proven = PROOFS[stem].keys() | UNPROVEN.get(stem, {}).keys()
    unproven = [each for each in PROMISES[stem] if each not in proven and not proven_elsewhere(each)]
    assert unproven == [], f"name them with @proves at a test of polyant.testing.{stem}, or in unproven_promises.py"


def test_kits_prove_no_sentence_that_is_gone() -> None:
    assert set() == EVERY_PROOF - EVERY_PROMISE


def test_unproven_sentences_exist_and_have_reasons() -> None:
    assert UNPROVEN.keys() <= set(PORTS)
    for stem, reasons in UNPROVEN.items():
        assert reasons.keys() - set(PROMISES[stem]) == set()
        assert reasons.keys() & PROOFS[stem].keys() == set()
        assert not any(map(proven_elsewhere, reasons))
        assert all(reasons.values())
