"""RunTurn on a test's Supervisor, with a turn log that records every turn."""

from collections.abc import Mapping

from polyant.adapters.memory.document_reader import MemoryDocumentReader
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.adapters.memory.transcriber import MemoryTranscriber
from polyant.adapters.memory.turn_log import MemoryTurnLog
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.adapters.turn_log.turn_observer import TurnLogTurnObserver
from polyant.domain.chat import SupervisorEvent
from polyant.domain.injectables import TurnLogDays
from polyant.domain.limits import TurnBudget
from polyant.domain.media.attachments import Attachments
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.sizes import MediaBytes, MediaMemory
from polyant.domain.media.supervisor import MediaSupervisor
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.running_turns import RunningTurns
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun
from polyant.testing.manual_clock import ManualClock


class TurnRunner:
    """RunTurn and its dependencies; observations are delivered while `observation` is entered.

    `clock` measures durations and stands still by default. Deadlines use real time.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        clock: Clock | None = None,
        max_turns: int = 1_000,
        budget: TurnBudget | None = None,
        observers: Mapping[str, TurnObserver] | None = None,
        providers: Mapping[str, ProviderInfo] | None = None,
        images: Mapping[str, bytes] | None = None,
        transcripts: Mapping[bytes, str] | None = None,
        documents: Mapping[bytes, str] | None = None,
        max_media_bytes: int = 1_000_000,
    ) -> None:
        self.clock = clock or ManualClock()
        self.turn_log = MemoryTurnLog(clock=self.clock, turn_log_days=TurnLogDays(30))
        self.turns = RunningTurns(max_turns=max_turns)
        self.observation = TurnObservation(
            {"turn_log": TurnLogTurnObserver(turn_log=self.turn_log), **(observers or {})}
        )
        self.media = MediaMemory(MediaBytes(max_media_bytes))
        self.fetcher = MemoryImageFetcher(images)
        self.run_turn = RunTurn(
            supervisor=supervisor,
            media=MediaSupervisor(
                supervisor=supervisor,
                providers=providers or {},
                intake=ImageIntake(fetcher=self.fetcher),
                attachments=Attachments(
                    transcriber=MemoryTranscriber(transcripts), reader=MemoryDocumentReader(documents)
                ),
                clock=self.clock,
                memory=self.media,
            ),
            turns=self.turns,
            observation=self.observation,
            clock=self.clock,
            tokens=SystemTokenSource(),
            budget=budget or TurnBudget(),
        )


async def events_of(run: TurnRun) -> list[SupervisorEvent]:
    """Returns all events of a turn."""
    async with run:
        return [event async for event in run]
