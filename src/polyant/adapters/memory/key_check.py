"""The value that verifies the master key, in memory."""

from polyant.domain.ports.key_check import KeyCheck


class MemoryKeyCheck(KeyCheck):
    """Keeps the value in memory."""

    def __init__(self) -> None:
        self._value: str | None = None

    async def read(self) -> str | None:
        return self._value

    async def keep(self, sealed: str) -> str:
        if self._value is None:
            self._value = sealed
        return self._value

    async def replace(self, expected: str, sealed: str) -> bool:
        if self._value != expected:
            return False
        self._value = sealed
        return True
