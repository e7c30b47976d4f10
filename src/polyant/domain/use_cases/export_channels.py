"""Use case: read the portable content of an instance's channels."""

from polyant.domain.channel_content import ExportedChannel, exported_channel
from polyant.domain.instances import Instance
from polyant.domain.ports.channel_connections import ChannelConnections


class ExportChannels:
    """Reads the choices for the channels of one instance, without accounts and credentials."""

    def __init__(self, *, connections: ChannelConnections) -> None:
        self._connections = connections

    async def __call__(self, instance: Instance) -> tuple[ExportedChannel, ...]:
        """Returns the content of each connection, ordered by channel.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        connections = await self._connections.list(instance_id=instance.id)
        return tuple(sorted(map(exported_channel, connections), key=lambda each: each.content.channel))
