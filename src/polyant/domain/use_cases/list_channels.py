"""Use case: list the channel connections of an instance."""

from polyant.domain.channels import ChannelConnection, ChannelName, UnknownConnectionError
from polyant.domain.instances import Slug
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.use_cases.show_instance import ShowInstance


class ListChannels:
    """Finds the connections of one instance, or of all."""

    def __init__(self, *, show_instance: ShowInstance, connections: ChannelConnections) -> None:
        self._show_instance = show_instance
        self._connections = connections

    async def __call__(self, slug: Slug | None = None) -> tuple[ChannelConnection, ...]:
        """Returns the connections, ordered by creation time.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        if slug is None:
            return await self._connections.list()
        return await self._connections.list(instance_id=(await self._show_instance(slug)).id)

    async def one(self, slug: Slug, channel: ChannelName) -> ChannelConnection:
        """Returns the instance's connection to the channel.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConnectionError: The instance isn't connected to that channel.
        """
        instance = await self._show_instance(slug)
        found = await self._connections.list(instance_id=instance.id, channel=channel)
        if not found:
            raise UnknownConnectionError
        return found[0]
