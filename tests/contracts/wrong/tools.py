"""Tools that each break one promise."""

import asyncio
import contextlib
import logging
import socket
import time
from typing import Annotated, Any, cast

import msgspec
import pytest

from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.tools import ToolContext, ToolError
from polyant.testing import tool as kit
from polyant.testing.tool import CONTEXT, ToolRun, WaitingRun, WaitingToolContract
from support.patience import seconds

TOKEN = SecretName("crm_token")
NOT_ENCODABLE = b"caf\xe9".decode(errors="surrogateescape")


def run_of(name: str) -> ToolRun:
    """Returns a run with options of its own."""
    secrets = {TOKEN: SecretText("crm-token-0123456789")}
    context = msgspec.structs.replace(CONTEXT, secrets=secrets, options={"fields": ["city"]})
    return ToolRun(arguments={"name": name}, context=context)


class Crm:
    """A system that knows one customer, and never finishes the search for another one."""

    def __init__(self) -> None:
        self.searching = asyncio.Event()
        self.left = asyncio.Event()

    async def customer(self, name: str) -> str | None:
        await asyncio.sleep(0)
        if name == "endless":
            self.searching.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return {"ann": "Ann Lee, Oslo"}.get(name)


class EndlessSearch(WaitingRun):
    run = run_of("endless")

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    async def begun(self) -> None:
        await self._crm.searching.wait()

    async def over(self) -> None:
        await self._crm.left.wait()


class Search(msgspec.Struct, frozen=True):
    name: str


class FindCustomer(Tool):
    """Is right."""

    name = "find_customer"
    description = "Finds a customer by name."
    arguments: type[msgspec.Struct] = Search
    secrets: tuple[SecretName, ...] = (TOKEN,)

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    async def run(self, arguments: Search, context: ToolContext) -> str:
        found = await self._crm.customer(arguments.name)
        if found is None:
            raise ToolError("No such customer: ask for the exact name.")
        return found


class CustomerContract(WaitingToolContract):
    wrong: type[FindCustomer]

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kit, "SEEN_AT_ONCE", seconds(1))  # a wrong tool only wastes the time until then
        monkeypatch.setattr(kit, "PATIENCE_SECONDS", seconds(2))

    @pytest.fixture
    def crm(self) -> Crm:
        return Crm()

    @pytest.fixture
    def tool(self, crm: Crm) -> FindCustomer:
        return self.wrong(crm)

    @pytest.fixture
    def good(self) -> ToolRun:
        return run_of("ann")

    @pytest.fixture
    def bad(self) -> ToolRun:
        return run_of("bob")

    @pytest.fixture
    def waiting(self, crm: Crm) -> EndlessSearch:
        return EndlessSearch(crm)


class TestRight(CustomerContract):
    wrong = FindCustomer


class NamedWithDash(FindCustomer):
    name = "find-customer"


class TestNameWithDash(CustomerContract):
    wrong = NamedWithDash


class Undescribed(FindCustomer):
    description = ""


class TestDescriptionEmpty(CustomerContract):
    wrong = Undescribed


class DescribedAtLength(FindCustomer):
    description = "Finds a customer. " * 100 + "That is all."


class TestDescriptionTooLong(CustomerContract):
    wrong = DescribedAtLength


class SearchInWords(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="the name")


class NamesInWords(FindCustomer):
    """Describes its parameters by their names."""

    arguments = SearchInWords


class TestParameterWithSpace(CustomerContract):
    wrong = NamesInWords


class Country(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(description="Name of the country. " * 1_000)] = ""


class SearchInCountry(msgspec.Struct, frozen=True):
    name: str
    country: Country | None = None


class DocumentsAtLength(FindCustomer):
    """Puts a manual into the schema."""

    arguments = SearchInCountry


class TestSchemaTooLarge(CustomerContract):
    wrong = DocumentsAtLength


class NeedsSecretTwice(FindCustomer):
    secrets = (TOKEN, TOKEN)


class TestSecretTwice(CustomerContract):
    wrong = NeedsSecretTwice


class ReadsAnySecret(FindCustomer):
    """Uses a secret that it doesn't declare."""

    secrets = ()

    async def run(self, arguments: Search, context: ToolContext) -> str:
        _ = context.secrets[TOKEN]
        return await super().run(arguments, context)


class TestSecretUndeclared(CustomerContract):
    wrong = ReadsAnySecret


class DescribesErrors(FindCustomer):
    """Returns the error as the result."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        try:
            return await super().run(arguments, context)
        except ToolError as error:
            return f"Error: {error}"


class TestErrorReturned(CustomerContract):
    wrong = DescribesErrors


class RaisesOthers(FindCustomer):
    """Lets the errors of its library through."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        try:
            return await super().run(arguments, context)
        except ToolError as error:
            raise KeyError(arguments.name) from error


class TestErrorOfLibrary(CustomerContract):
    wrong = RaisesOthers


class SaysLittle(FindCustomer):
    """Raises an error that doesn't help the model."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        try:
            return await super().run(arguments, context)
        except ToolError:
            raise ToolError("404") from None


class TestErrorUnexplained(CustomerContract):
    wrong = SaysLittle


class ReturnsStructure(FindCustomer):
    """Leaves the encoding to the caller."""

    async def run(self, arguments: Search, context: ToolContext) -> Any:
        return {"customer": await super().run(arguments, context)}


class TestResultNotText(CustomerContract):
    wrong = ReturnsStructure


class ReturnsSurrogates(FindCustomer):
    """Decodes a response in a way that keeps invalid bytes."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        return f"{await super().run(arguments, context)} {NOT_ENCODABLE}"


class TestResultNotEncodable(CustomerContract):
    wrong = ReturnsSurrogates


class IgnoresArguments(FindCustomer):
    """Searches for the same customer in each run."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        return await super().run(Search("ann") if arguments.name == "bob" else arguments, context)


class TestArgumentsIgnored(CustomerContract):
    wrong = IgnoresArguments


class Caches(FindCustomer):
    """Keeps its first result, whatever the arguments are."""

    _result: str | None = None

    async def run(self, arguments: Search, context: ToolContext) -> str:
        if self._result is None:
            self._result = await super().run(arguments, context)
        return self._result


class TestFirstResultKept(CustomerContract):
    wrong = Caches


class KeepsArguments(FindCustomer):
    """Keeps the arguments of the run in the object."""

    _arguments = Search("")

    async def run(self, arguments: Search, context: ToolContext) -> str:
        self._arguments = arguments
        await asyncio.sleep(0)
        return await super().run(self._arguments, context)


class TestArgumentsMixedUp(CustomerContract):
    wrong = KeepsArguments


class RunsOneByOne(FindCustomer):
    """Waits for the run before it."""

    def __init__(self, crm: Crm) -> None:
        super().__init__(crm)
        self._lock = asyncio.Lock()

    async def run(self, arguments: Search, context: ToolContext) -> str:
        async with self._lock:
            return await super().run(arguments, context)


class TestOneRunAtATime(CustomerContract):
    wrong = RunsOneByOne


class LosesPlaces(FindCustomer):
    """Limits its runs, and gives the place of a failed or cancelled one not back."""

    def __init__(self, crm: Crm) -> None:
        super().__init__(crm)
        self._places = asyncio.Semaphore(16)

    async def run(self, arguments: Search, context: ToolContext) -> str:
        await self._places.acquire()
        result = await super().run(arguments, context)
        self._places.release()
        return result


class TestPlacesLost(CustomerContract):
    wrong = LosesPlaces


class ClosesItsSession(FindCustomer):
    """Closes its session after the first success."""

    _is_closed = False

    async def run(self, arguments: Search, context: ToolContext) -> str:
        if self._is_closed:
            raise RuntimeError("Session is closed")
        result = await super().run(arguments, context)
        self._is_closed = True
        return result


class TestSessionClosed(CustomerContract):
    wrong = ClosesItsSession


class Sleeps(FindCustomer):
    """Waits between two calls of the system with a blocking call."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        time.sleep(0.001)  # noqa: ASYNC251 - that is the mistake
        return await super().run(arguments, context)


class TestSleeping(CustomerContract):
    wrong = Sleeps


class Connects(FindCustomer):
    """Connects with a blocking library."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        with socket.socket() as connection, contextlib.suppress(OSError):
            connection.connect(("127.0.0.1", 9))
        return await super().run(arguments, context)


class TestBlockingConnection(CustomerContract):
    wrong = Connects


class LeavesTask(FindCustomer):
    """Protects its search from cancellation."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        return await asyncio.shield(super().run(arguments, context))


class TestTaskLeft(CustomerContract):
    wrong = LeavesTask


class SwallowsCancellation(FindCustomer):
    """Returns a text when it is cancelled."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        try:
            return await super().run(arguments, context)
        except asyncio.CancelledError:
            return "The search was cancelled."


class TestCancellationSwallowed(CustomerContract):
    wrong = SwallowsCancellation


class QuotesRequest(FindCustomer):
    """Shows its request in the result."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        return f"{await super().run(arguments, context)} (?token={context.secrets[TOKEN].reveal()})"


class TestSecretInResult(CustomerContract):
    wrong = QuotesRequest


class QuotesRequestInErrors(FindCustomer):
    """Shows its request in errors."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        try:
            return await super().run(arguments, context)
        except ToolError as error:
            raise ToolError(f"{error} The request was ?token={context.secrets[TOKEN].reveal()}") from None


class TestSecretInError(CustomerContract):
    wrong = QuotesRequestInErrors


class LogsRequest(FindCustomer):
    async def run(self, arguments: Search, context: ToolContext) -> str:
        logging.getLogger("crm").debug("searching with %s", context.secrets[TOKEN].reveal())
        return await super().run(arguments, context)


class TestSecretLogged(CustomerContract):
    wrong = LogsRequest


class PrintsRequest(FindCustomer):
    async def run(self, arguments: Search, context: ToolContext) -> str:
        print("searching with", context.secrets[TOKEN].reveal())  # noqa: T201 - that is the mistake
        return await super().run(arguments, context)


class TestSecretPrinted(CustomerContract):
    wrong = PrintsRequest


class TakesOptions(FindCustomer):
    """Removes the options from the context."""

    async def run(self, arguments: Search, context: ToolContext) -> str:
        cast("dict[str, Any]", context.options).pop("fields", None)
        return await super().run(arguments, context)


class TestOptionsTaken(CustomerContract):
    wrong = TakesOptions
