"""The channel adapters, each imported when it is first needed."""

from collections.abc import Awaitable, Callable, Collection

from polyant.domain.channels import ChannelName
from polyant.domain.errors import NotFoundError
from polyant.domain.ports.channel import Channel


class UnknownChannelError(NotFoundError):
    """No channel adapter has that name."""

    def __init__(self, names: Collection[str]) -> None:
        known = ", ".join(sorted(names)) or "none"
        super().__init__("Unknown channel", hint=f"The channels are: {known}")


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
        """
        if name not in self.names:
            raise UnknownChannelError(self.names)
        return await self._load(name)
