"""Backups: the items that a backup contains, and the errors of reading one."""

from collections.abc import AsyncIterable, Callable
from datetime import datetime

import msgspec

from polyant.domain.audit import AuditEntry
from polyant.domain.channels import ChannelConnection
from polyant.domain.conversations import StoredConversation, StoredMessage, WrappedKey
from polyant.domain.errors import ConflictError, InvalidInputError, UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.secrets import SecretText
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import User

StoredItem = (
    Instance | StoredSkillFile | ChannelConnection | WrappedKey | StoredConversation | StoredMessage | User | AuditEntry
)
"""One item of a store; secrets and data keys are encrypted with the store's master key."""

BackupSource = Callable[[], AsyncIterable[bytes]]
"""Reads an encrypted backup from its beginning; called once for each time that it is read."""

BACKUP_MAGIC = b"polyant backup\n"
"""The first bytes of every backup."""

MIN_PASSPHRASE_CHARACTERS = 12


class BackupSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The time at which a backup was created, and the numbers of its items."""

    created_at: datetime
    instances: int = 0
    skill_files: int = 0
    channels: int = 0
    conversations: int = 0
    messages: int = 0
    users: int = 0
    audit_entries: int = 0
    media: int = 0


class VerifiedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is complete, authentic and known to this version in all its parts."""

    source: BackupSource
    passphrase: SecretText
    summary: BackupSummary


class UnusableBackupError(UnavailableError):
    """The file can't be restored."""


class NotABackupError(UnusableBackupError):
    """The file wasn't created by `polyant backup`."""

    def __init__(self) -> None:
        super().__init__("The file is not a backup of polyant")


class WrongPassphraseError(UnusableBackupError):
    """The passphrase isn't the one that encrypted the backup."""

    def __init__(self) -> None:
        super().__init__("The passphrase is wrong, or the beginning of the file is damaged")


class DamagedBackupError(UnusableBackupError):
    """The file was cut, changed or extended after it was created."""

    def __init__(self) -> None:
        super().__init__("The backup is damaged or incomplete", hint="Use another copy of it, or another backup")


class NewerBackupError(UnusableBackupError):
    """A newer version of polyant created the backup.

    Args:
        content: The part that this version doesn't know.
    """

    def __init__(self, content: str) -> None:
        super().__init__(
            f"The backup was created by a newer version of polyant: it contains {content}",
            hint="Update polyant, then restore the backup",
        )


class EmptyStoreError(UnavailableError):
    """A backup would contain nothing."""

    def __init__(self) -> None:
        super().__init__("There is nothing to back up: the database contains no instance, user or audit entry")


class StoreNotEmptyError(ConflictError):
    """A backup can't be restored, because the store contains more than its initial data."""

    def __init__(self) -> None:
        super().__init__(
            "The database already contains data, and a backup can only be restored into an empty one",
            hint="Set DATABASE_URL to an empty database; or, on SQLite, stop the server and move polyant.db away, "
            "together with polyant.db-wal and polyant.db-shm",
        )


def check_passphrase(text: str) -> str:
    """Returns the text if it is a valid passphrase for a new backup.

    Raises:
        InvalidInputError: The text is too short; the message doesn't contain it.
    """
    if len(text) < MIN_PASSPHRASE_CHARACTERS:
        raise InvalidInputError(f"A passphrase must have at least {MIN_PASSPHRASE_CHARACTERS} characters")
    return text
