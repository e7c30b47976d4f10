"""Successful logins in memory."""

from collections.abc import Collection
from datetime import datetime

from polyant.domain.ports.login_history import LoginHistory


class MemoryLoginHistory(LoginHistory):
    """Keeps logins in memory."""

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        self._ends = {known: end for known, end in self._ends.items() if end > now}
        self._ends[fingerprint] = expires_at

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return any(now < self._ends[known] for known in fingerprints if known in self._ends)
