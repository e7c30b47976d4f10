"""Lanes: the queues that keep the turns of one peer in order, and their leases."""

import enum

import msgspec

from polyant.domain.conversations import (
    API_CHANNEL,
    Conversation,
    ConversationId,
    CurrentConversation,
    LaneId,
    Message,
)
from polyant.domain.instances import InstanceId


class LaneKind(enum.StrEnum):
    """How a lane's work arrives."""

    API = "api"
    """Requests of /v1 acquire the lane; workers never claim it."""
    CHANNEL = "channel"
    """Received events make the lane due; workers claim it."""
    ACCOUNT = "account"
    """The process that pulls the events of a platform's account acquires the lane; workers never claim it."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a lane."""

    id: LaneId
    kind: LaneKind
    instance: InstanceId
    channel: str
    """`api`, or the name of a channel adapter."""
    account: str = ""
    """The account of the channel on its platform, such as a bot's id."""
    user: str | None = None
    """A keyed hash of the user's id, if the peer is one user."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The exclusive right to work on a lane until a time; `epoch` fences earlier holders."""

    lane: Lane
    owner: str
    """The process that holds the lease; it fences holders whose lane was deleted and created again."""
    epoch: int
    """Incremented with each lease of the lane."""
    wake: int
    """The number of events that the lane had received when the lease was taken, or its work loaded last."""
    conversation: ConversationId | None = None
    """The lane's current conversation."""
    found: CurrentConversation | None = None
    """That conversation, if the store read it with the lease; None says nothing about it."""
    stored: bool = False
    """Whether the store wrote the first message with the lease."""


class FirstMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a turn stores at its beginning, encrypted for the conversation that the lane probably has."""

    conversation: ConversationId
    message: Message


def lane_of(conversation: Conversation) -> Lane:
    """Returns the lane of a conversation, as far as the conversation knows it."""
    return Lane(
        id=conversation.lane,
        kind=LaneKind.API if conversation.channel == API_CHANNEL else LaneKind.CHANNEL,
        instance=conversation.instance,
        channel=conversation.channel,
        user=conversation.user,
    )
