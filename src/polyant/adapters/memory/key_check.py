"""The value that tells whether the master key is the right one, for as long as the process lives."""

from polyant.domain.ports.key_check import KeyCheck


class MemoryKeyCheck(KeyCheck):
    """Keeps the value in this process."""

    def __init__(self) -> None:
        self._kept: str | None = None

    async def read(self) -> str | None:
        return self._kept

    async def keep(self, sealed: str) -> str:
        if self._kept is None:
            self._kept = sealed
        return self._kept

    async def replace(self, expected: str, sealed: str) -> bool:
        if self._kept != expected:
            return False
        self._kept = sealed
        return True
