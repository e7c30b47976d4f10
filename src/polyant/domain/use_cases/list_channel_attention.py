"""Use case: list the channel connections that need an operator's attention."""

from collections.abc import Mapping

import msgspec

from polyant.domain.attention import Attention, AttentionKind
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelConnection
from polyant.domain.instances import Slug
from polyant.domain.lane_work import EventFilter, EventState
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.inbox import Inbox

_KINDS = {
    ProblemKind.UNUSABLE: AttentionKind.CHANNEL_UNUSABLE,
    ProblemKind.WEBHOOK_REFUSED: AttentionKind.WEBHOOK_REFUSED,
    ProblemKind.PULL_REFUSED: AttentionKind.CREDENTIALS_REFUSED,
    ProblemKind.SENDS_REFUSED: AttentionKind.CREDENTIALS_REFUSED,
    ProblemKind.POLLED_ELSEWHERE: AttentionKind.POLLED_ELSEWHERE,
    ProblemKind.UNREACHABLE: AttentionKind.CHANNEL_UNREACHABLE,
}


class ListChannelAttention:
    """Finds connections through which messages don't arrive or aren't answered; it imports no adapter."""

    def __init__(self, *, connections: ChannelConnections, channels: ChannelRegistry, inbox: Inbox) -> None:
        self._connections = connections
        self._channels = channels
        self._inbox = inbox

    async def __call__(self, names: Mapping[Slug, str]) -> tuple[Attention, ...]:
        """Returns the gravest problem of each connection that has one.

        A call costs one query without connections, two without dead letters, and another for each connection with
        no other problem if there are dead letters.

        Args:
            names: The names of the active instances, by slug; connections of others have no problems.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        connections = [each for each in await self._connections.list() if each.slug in names]
        if not connections:
            return ()
        has_letters = await self._letters(EventFilter(state=EventState.DEAD)) > 0
        found = [await self._problem_of(each, names[each.slug], has_letters=has_letters) for each in connections]
        return tuple(problem for problem in found if problem is not None)

    async def _problem_of(self, connection: ChannelConnection, name: str, *, has_letters: bool) -> Attention | None:
        found = Attention(
            slug=connection.slug, name=name, kind=AttentionKind.CHANNEL_UNUSABLE, channel=connection.channel
        )
        if connection.channel not in self._channels.names:
            reason = f"{connection.channel} isn't among CHANNELS, the channels of this server"
            return msgspec.structs.replace(found, reason=reason)
        if not connection.is_active:
            kind = AttentionKind.CHANNEL_PAUSED if connection.has_account else AttentionKind.CHANNEL_DISCONNECTED
            return msgspec.structs.replace(found, kind=kind, since=connection.updated_at)
        if connection.problems:
            problem = connection.problems[0]
            return msgspec.structs.replace(found, kind=_KINDS[problem.kind], since=problem.since, reason=problem.reason)
        query = EventFilter(instance=connection.instance_id, channel=connection.channel, state=EventState.DEAD)
        waiting = await self._letters(query) if has_letters else 0
        if not waiting:
            return None
        reason = f"{waiting} message{'' if waiting == 1 else 's'} couldn't be answered"
        return msgspec.structs.replace(found, kind=AttentionKind.DEAD_LETTERS, reason=reason)

    async def _letters(self, query: EventFilter) -> int:
        return (await self._inbox.list(query, limit=1)).total
