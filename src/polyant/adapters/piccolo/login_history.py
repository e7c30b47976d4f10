"""Successful logins in a table."""

from collections.abc import Collection
from datetime import datetime

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import LoginRow
from polyant.domain.ports.login_history import LoginHistory


class PiccoloLoginHistory(LoginHistory):
    """Keeps logins in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(LoginRow)

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await self._database.write(lambda: self._add(fingerprint, now, expires_at))

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return bool(fingerprints) and await self._database.read(lambda: self._contains(fingerprints, now))

    async def _add(self, fingerprint: str, now: datetime, expires_at: datetime) -> None:
        row = self._rows(fingerprint=fingerprint, expires_at=expires_at)
        await self._rows.insert(row).on_conflict(
            target=self._rows.fingerprint, action="DO UPDATE", values=[self._rows.expires_at]
        )
        expired = self._rows.select(self._rows.fingerprint).where(self._rows.expires_at <= now)
        if self._database.dialect == "postgres":
            # Concurrent logins have locked their own rows, so waiting for expired ones among them could deadlock.
            expired = expired.lock_rows("UPDATE", skip_locked=True)
        await self._rows.delete().where(self._rows.fingerprint.is_in(expired))

    async def _contains(self, fingerprints: Collection[str], now: datetime) -> bool:
        is_one = self._rows.fingerprint.is_in([*fingerprints])
        return await self._rows.exists().where(is_one, self._rows.expires_at > now)
