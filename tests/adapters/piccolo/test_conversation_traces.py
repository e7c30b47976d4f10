"""Deletion and retention of conversations leave nothing behind, through all layers and on both databases."""

import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.piccolo.conversation_maintenance import PiccoloConversationMaintenance
from polyant.adapters.piccolo.conversation_repo import PiccoloConversationRepo
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.inbox import PiccoloInbox
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.chat import AssistantMessage, UserMessage
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.conversations import ConversationSelection, MessageId, TurnId
from polyant.domain.data_keys import DataAddress
from polyant.domain.instances import InstanceId
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.secrets import SecretText

BOT = InstanceId("b" * 32)
CANARIES = ("Canary-Question", "Canary-Answer", "Canary-User", "canary_tool")


class IdentityKey(DataKey):
    """Encrypts nothing, so that texts can be searched for."""

    def encrypt(self, data: bytes, address: DataAddress) -> bytes:
        return data

    def decrypt(self, encrypted: bytes, address: DataAddress) -> bytes:
        return encrypted

    def encrypt_text(self, text: str, address: DataAddress) -> str:
        return text

    def decrypt_text(self, encrypted: str, address: DataAddress) -> str:
        return encrypted

    def fingerprint(self, data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


class IdentityCipher(DataCipher):
    """Wraps nothing."""

    async def create_key(self, conversation: str) -> tuple[DataKey, str]:
        return IdentityKey(), f"Canary-Key of {conversation}"

    async def unwrap_key(self, wrapped: str, conversation: str) -> DataKey:
        return IdentityKey()

    async def rewrap_key(self, wrapped: str, conversation: str) -> str:
        return wrapped

    async def key_id(self) -> str:
        return "identity"

    async def key_id_of(self, wrapped: str) -> str:
        return "identity"


class Traces:
    """A database with one conversation, and everything that was stored for it."""

    def __init__(self, database: PiccoloDatabase, cipher: DataCipher) -> None:
        self.database = database
        self.repo = PiccoloConversationRepo(database=database)
        self.maintenance = PiccoloConversationMaintenance(database=database)
        self.removal = ConversationRemoval(repo=self.repo, maintenance=self.maintenance)
        self._hashes = LookupHashes(inbox=PiccoloInbox(database=database), data_cipher=cipher)
        self._clock = SystemClock()
        self._keys = ConversationKeys(data_cipher=cipher, tokens=SystemTokenSource(), clock=self._clock)

    async def fill(self) -> list[str]:
        """Stores a conversation, and returns the values that must be gone once it is deleted."""
        lane_id = await self._hashes.lane(BOT, "api", "Canary-Chat", "Canary-User")
        user = await self._hashes.user(BOT, "api", "Canary-User")
        lane = Lane(id=lane_id, kind=LaneKind.API, instance=BOT, channel="api", user=user)
        opened = await self._keys.draft(lane, label="Canary-User")
        await self.repo.start(opened.conversation)
        contents: tuple[UserMessage | AssistantMessage, ...] = (
            UserMessage.of("Canary-Question " * 50),
            AssistantMessage("Canary-Answer " * 50),
        )
        messages = [
            opened.stored(
                content,
                message_id=MessageId(f"{opened.id}-{at}"),
                turn=TurnId(f"{opened.id}-turn"),
                at=self._clock.now(),
                tools=("canary_tool",),
            )
            for at, content in enumerate(contents)
        ]
        await self.repo.append(opened.id, messages)
        conversation = opened.conversation
        labels = [] if conversation.label is None else [conversation.label]
        found = [*(each.text for each in messages), *(each.digest or "" for each in messages)]
        return [*found, *labels, conversation.data_key, opened.id, lane_id, user, *CANARIES]


async def content_of(database: PiccoloDatabase, folder: Path) -> str:
    """Returns everything that the database holds: the bytes of its files on SQLite, all rows on PostgreSQL."""
    if database.dialect == "sqlite":
        return _files_in(folder)
    tables = ("conversations", "conversation_messages", "lanes", "channel_events", "channel_deliveries")
    rows = [await database.run(f"SELECT {table}::text AS row FROM {table}") for table in tables]  # noqa: S608 - names of ours
    return repr(rows)


def _files_in(folder: Path) -> str:
    for path in folder.glob("*.db"):
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("encrypts", [True, False], ids=["encrypted", "identity"])
@pytest.mark.parametrize("expires", [True, False], ids=["retention", "deletion"])
async def test_nothing_of_a_conversation_is_left(
    database: PiccoloDatabase, tmp_path: Path, *, encrypts: bool, expires: bool
) -> None:
    cipher = AesGcmSecretCipher(master_keys=[SecretText("a" * 64)])
    traces = Traces(database, AesGcmDataCipher(cipher=cipher) if encrypts else IdentityCipher())
    values = await traces.fill()
    before = await content_of(database, tmp_path)
    shown = [value for value in values if value in before]
    assert len(shown) >= len(values) - len(CANARIES), "the search finds what is stored"
    assert ("Canary-Question" in before) is not encrypts
    if expires:
        complete = False
        while not complete:
            _, complete = await traces.removal.expire_batch(SystemClock().now() + timedelta(days=1))
    else:
        assert (await traces.removal.delete(ConversationSelection(instance=BOT))).messages == 2
    after = await content_of(database, tmp_path)
    assert [value for value in values if value in after] == []
