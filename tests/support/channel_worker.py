"""A channel's whole way from a webhook to the platform, on memory adapters and a fake platform."""

from collections.abc import Sequence

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.memory.document_reader import MemoryDocumentReader
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.memory.transcriber import MemoryTranscriber
from polyant.adapters.rate_limits.default_rate_policy import DefaultRatePolicy
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.audit import CLI
from polyant.domain.channel_events import ChannelUser, InboundEvent, Peer
from polyant.domain.channels import ChannelConnection
from polyant.domain.conversations import Message
from polyant.domain.injectables import LeaseSeconds, ProcessName
from polyant.domain.instances import Slug
from polyant.domain.lane_work import DeliveryFilter, EventFilter
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.attachments import Attachments
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.sizes import MediaBytes, MediaMemory
from polyant.domain.new_conversations import NewConversations
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.pairing import PairingCodes
from polyant.domain.rate_limits import CallerLimits, RateLimits
from polyant.domain.use_cases.channels.answer_batch import AnswerBatch
from polyant.domain.use_cases.channels.answer_events import AnswerEvents
from polyant.domain.use_cases.channels.answer_lane import AnswerLane
from polyant.domain.use_cases.channels.channel_history import ChannelHistory
from polyant.domain.use_cases.channels.channel_wake import ChannelWake
from polyant.domain.use_cases.channels.channel_worker import ChannelWorker
from polyant.domain.use_cases.channels.end_events import EndEvents
from polyant.domain.use_cases.channels.fetch_media import MAX_MEDIA_BYTES, FetchMedia
from polyant.domain.use_cases.channels.ingest_keys import IngestKeys
from polyant.domain.use_cases.channels.lease_keeper import LeaseKeeper
from polyant.domain.use_cases.channels.open_account import OpenAccount
from polyant.domain.use_cases.channels.open_channel import OpenChannel
from polyant.domain.use_cases.channels.pull_accounts import PullAccounts
from polyant.domain.use_cases.channels.receive_events import ReceiveEvents
from polyant.domain.use_cases.channels.record_problems import RecordProblems
from polyant.domain.use_cases.channels.run_channel_turn import RunChannelTurn
from polyant.domain.use_cases.channels.send_deliveries import SendDeliveries
from polyant.domain.use_cases.connect_channel import NewConnection
from polyant.testing.fake_channel import FAKE_TOKEN, fake_request
from support.channel_harness import FAKE, ChannelHarness
from support.conversation_stores import MemoryConversationStoreRig
from support.scripted_supervisor import ScriptedSupervisor
from support.turn_runner import TurnRunner

BOT = Slug("bot")
LEASE = LeaseSeconds(30.0)


class ChannelWorkerHarness:
    """A connected instance `bot`, its fake platform, and the use cases around one store.

    Create it with `open`. Time stands still except for `clock.advance`.
    """

    connection: ChannelConnection

    def __init__(self) -> None:
        self.channels = ChannelHarness()
        self.fake = self.channels.fake
        self.store = MemoryConversationStoreRig()
        self.clock = self.store.clock
        self.channels.clock = self.clock
        self.supervisor = ScriptedSupervisor()
        self.runner = TurnRunner(self.supervisor, clock=self.clock)
        self.wake = ChannelWake()
        tokens, cipher = SystemTokenSource(), self.channels.cipher
        data_cipher = AesGcmDataCipher(cipher=cipher)
        self.hashes = LookupHashes(inbox=self.store.inbox, data_cipher=data_cipher)
        self.keys = IngestKeys(inbox=self.store.inbox, data_cipher=data_cipher, tokens=tokens, clock=self.clock)
        self.conversation_keys = ConversationKeys(data_cipher=data_cipher, tokens=tokens, clock=self.clock)
        open_account = OpenAccount(
            connections=self.channels.connections, repo=self.channels.repo, cipher=self.channels.cipher
        )
        problems = RecordProblems(connections=self.channels.connections, clock=self.clock)
        open_channel = OpenChannel(open_account=open_account, channels=self.channels.channels, problems=problems)
        self.receive_events = ReceiveEvents(
            connections=self.channels.connections,
            open_channel=open_channel,
            problems=problems,
            inbox=self.store.inbox,
            outbox=self.store.outbox,
            keys=self.keys,
            hashes=self.hashes,
            wake=self.wake,
            clock=self.clock,
        )
        end = EndEvents(
            inbox=self.store.inbox,
            keys=self.keys,
            limiter=MemoryRateLimiter(clock=self.clock),
            tokens=tokens,
            lease_seconds=LEASE,
        )
        self.media_store = MemoryMediaStore()
        media = ConversationMedia(
            store=self.media_store,
            intake=ImageIntake(fetcher=MemoryImageFetcher()),
            memory=MediaMemory(MediaBytes(MAX_MEDIA_BYTES)),
        )
        conversations, keys = self.store.conversations, self.conversation_keys
        new = NewConversations(instances=self.channels.repo, conversations=conversations, keys=keys)
        history = ChannelHistory(conversations=conversations, keys=keys, new=new, media=media)
        self.transcriber = MemoryTranscriber()
        attachments = Attachments(transcriber=self.transcriber, reader=MemoryDocumentReader())
        fetch_media = FetchMedia(attachments=attachments, media_bytes=MediaBytes(MAX_MEDIA_BYTES))
        run_turn = RunChannelTurn(
            run_turn=self.runner.run_turn,
            lanes=self.store.lanes,
            clock=self.clock,
            tokens=tokens,
            lease_seconds=LEASE,
        )
        limits = CallerLimits(policy=DefaultRatePolicy(RateLimits()), limiter=MemoryRateLimiter(clock=self.clock))
        batch = AnswerBatch(
            history=history,
            run_turn=run_turn,
            fetch_media=fetch_media,
            media=media,
            end=end,
            limits=limits,
            keeper=LeaseKeeper(lanes=self.store.lanes, clock=self.clock, lease_seconds=LEASE),
            clock=self.clock,
        )
        self.answer_lane = AnswerLane(
            inbox=self.store.inbox,
            outbox=self.store.outbox,
            lanes=self.store.lanes,
            open_channel=open_channel,
            answer=AnswerEvents(
                answer=batch, end=end, history=history, keys=self.keys, pairing=PairingCodes(cipher=cipher)
            ),
            send=SendDeliveries(
                outbox=self.store.outbox, keys=self.keys, problems=problems, lease_seconds=LEASE, clock=self.clock
            ),
            hashes=self.hashes,
            clock=self.clock,
            lease_seconds=LEASE,
        )
        self.worker = ChannelWorker(
            lanes=self.store.lanes,
            answer=self.answer_lane,
            turns=self.runner.turns,
            wake=self.wake,
            owner=ProcessName("tests"),
            lease_seconds=LEASE,
        )
        self.pull = PullAccounts(
            connections=self.channels.connections,
            open_channel=open_channel,
            problems=problems,
            receive=self.receive_events,
            lanes=self.store.lanes,
            hashes=self.hashes,
            clock=self.clock,
            owner=ProcessName("tests"),
        )

    @classmethod
    async def open(cls, **fields: object) -> "ChannelWorkerHarness":
        """Returns a harness whose instance is connected, with these fields of the NewConnection."""
        harness = cls()
        await harness.channels.create("bot", provider="echo")
        new = NewConnection(channel=FAKE, credentials={"token": FAKE_TOKEN}, **fields)  # type: ignore[arg-type]
        harness.connection = (await harness.channels.connect(BOT, new, by=CLI)).connection
        return harness

    async def receive(self, *events: InboundEvent, token: str = FAKE_TOKEN) -> None:
        """Passes a webhook's request with the events."""
        await self.receive_events(FAKE, self.connection.id, fake_request(events, token=token))

    async def work(self, *, seconds: float = 1.0) -> int:
        """Advances the time, answers every lane that is due then, and returns how many there were."""
        self.clock.advance(seconds)
        count = 0
        while (lease := await self.store.lanes.claim(owner="tests", seconds=LEASE)) is not None:
            await self.answer_lane(lease)
            count += 1
        return count

    @property
    def texts(self) -> list[str]:
        """The texts that the platform took, in order."""
        return [chunk.text for chunk in self.fake.sent]

    async def states(self) -> dict[str, str]:
        """Returns the state of each event, by the platform's id."""
        page = await self.store.inbox.list(EventFilter(), limit=1_000)
        return {event.event_id: event.state.value for event in page.events}

    async def delivery_states(self) -> list[str]:
        """Returns the state of each delivery, in order."""
        page = await self.store.outbox.list(DeliveryFilter(), limit=1_000)
        return [delivery.state.value for delivery in reversed(page.deliveries)]

    async def history(self) -> Sequence[Message]:
        """Returns the messages of all conversations."""
        tables = self.store.store.conversations
        return [message for messages in tables.messages.values() for message in messages]


def message(
    number: int = 1,
    text: str = "Hi",
    *,
    chat: str = "7",
    user: str = "7",
    language: str | None = None,
    **fields: object,
) -> InboundEvent:
    """Returns a message of a user in a private chat, with the given fields."""
    given = {"position": number, "message_id": str(number), **fields}
    author = ChannelUser(id=user, name="Ann", language=language)
    return InboundEvent(id=f"e-{chat}-{number}", peer=Peer(chat), user=author, text=text, **given)  # type: ignore[arg-type]
