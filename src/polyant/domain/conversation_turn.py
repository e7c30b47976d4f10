"""A turn of a stored conversation: the history goes up before the new messages, and the answer is stored."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    SupervisorEvent,
    ToolStarted,
    Turn,
    TurnFinished,
    UserMessage,
)
from polyant.domain.conversations import API_CHANNEL, CurrentConversation, MessageId, TurnId
from polyant.domain.errors import UnknownConversationError, UnknownInstanceError, UnknownModelError
from polyant.domain.final_text import FinalText
from polyant.domain.history_window import HistoryBudget
from polyant.domain.instances import Instance
from polyant.domain.known_conversations import KnownConversations
from polyant.domain.lane_leases import HeldLane, LaneLeases
from polyant.domain.lanes import FirstMessage, Lane, LaneKind
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.sizes import TurnMediaMemory
from polyant.domain.new_conversations import NewConversations
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.supervisor import Supervisor


class ConversationTurns:
    """Prepares the turns of /v1 that continue a stored conversation.

    Args:
        repo: Stores the conversations.
        leases: Lets the turns of one conversation run one after another.
        hashes: Computes the ids of lanes.
        keys: Opens conversations.
        new: Starts conversations.
        media: Keeps the media of messages.
        clock: Determines the times of messages.
    """

    def __init__(
        self,
        *,
        repo: ConversationRepo,
        leases: LaneLeases,
        hashes: LookupHashes,
        keys: ConversationKeys,
        new: NewConversations,
        media: ConversationMedia,
        clock: Clock,
    ) -> None:
        self.repo = repo
        self.leases = leases
        self.hashes = hashes
        self.keys = keys
        self.new = new
        self.media = media
        self.clock = clock
        self.known = KnownConversations(keys)

    def turn_of(
        self,
        instance: Instance,
        messages: Sequence[UserMessage | AssistantMessage],
        *,
        chat_id: str | None,
        user: str | None,
    ) -> "ConversationTurn | None":
        """Returns the turn in the conversation of a request, or None if the instance keeps none for it.

        Args:
            instance: The instance.
            messages: The messages of the request.
            chat_id: The caller's id of the conversation; an empty one counts as missing.
            user: The caller's id of the end user; each user's ids of conversations are separate.
        """
        if not (instance.conversations and instance.auth_enabled and chat_id):
            return None
        return ConversationTurn(self, instance, messages, chat_id=chat_id, user=user)


class ConversationTurn:
    """One turn of a stored conversation.

    Args:
        turns: Gives access to stored conversations.
        instance: The instance.
        messages: The messages of the request.
        chat_id: The caller's id of the conversation.
        user: The caller's id of the end user.
    """

    def __init__(
        self,
        turns: ConversationTurns,
        instance: Instance,
        messages: Sequence[UserMessage | AssistantMessage],
        *,
        chat_id: str,
        user: str | None,
    ) -> None:
        self._turns = turns
        self._instance = instance
        self._chat_id = chat_id
        self._user = user
        answers = [at for at, message in enumerate(messages) if isinstance(message, AssistantMessage)]
        self._has_history = bool(answers)
        begin = answers[-1] + 1 if answers else 0
        self._new = tuple(message for message in messages[begin:] if isinstance(message, UserMessage))

    async def run(
        self, turn: Turn, turn_id: str, supervisor: Supervisor, on_loss: Callable[[], None]
    ) -> AsyncGenerator[SupervisorEvent, None]:
        """Yields the events of the turn; the answer is stored before the last one.

        Waits until no other turn of the conversation runs, in any worker. Stores the new messages before the model is
        called. They stay unanswered if the turn fails or is abandoned, so no later turn sends them to the model.

        Args:
            turn: The turn, with the messages of the request.
            turn_id: The turn's id.
            supervisor: Runs the turn.
            on_loss: Called if another process takes over the conversation meanwhile.

        Raises:
            ConversationBusyError: Too many turns wait for the conversation.
            LeaseLostError: Another process has taken over the conversation.
            UnknownConversationError: The conversation was deleted meanwhile.
            UnknownModelError: The instance has been deleted.
            InvalidInputError: An image can't be used; then nothing is stored.
            StorageUnavailableError: The conversation can't be read or stored.
            SecretUnreadableError: The conversation can't be decrypted.
            Exception: The Supervisor raised it.
        """
        with self._turns.media.account() as memory:
            self._new = await self._turns.media.checked(self._new, memory)
            lane = await self._lane()
            known = await self._turns.known.open(lane.id) if self._is_one_text else None
            first = None if known is None else partial(self._first_message, known, TurnId(turn_id))
            async with self._turns.leases.hold(lane, on_loss, budget=self._budget, first=first) as held:
                opened, history = await self._begin(held, TurnId(turn_id), known, memory)
                self._turns.known.remember(opened.conversation)
                sent = turn.messages[: len(turn.messages) - len(self._new)]
                continued = msgspec.structs.replace(turn, messages=(*history, *sent, *self._new))
                memory.clear()  # the Supervisor counts the media that it gets
                answer = _Answer()
                async with aclosing(supervisor.run(continued)) as events:
                    async for event in events:
                        if isinstance(event, TurnFinished):
                            await self._end(held, opened, TurnId(turn_id), answer)
                        answer.add(event)
                        yield event

    @property
    def _is_one_text(self) -> bool:
        """Whether the turn begins with one message without media, which the store may write with the lease."""
        return not self._has_history and len(self._new) == 1 and not self._new[0].has_media

    @property
    def _budget(self) -> HistoryBudget:
        """The most that the turn needs of the stored history."""
        instance = self._instance
        return HistoryBudget(instance.history_tokens, 0 if self._has_history else instance.history_messages)

    async def _lane(self) -> Lane:
        instance, hashes = self._instance.id, self._turns.hashes
        scope = () if self._user is None else (self._user,)
        return Lane(
            id=await hashes.lane(instance, API_CHANNEL, self._chat_id, *scope),
            kind=LaneKind.API,
            instance=instance,
            channel=API_CHANNEL,
            user=None if self._user is None else await hashes.user(instance, API_CHANNEL, self._user),
        )

    async def _begin(
        self, held: HeldLane, turn_id: TurnId, known: OpenConversation | None, memory: TurnMediaMemory
    ) -> tuple[OpenConversation, tuple[UserMessage | AssistantMessage, ...]]:
        """Stores the new messages, and returns the conversation with the history that goes up before them.

        If the store wrote the message with the lease, `known` is its conversation.
        """
        lane, budget = held.lease.lane, self._budget
        found = held.take_found()
        if found is None:
            found = await self._turns.repo.current(lane.id, newest=budget.messages, tokens=budget.tokens)
        if found is not None:
            if known is not None and known.id == found.conversation.id:
                opened, is_stored = OpenConversation(found.conversation, known.key), held.lease.stored
            else:
                opened, is_stored = await self._turns.keys.open(found.conversation), False
            try:
                if not is_stored:
                    await self._store_new(held, opened, turn_id)
            except UnknownConversationError:  # deleted since it was read
                pass
            else:
                history = self._history_of(opened, found, budget)
                return opened, await self._turns.media.recalled(opened, history, memory)
        try:
            opened = await self._turns.new.start(lane, self._instance, label=self._user)
        except UnknownInstanceError:
            raise UnknownModelError from None
        await self._store_new(held, opened, turn_id)
        return opened, ()

    def _history_of(
        self, opened: OpenConversation, found: CurrentConversation, budget: HistoryBudget
    ) -> tuple[UserMessage | AssistantMessage, ...]:
        if self._has_history or opened.conversation.client_managed:
            return ()
        return opened.history(found.messages, budget=budget)

    def _first_message(self, known: OpenConversation, turn_id: TurnId) -> FirstMessage:
        message_id, now = MessageId(f"{turn_id}-0"), self._turns.clock.now()
        message = known.stored(self._new[0], message_id=message_id, turn=turn_id, at=now, answered=False)
        return FirstMessage(conversation=known.id, message=message)

    async def _store_new(self, held: HeldLane, opened: OpenConversation, turn_id: TurnId) -> None:
        now = self._turns.clock.now()
        messages = []
        for number, message in enumerate(self._new):
            message_id = MessageId(f"{turn_id}-{number}")
            content = await self._turns.media.keep(opened, message, message_id=message_id, at=now)
            messages.append(opened.stored(content, message_id=message_id, turn=turn_id, at=now, answered=False))
        try:
            await self._turns.repo.append(opened.id, messages, lease=held.lease, client_managed=self._has_history)
        except UnknownConversationError:
            await self._turns.media.forget(opened.id, self._new)
            raise

    async def _end(self, held: HeldLane, opened: OpenConversation, turn_id: TurnId, answer: "_Answer") -> None:
        message = opened.stored(
            AssistantMessage(answer.text),
            message_id=MessageId(f"{turn_id}-answer"),
            turn=turn_id,
            at=self._turns.clock.now(),
            tools=answer.tools,
        )
        with held.ending():
            await self._turns.repo.append(opened.id, [message], lease=held.lease, answers=turn_id, release=True)


class _Answer(FinalText):
    """The text of the answer, and the names of the tools that the turn called."""

    __slots__ = ("_tools",)

    def __init__(self) -> None:
        super().__init__()
        self._tools: dict[str, None] = {}

    @property
    def tools(self) -> tuple[str, ...]:
        """The names, each once, in the order of the first calls."""
        return tuple(self._tools)

    def add(self, event: SupervisorEvent) -> None:
        """Adds the next event of the turn."""
        super().add(event)
        if isinstance(event, ToolStarted):
            self._tools[event.name] = None
