import pytest

from polyant.adapters.memory.turn_log import MemoryTurnLog
from polyant.adapters.otel.turn_observer import OtelTurnObserver
from polyant.adapters.prometheus.turn_observer import PrometheusTurnObserver
from polyant.adapters.tools.calculate_tool import CalculateTool
from polyant.adapters.turn_log.turn_observer import TurnLogTurnObserver
from polyant.domain.injectables import Environ, TurnLogDays
from polyant.testing.manual_clock import ManualClock
from polyant.testing.turn_observer import TurnObserverContract


class TestTurnLogTurnObserver(TurnObserverContract):
    @pytest.fixture
    def observer(self) -> TurnLogTurnObserver:
        return TurnLogTurnObserver(turn_log=MemoryTurnLog(clock=ManualClock(), turn_log_days=TurnLogDays(30)))


class TestPrometheusTurnObserver(TurnObserverContract):
    @pytest.fixture
    def observer(self) -> PrometheusTurnObserver:
        return PrometheusTurnObserver(tools={"calculate": CalculateTool()})


class TestOtelTurnObserver(TurnObserverContract):
    @pytest.fixture
    def observer(self) -> OtelTurnObserver:
        return OtelTurnObserver(environ=Environ({}), export=lambda _: None)
