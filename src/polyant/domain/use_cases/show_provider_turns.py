"""Use case: show how the last turn of each provider ended."""

from collections.abc import Mapping

from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnRecord


class ShowProviderTurns:
    """Finds the last turn of each provider, over all instances."""

    def __init__(self, *, turn_log: TurnLog) -> None:
        self._turn_log = turn_log

    async def __call__(self) -> Mapping[str, TurnRecord]:
        """Returns the last turns, by provider; providers without a recent turn are missing.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        return await self._turn_log.last_by_provider()
