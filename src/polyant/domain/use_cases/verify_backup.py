"""Use case: check that a backup can be restored."""

from collections import Counter
from datetime import datetime

from polyant.domain.backup_format import BackupHead, decode_backup, summary_of
from polyant.domain.backups import BackupSource, DamagedBackupError, VerifiedBackup
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.secrets import SecretText


class VerifyBackup:
    """Reads a whole backup, without storing anything."""

    def __init__(self, *, backup_cipher: BackupCipher) -> None:
        self._backup_cipher = backup_cipher

    async def __call__(self, source: BackupSource, passphrase: SecretText) -> VerifiedBackup:
        """Returns the backup once all of it has been decrypted and decoded.

        Raises:
            NotABackupError: The source isn't a backup.
            WrongPassphraseError: The passphrase is another one.
            DamagedBackupError: The backup was cut, changed or extended.
            NewerBackupError: It contains something that this version doesn't know.
        """
        counts, created_at = Counter[str](), list[datetime]()
        async for part in decode_backup(self._backup_cipher.decrypt(source(), passphrase), counts=counts):
            if isinstance(part, BackupHead):
                created_at.append(part.created_at)
        if not created_at:
            raise DamagedBackupError
        return VerifiedBackup(
            source=source, passphrase=passphrase, summary=summary_of(counts, created_at=created_at[0])
        )
