"""Runs all clients in parallel, each through all scenarios, and collects the results."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.driver import CallResult, Driver, DriverError
from clients.environments import UnavailableError, command_for, program
from clients.harness import ClientHarness, mark_of
from clients.registry import CLIENTS, Client
from clients.scenarios import PARTIAL_TEXT, SCENARIOS, SHUTDOWN, Scenario
from support.patience import PATIENCE
from support.process import eventually
from support.upstream import Gate, Received

_ATTEMPTS = 10
_OUTPUT_SECONDS = 3 * PATIENCE
"""The first call of a driver includes the imports of its framework, which take long on a busy machine."""
_CONCURRENT_CLIENTS = 8
"""How many clients run their scenarios at once: many take seconds of CPU time to start."""
_VERBS = {scenario.name: scenario.verb for scenario in (*SCENARIOS, SHUTDOWN)}


@dataclass(kw_only=True)
class Run:
    """The results of one client."""

    client: Client
    version: str = ""
    verbs: list[str] = field(default_factory=list)
    results: dict[tuple[str, str], CallResult] = field(default_factory=dict)
    """The results of the calls, by scenario and verb."""
    requests: dict[tuple[str, str], list[Received]] = field(default_factory=dict)
    """The requests that reached the provider, by scenario and verb."""
    closed: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether the server closed the connection to the provider after the client had disconnected."""
    rejections: int = 0
    """The number of rate-limited requests before the first successful one."""
    unavailable: str = ""
    """Why the client couldn't be tested; empty if it could."""
    broken: str = ""
    """The error that stopped the client's driver; empty if there was none."""

    def has_met(self, name: str) -> bool:
        """Returns whether the client made the call that meets one of the failures."""
        return (name, _VERBS[name]) in self.results

    def failure(self, name: str) -> CallResult:
        """Returns the result of the call that met one of the failures."""
        return self.results[name, _VERBS[name]]


class ScenarioRunner:
    """Runs one client through its scenarios."""

    def __init__(self, client: Client, harness: ClientHarness, folder: Path) -> None:
        self.run = Run(client=client)
        self.has_reached_the_end = threading.Event()
        """Set when the client has received the text of the last stream, or has failed."""
        self._harness = harness
        self._folder = folder / client.name
        self._folder.mkdir()
        self._exit = ExitStack()

    def run_scenarios(self) -> None:
        """Runs all scenarios except for the shutdown."""
        try:
            self._driver = self._exit.enter_context(self._start())
            self.run.version, self.run.verbs = self._driver.version, self._driver.verbs
            for scenario in SCENARIOS:
                for verb in self._verbs_for(scenario):
                    self._run_scenario(scenario, verb)
        except UnavailableError as error:
            self.run.unavailable = str(error)
        except DriverError as error:
            self.run.broken = str(error)

    def run_shutdown(self) -> None:
        """Reads a stream until another thread stops the server."""
        try:
            if SHUTDOWN.verb in self.run.verbs and not self.run.unavailable and not self.run.broken:
                self._run_scenario(SHUTDOWN, SHUTDOWN.verb)
        except DriverError as error:
            self.run.broken = str(error)
        finally:
            self.has_reached_the_end.set()

    def close(self) -> None:
        """Stops the client."""
        self._exit.close()

    def _start(self) -> Driver:
        variables = {"POLYANT_URL": self._harness.servers["main"].url, "LLM_USER_PATH": str(self._folder)}
        command = command_for(self.run.client)
        if self.run.client.program == "chromium":
            variables["CHROMIUM"] = program("chromium")
        return Driver(command, self._folder, variables)

    def _verbs_for(self, scenario: Scenario) -> list[str]:
        if scenario.name == "repeats" and self.run.client.retries_for_long:
            return []
        verbs = [verb for verb in self.run.verbs if verb.split("_")[0] == scenario.verb]
        return verbs if scenario.all_variants else [verb for verb in verbs if verb == scenario.verb]

    def _run_scenario(self, scenario: Scenario, verb: str) -> None:
        name = f"{self.run.client.name}/{scenario.name}/{verb}"
        gates: list[Gate] = []

        def new_gate() -> Gate:
            gates.append(Gate())
            return gates[-1]

        def on_piece(pieces: list[str]) -> None:
            if gates:
                self._harness.provider.open(gates.pop(0))
            if scenario is SHUTDOWN and tuple(pieces) == PARTIAL_TEXT:
                self.has_reached_the_end.set()

        self._harness.provider.expect(name, scenario.reply(new_gate))
        key = (scenario.name, verb)
        arguments = self._arguments(scenario, name)
        with self._rate_limited_at_first() if scenario.server == "brief" else nullcontext():
            self.run.results[key] = self._driver.call(verb, arguments, seconds=_OUTPUT_SECONDS, on_piece=on_piece)
        self.run.requests[key] = self._harness.provider.requests[name]
        if scenario.name in {"cancelled", "impatient"}:
            self.run.closed[key] = any(self._is_closed(name, arguments) for _ in range(_ATTEMPTS))

    def _is_closed(self, name: str, arguments: dict[str, Any]) -> bool:
        """Returns whether the call to the provider ends within a second."""
        if self.run.client.closes_late:
            self._driver.call("collect", arguments, seconds=PATIENCE)
        return self._harness.provider.is_closed(name)

    @contextmanager
    def _rate_limited_at_first(self) -> Iterator[None]:
        with self._harness.brief_lock:
            eventually(lambda: self._harness.call_once("brief"), 200)
            before = self._harness.rejected_calls("brief")
            yield
            self.run.rejections = self._harness.rejected_calls("brief") - before

    def _arguments(self, scenario: Scenario, name: str) -> dict[str, Any]:
        server = self._harness.servers[scenario.server]
        return {
            "base_url": server.base_url,
            "key": "sk-of-somebody-else" if scenario.wrong_key else self._harness.key,
            "model": scenario.model,
            "messages": scenario.messages(mark_of(name)),
            "code": self.run.client.example.read_text().replace("http://localhost:4000", server.url),
            "retries": None,
            "usage": False,
            "stop_after": None,
            **scenario.call,
        }


def run_clients(names: Iterable[str], harness: ClientHarness, folder: Path) -> dict[str, Run]:
    """Returns the results of each client, by name."""
    runners = [ScenarioRunner(CLIENTS[name], harness, folder) for name in names]
    with ExitStack() as stack:
        few = stack.enter_context(ThreadPoolExecutor(_CONCURRENT_CLIENTS))
        threads = stack.enter_context(ThreadPoolExecutor(len(runners)))
        for runner in runners:
            stack.callback(runner.close)
        for done in [few.submit(runner.run_scenarios) for runner in runners]:
            done.result()
        ending = [threads.submit(runner.run_shutdown) for runner in runners]
        for runner in runners:
            runner.has_reached_the_end.wait(PATIENCE)
        harness.servers["doomed"].stop()
        for done in ending:
            done.result()
    return {runner.run.client.name: runner.run for runner in runners}
