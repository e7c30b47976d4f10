import msgspec
import pytest

from polyant.domain.channel_events import InboundEvent, MediaKind, MediaReference, Peer
from polyant.domain.channels import (
    ChannelAccess,
    ChannelName,
    ConnectionId,
    check_connection,
    parse_channel_name,
)
from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import AUTH_API_KEY
from polyant.testing.channel_connection_factory import connection_of

CONNECTION = connection_of()


@pytest.mark.parametrize("peer", [Peer("-100123"), Peer("-100123", "7"), Peer("C1", "1700000000.000100")])
def test_peer_is_read_from_its_text(peer: Peer) -> None:
    assert Peer.parse(peer.text) == peer


def test_event_survives_storage() -> None:
    media = (MediaReference(id="f", kind=MediaKind.VOICE, size=3),)
    event = InboundEvent(id="1", peer=Peer("5", "6"), user={"id": "9"}, text="hi", media=media)  # type: ignore[arg-type]
    event = msgspec.convert(msgspec.to_builtins(event), InboundEvent)
    assert msgspec.json.decode(msgspec.json.encode(event), type=InboundEvent) == event


@pytest.mark.parametrize(
    ("access", "listed", "stranger", "member"),
    [
        (ChannelAccess.PAIRING, True, False, False),
        (ChannelAccess.ALLOW_LIST, True, False, False),
        (ChannelAccess.WORKSPACE, True, False, True),
        (ChannelAccess.EVERYBODY, True, True, True),
    ],
)
def test_access_decides_who_may_talk(access: ChannelAccess, *, listed: bool, stranger: bool, member: bool) -> None:
    connection = connection_of(access=access, users=frozenset({"1"}))
    assert connection.admits("1", workspace=False) is listed
    assert connection.admits("2", workspace=False) is stranger
    assert connection.admits("2", workspace=True) is member


def test_valid_connection_passes() -> None:
    assert check_connection(CONNECTION) == CONNECTION
    assert CONNECTION.path == f"/channels/telegram/{CONNECTION.id}"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"id": ConnectionId("short")}, "id must be 22"),
        ({"id": ConnectionId("a" * 21 + "\n")}, "id must be 22"),
        ({"account": ""}, "account must be"),
        ({"account": "a b"}, "account must be"),
        ({"channel": ChannelName("Telegram")}, "A channel name"),
        ({"users": frozenset({"a b"})}, "users must be"),
        ({"users": frozenset(map(str, range(10_001)))}, "users must be"),
        ({"credentials": {"token": AUTH_API_KEY}}, "key of the instance's callers"),
    ],
)
def test_invalid_connection_is_refused(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule):
        check_connection(msgspec.structs.replace(CONNECTION, **changes))


@pytest.mark.parametrize("name", ["", "Telegram", "a" * 17, "1a", "a-b", "a\n"])
def test_invalid_channel_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_channel_name(name)
