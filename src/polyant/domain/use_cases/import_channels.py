"""Use case: store the imported channels of an instance, disconnected."""

from collections.abc import Sequence

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.channel_content import ChannelContent, disconnected
from polyant.domain.channels import ConnectionId
from polyant.domain.instances import Instance
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import API_KEY_PREFIX

_ID_CHARACTERS = 22


class ImportChannels:
    """Stores choices, but no account: an account belongs to one instance, and an import has no credentials for it."""

    def __init__(self, *, connections: ChannelConnections, clock: Clock, tokens: TokenSource) -> None:
        self._connections = connections
        self._clock = clock
        self._tokens = tokens

    async def __call__(self, instance: Instance, contents: Sequence[ChannelContent], *, by: Actor) -> None:
        """Stores a disconnected connection for each content, whose fields must be valid.

        A connection that the instance has to one of the channels keeps its account and state, and gets the choices.
        Other connections of the instance stay.

        Raises:
            ConnectionChangedError: Another writer changed a connection meanwhile.
            ConnectionExistsError: Another writer connected the instance to one of the channels meanwhile.
            StorageUnavailableError: The store is unavailable; some of the channels may be stored.
        """
        if not contents:
            return
        stored = {each.channel: each for each in await self._connections.list(instance_id=instance.id)}
        for content in contents:
            now = self._clock.now()
            audit = Change(by, "channel.import", (content.channel,)).entry(now, instance=instance.slug)
            known = stored.get(content.channel)
            if known is None:
                new = disconnected(content, self._new_id(), instance_id=instance.id, slug=instance.slug, at=now)
                await self._connections.add(new, audit=audit)
            else:
                changed = msgspec.structs.replace(known, **content.choices, updated_at=now)
                await self._connections.save(changed, audit=audit)

    def _new_id(self) -> ConnectionId:
        return ConnectionId(self._tokens.api_key().reveal().removeprefix(API_KEY_PREFIX)[:_ID_CHARACTERS])
