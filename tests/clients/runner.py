"""All clients at once, each through all scenarios, and what came of it."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.driver import Driver, DriverError, Seen
from clients.environments import UnavailableError, command_for, program
from clients.registry import CLIENTS, Client
from clients.scenarios import HALF, SCENARIOS, SHUTDOWN, Scenario
from clients.stage import Stage, mark_of
from support.patience import PATIENCE
from support.process import eventually
from support.upstream import Gate, Received

_TRIES = 10
_VERBS = {scenario.name: scenario.verb for scenario in (*SCENARIOS, SHUTDOWN)}


@dataclass(kw_only=True)
class Run:
    """What one client did."""

    client: Client
    version: str = ""
    verbs: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    """By scenario and verb."""
    heard: dict[tuple[str, str], list[Received]] = field(default_factory=dict)
    """What reached the provider, likewise."""
    closed: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether the provider saw the server hang up after the client had gone away."""
    refusals: int = 0
    """How often it was refused before it was let in."""
    unavailable: str = ""
    """Why it couldn't be tried, if it couldn't."""
    broken: str = ""
    """What became of it, if it didn't come to its end."""

    def failure(self, name: str) -> Seen:
        """Returns what the client saw of one of the nine failures."""
        return self.seen[name, _VERBS[name]]


class Performer:
    """Puts one client through its scenarios."""

    def __init__(self, client: Client, stage: Stage, folder: Path) -> None:
        self.run = Run(client=client)
        self.is_listening = threading.Event()
        """Set when the client has heard what there is of the last stream, or never will."""
        self._stage = stage
        self._folder = folder / client.name
        self._folder.mkdir()
        self._exit = ExitStack()

    def perform(self) -> None:
        """Goes through all but the shutdown."""
        try:
            self._driver = self._exit.enter_context(self._start())
            self.run.version, self.run.verbs = self._driver.version, self._driver.verbs
            for scenario in SCENARIOS:
                for verb in self._ways(scenario):
                    self._play(scenario, verb)
        except UnavailableError as error:
            self.run.unavailable = str(error)
        except DriverError as error:
            self.run.broken = str(error)

    def hear_the_end(self) -> None:
        """Listens to a stream until the server is stopped, which somebody else does."""
        try:
            if not self.run.unavailable and not self.run.broken:
                self._play(SHUTDOWN, SHUTDOWN.verb)
        except DriverError as error:
            self.run.broken = str(error)
        finally:
            self.is_listening.set()

    def close(self) -> None:
        """Ends the client."""
        self._exit.close()

    def _start(self) -> Driver:
        variables = {"POLYANT_URL": self._stage.servers["main"].url, "LLM_USER_PATH": str(self._folder)}
        command = command_for(self.run.client)
        if self.run.client.program == "chromium":
            variables["CHROMIUM"] = program("chromium")
        return Driver(command, self._folder, variables)

    def _ways(self, scenario: Scenario) -> list[str]:
        if scenario.name == "repeats" and self.run.client.insists:
            return []
        ways = [verb for verb in self.run.verbs if verb.split("_")[0] == scenario.verb]
        return ways if scenario.every_way else [verb for verb in ways if verb == scenario.verb]

    def _play(self, scenario: Scenario, verb: str) -> None:
        name = f"{self.run.client.name}/{scenario.name}/{verb}"
        gates: list[Gate] = []

        def hold() -> Gate:
            gates.append(Gate())
            return gates[-1]

        def heard(pieces: list[str]) -> None:
            if gates:
                self._stage.provider.open(gates.pop(0))
            if scenario is SHUTDOWN and tuple(pieces) == HALF:
                self.is_listening.set()

        self._stage.provider.expect(name, scenario.reply(hold))
        which = (scenario.name, verb)
        asked = self._asked(scenario, name)
        with self._refused_at_first() if scenario.server == "brief" else nullcontext():
            self.run.seen[which] = self._driver.call(verb, asked, seconds=PATIENCE, heard=heard)
        self.run.heard[which] = self._stage.provider.heard[name]
        if scenario.name in {"cancelled", "impatient"}:
            self.run.closed[which] = any(self._is_closed(name, asked) for _ in range(_TRIES))

    def _is_closed(self, name: str, asked: dict[str, Any]) -> bool:
        """Returns whether the call to the provider ends, waiting for it for a while."""
        if self.run.client.leaves_late:
            self._driver.call("collect", asked, seconds=PATIENCE)
        return self._stage.provider.is_hung_up(name)

    @contextmanager
    def _refused_at_first(self) -> Iterator[None]:
        with self._stage.brief_is_mine:
            eventually(lambda: self._stage.use_up("brief"), 200)
            before = self._stage.refused("brief")
            yield
            self.run.refusals = self._stage.refused("brief") - before

    def _asked(self, scenario: Scenario, name: str) -> dict[str, Any]:
        server = self._stage.servers[scenario.server]
        return {
            "base_url": server.base_url,
            "key": "sk-of-somebody-else" if scenario.wrong_key else self._stage.key,
            "model": scenario.model,
            "messages": scenario.messages(mark_of(name)),
            "code": self.run.client.example.read_text().replace("http://localhost:4000", server.url),
            "retries": None,
            "usage": False,
            "enough": None,
            **scenario.call,
        }


def perform(names: Iterable[str], stage: Stage, folder: Path) -> dict[str, Run]:
    """Returns what became of each client."""
    performers = [Performer(CLIENTS[name], stage, folder) for name in names]
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(len(performers)))
        for performer in performers:
            stack.callback(performer.close)
        for done in [threads.submit(performer.perform) for performer in performers]:
            done.result()
        ending = [threads.submit(performer.hear_the_end) for performer in performers]
        for performer in performers:
            performer.is_listening.wait(PATIENCE)
        stage.servers["doomed"].stop()
        for done in ending:
            done.result()
    return {performer.run.client.name: performer.run for performer in performers}
