"""Deletion and retention of conversations leave nothing behind, through all layers and on both databases."""

import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.files.media_store import FolderMediaStore
from polyant.adapters.media_deletion.conversation_maintenance import MediaDeletingConversationMaintenance
from polyant.adapters.media_deletion.conversation_repo import MediaDeletingConversationRepo
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.adapters.piccolo.conversation_maintenance import PiccoloConversationMaintenance
from polyant.adapters.piccolo.conversation_repo import PiccoloConversationRepo
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.inbox import PiccoloInbox
from polyant.adapters.piccolo.media_store import PiccoloMediaStore
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.chat import AssistantMessage, TextPart, UserMessage
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.conversations import ConversationSelection, MessageId, TurnId
from polyant.domain.data_keys import DataAddress
from polyant.domain.instances import InstanceId
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.parts import DocumentPart, ImagePart
from polyant.domain.media.sizes import MediaBytes, MediaMemory
from polyant.domain.media.stored import MediaFolder
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.media_store import MediaStore
from polyant.domain.secrets import SecretText
from polyant.testing.media_store import all_of

BOT = InstanceId("b" * 32)
CANARIES = (
    *("Canary-Question", "Canary-Answer", "Canary-User", "canary_tool"),
    *("Canary-Image", "Canary-Document", "Canary-Name"),
)
QUESTION = UserMessage(
    (
        TextPart("Canary-Question " * 50),
        ImagePart(media_type="image/png", data=b"Canary-Image " * 1_000),
        DocumentPart(media_type="application/pdf", data=b"Canary-Document", name="Canary-Name.pdf"),
    )
)
_SEARCHED_BYTES = 100
"""The beginning of a ciphertext that is searched for; a database may spread the rest over several pages."""


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

    def __init__(self, database: PiccoloDatabase, cipher: DataCipher, media_store: MediaStore) -> None:
        self.repo = MediaDeletingConversationRepo(
            repo=PiccoloConversationRepo(database=database), media_store=media_store
        )
        maintenance = MediaDeletingConversationMaintenance(
            maintenance=PiccoloConversationMaintenance(database=database), media_store=media_store
        )
        self.removal = ConversationRemoval(repo=self.repo, maintenance=maintenance)
        self._media_store = media_store
        self._media = ConversationMedia(
            store=media_store,
            intake=ImageIntake(fetcher=MemoryImageFetcher()),
            memory=MediaMemory(MediaBytes(1_000_000)),
        )
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
            await self._with_media(opened),
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
        media = await all_of(self._media_store)
        assert len(media) == 2
        found += [value for each in media for value in (_shown(each.content), each.address)]
        return [*found, *labels, conversation.data_key, opened.id, lane_id, user, *CANARIES]

    async def _with_media(self, opened: OpenConversation) -> UserMessage:
        message_id = MessageId(f"{opened.id}-0")
        return await self._media.keep(opened, QUESTION, message_id=message_id, at=self._clock.now())


def _shown(content: bytes) -> str:
    return content[:_SEARCHED_BYTES].decode("latin-1")


async def values_in(database: PiccoloDatabase, folder: Path, values: list[str]) -> list[str]:
    """Returns the values that the files in the folder contain, which are SQLite's too, or a row on PostgreSQL."""
    content = _files_in(folder)
    if database.dialect == "postgres":
        tables = await database.run("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        rows = [await database.run(f'SELECT t::text FROM "{table}" AS t') for (table,) in tables]  # noqa: S608 - no input
        content += repr(rows)
    return [value for value in values if value in content or value.encode("latin-1").hex() in content]


def _files_in(folder: Path) -> str:
    for path in folder.glob("*.db"):
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("is_folder", [True, False], ids=["folder", "database"])
@pytest.mark.parametrize("encrypts", [True, False], ids=["encrypted", "identity"])
@pytest.mark.parametrize("expires", [True, False], ids=["retention", "deletion"])
async def test_nothing_of_a_conversation_is_left(
    database: PiccoloDatabase, tmp_path: Path, *, encrypts: bool, expires: bool, is_folder: bool
) -> None:
    cipher = AesGcmSecretCipher(master_keys=[SecretText("a" * 64)])
    folder_store = FolderMediaStore(folder=MediaFolder(tmp_path / "media"))
    media_store = folder_store if is_folder else PiccoloMediaStore(database=database)
    traces = Traces(database, AesGcmDataCipher(cipher=cipher) if encrypts else IdentityCipher(), media_store)
    values = await traces.fill()
    before = await values_in(database, tmp_path, values)
    assert len(before) >= len(values) - len(CANARIES), "the search finds what is stored"
    assert ("Canary-Question" in before) is ("Canary-Image" in before) is not encrypts
    if expires:
        complete = False
        while not complete:
            _, complete = await traces.removal.expire_batch(SystemClock().now() + timedelta(days=1))
    else:
        assert (await traces.removal.delete(ConversationSelection(instance=BOT))).messages == 2
    assert await values_in(database, tmp_path, values) == []
