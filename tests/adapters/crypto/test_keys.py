from polyant.adapters.crypto.keys import derive


def test_each_purpose_and_each_master_key_has_a_distinct_key() -> None:
    masters = (bytes(32), bytes(31) + b"\1")
    derived = {derive(master, purpose, 32) for master in masters for purpose in ("seal", "fingerprint", "key id")}
    assert len(derived) == 6
    assert derived.isdisjoint(masters)
