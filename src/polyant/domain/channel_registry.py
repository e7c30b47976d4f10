"""The channel adapters, each imported when it is first needed."""

import logging
from collections.abc import Awaitable, Callable, Collection

from polyant.domain.channels import ChannelName
from polyant.domain.errors import NotFoundError, PolyantError, UnavailableError
from polyant.domain.ports.channel import Channel

_logger = logging.getLogger(__name__)


class UnknownChannelError(NotFoundError):
    """No channel adapter has that name."""

    def __init__(self, names: Collection[str]) -> None:
        known = ", ".join(sorted(names)) or "none"
        super().__init__("Unknown channel", hint=f"The channels are: {known}")


class ChannelUnavailableError(UnavailableError):
    """The adapter of a channel can't be imported or built; other channels aren't affected."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f'The adapter of the channel "{name}" can\'t be loaded', hint=reason)


class ChannelRegistry:
    """Finds channel adapters by name.

    Args:
        names: The names of the enabled adapters.
        load: Imports and builds an adapter; later calls return the same one.
    """

    def __init__(self, *, names: Collection[str], load: Callable[[ChannelName], Awaitable[Channel]]) -> None:
        self.names = tuple(names)
        self._load = load

    async def get(self, name: ChannelName) -> Channel:
        """Returns the adapter with that name.

        Raises:
            UnknownChannelError: No enabled adapter has the name.
            ChannelUnavailableError: The adapter can't be imported or built.
        """
        if name not in self.names:
            raise UnknownChannelError(self.names)
        try:
            return await self._load(name)
        except PolyantError:
            raise
        except Exception as error:
            _logger.debug("The adapter of the channel %s can't be loaded", name, exc_info=True)
            raise ChannelUnavailableError(name, str(error).partition("\n")[0] or type(error).__name__) from error
