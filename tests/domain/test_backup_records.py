import msgspec
import pytest

from polyant.domain.audit import AuditEntry
from polyant.domain.backup_records import (
    SECTIONS,
    AuditRecord,
    InstanceRecord,
    MessageRecord,
    UserRecord,
    instance_of,
    record_of,
    value_of,
)
from polyant.domain.instances import Instance
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.users import User
from polyant.testing.audit_log import entry_of
from polyant.testing.factories import InstanceFactory, UserFactory

VALUE = "a value with é, \U0001f642 and \ud800"


def plain_secrets(instance: Instance) -> dict[SecretName, SecretText]:
    return {name: SecretText(f"{VALUE} of {name}") for name in instance.secrets}


@pytest.mark.parametrize("number", range(5))
def test_every_field_of_an_instance_is_in_its_record(number: int) -> None:
    """A new field of an instance must be added to the record, or a restore would lose it."""
    instance = InstanceFactory.build(version=number)
    encoded = msgspec.json.encode(record_of(instance, plain_secrets(instance)))
    record = msgspec.json.decode(encoded, type=InstanceRecord)
    assert instance_of(record) == msgspec.structs.replace(instance, secrets={})
    for part in record.secrets:
        stored = instance.secrets[part.name]
        kept = {"name", "updated_at", "origin", "expires_at"}
        assert {name: getattr(part, name) for name in kept} == {name: getattr(stored, name) for name in kept}
        assert value_of(part).reveal() == f"{VALUE} of {part.name}"
        assert {*stored.__struct_fields__} - kept == {"sealed", "fingerprint"}  # restored from the value


def test_every_field_of_a_user_and_of_an_audit_entry_is_in_its_record() -> None:
    user = UserFactory.build(disabled=True, version=3)
    assert msgspec.convert(msgspec.structs.asdict(UserRecord(**msgspec.structs.asdict(user))), User) == user
    entry = entry_of(user="ann@example.com", details=("é", "b"))
    assert msgspec.convert(msgspec.structs.asdict(AuditRecord(**msgspec.structs.asdict(entry))), AuditEntry) == entry


def test_records_do_not_show_secrets_and_hashes() -> None:
    instance, user = InstanceFactory.build(), UserFactory.build()
    record = record_of(instance, {name: SecretText("a-secret-value") for name in instance.secrets})
    assert "a-secret-value" not in repr(record)
    assert "YS1zZWNyZXQtdmFsdWU" not in repr(record)
    assert user.password_hash not in repr(UserRecord(**msgspec.structs.asdict(user)))


def test_message_with_a_negative_number_of_tokens_is_refused() -> None:
    """The window of a history would have no end."""
    written = b"""{"section": "messages/1", "conversation": "c", "id": "m", "role": "user", "text": "", "turn": "t",
        "at": "2026-11-26T00:00:00Z", "tokens": %d}"""
    assert msgspec.json.decode(written % 5, type=MessageRecord).tokens == 5
    with pytest.raises(msgspec.ValidationError, match="tokens"):
        msgspec.json.decode(written % -5, type=MessageRecord)


def test_sections_are_the_tags_of_their_records() -> None:
    assert [kind.__struct_config__.tag for kind in SECTIONS.values()] == [*SECTIONS]
