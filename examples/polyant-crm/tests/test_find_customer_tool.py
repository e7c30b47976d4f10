from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
from polyant_crm.find_customer_tool import TOKEN, CrmOptions, CrmSettings, FindCustomerTool

from polyant.adapters.system.clock import SystemClock
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import SecretText
from polyant.domain.tools import ToolError
from polyant.testing.tool import CONTEXT, ToolRun, WaitingRun, WaitingToolContract, result_of
from polyant.testing.upstream import HANG_BEFORE_HEAD, Received, Reply, ScriptedUpstream, json_reply

SECRET = "crm-token-0123456789"
CUSTOMERS = [{"name": "Ann Lee", "city": "Oslo", "iban": "NO93"}, {"name": "Annika", "city": "Rome", "iban": "IT60"}]


def run_of(name: str, **options: object) -> ToolRun:
    context = msgspec.structs.replace(
        CONTEXT, secrets={TOKEN: SecretText(SECRET)}, options=options, deadline=SystemClock().monotonic() + 60
    )
    return ToolRun(arguments={"name": name}, context=context)


def crm(request: Received) -> Reply:
    """Answers like the CRM: it knows the token, and one search that it refuses."""
    if request.headers.get("authorization") != f"Bearer {SECRET}":
        return json_reply({}, status=401)
    if "hang" in request.path:
        return HANG_BEFORE_HEAD
    return json_reply({"error": SECRET}, status=403) if "forbidden" in request.path else json_reply(CUSTOMERS)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        upstream.otherwise = crm
        yield upstream


@pytest.fixture
async def find_customer(upstream: ScriptedUpstream) -> AsyncIterator[FindCustomerTool]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield FindCustomerTool(crm=CrmSettings(url=upstream.url), http=http, clock=SystemClock())


class HangingRun(WaitingRun):
    run = run_of("hang")

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream

    async def begun(self) -> None:
        await self._upstream.request()

    async def over(self) -> None:
        await self._upstream.requests[0].hung_up.wait()


class TestFindCustomerTool(WaitingToolContract):
    @pytest.fixture
    def tool(self, find_customer: FindCustomerTool) -> FindCustomerTool:
        return find_customer

    @pytest.fixture
    def good(self) -> ToolRun:
        return run_of("Ann")

    @pytest.fixture
    def bad(self) -> ToolRun:
        return run_of("forbidden")

    @pytest.fixture
    def waiting(self, upstream: ScriptedUpstream) -> WaitingRun:
        return HangingRun(upstream)


async def test_model_sees_only_the_fields_that_the_instance_allows(find_customer: FindCustomerTool) -> None:
    assert "iban" not in await result_of(find_customer, run_of("Ann"))
    assert await result_of(find_customer, run_of("Ann", fields=["city"])) == '[{"city":"Oslo"},{"city":"Rome"}]'


async def test_search_is_sent_with_the_token(find_customer: FindCustomerTool, upstream: ScriptedUpstream) -> None:
    await result_of(find_customer, run_of("Ann & Co"))
    assert upstream.requests[0].path == "/customers?name=Ann+%26+Co"
    assert upstream.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("reply", [Reply(pieces=(b"<html>",)), Reply(pieces=(b"[" + b"1," * 70_000,))])
async def test_unusable_response_is_explained(
    find_customer: FindCustomerTool, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.replies.append(reply)
    with pytest.raises(ToolError, match="can't be read, or is too long"):
        await result_of(find_customer, run_of("Ann"))


def test_wrong_options_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="unknown field `colour`"):
        AdapterOptions({"find_customer": CrmOptions}).check({"find_customer": {"colour": "red"}})
