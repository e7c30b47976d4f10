"""Tool that looks up customers in a CRM, with a token and options that each instance sets for itself."""

from http import HTTPStatus
from typing import Annotated

import aiohttp
import msgspec

from polyant.domain.adapter_options import decode_options
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext, ToolError

TOKEN = SecretName("crm_token")
_MAX_BYTES = 64 * 1024


class CrmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The variables `POLYANT_FIND_CUSTOMER_…`. The operator sets the address: users could point it anywhere."""

    url: Annotated[str, msgspec.Meta(description="Base URL of the CRM", pattern="^https?://.")]


class CrmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that an instance can set."""

    fields: Annotated[tuple[str, ...], msgspec.Meta(description="Fields that the model sees")] = ("name", "city")


class Query(msgspec.Struct, frozen=True):
    """The arguments that the model writes."""

    name: Annotated[str, msgspec.Meta(description="Part of the customer's name", min_length=2, max_length=100)]


class FindCustomerTool(Tool):
    """Asks the CRM for customers, and returns only the fields that the instance allows."""

    name = "find_customer"
    description = "Finds customers by a part of their name."
    arguments = Query
    secrets = (TOKEN,)
    options = CrmOptions
    settings = CrmSettings

    def __init__(self, *, crm: CrmSettings, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._url = f"{crm.url.rstrip('/')}/customers"
        self._http = http
        self._clock = clock

    async def run(self, arguments: Query, context: ToolContext) -> str:
        options = decode_options(context.options, self.name, CrmOptions)
        seconds = max(0.0, context.deadline - self._clock.monotonic())
        headers = {"Authorization": f"Bearer {context.secrets[TOKEN].reveal()}"}
        try:
            async with self._http.get(
                self._url,
                params={"name": arguments.name},
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as response:
                body = await response.content.read(_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ToolError("The CRM can't be reached: try again later.") from error
        if response.status != HTTPStatus.OK:
            raise ToolError(f"The CRM refuses the search with status {response.status}.")
        try:
            found = msgspec.json.decode(body, type=list[dict[str, object]])
        except msgspec.DecodeError as error:
            raise ToolError("The CRM's response can't be read, or is too long: search for more of the name.") from error
        shown = [{name: each[name] for name in options.fields if name in each} for each in found]
        return msgspec.json.encode(shown).decode() if shown else "No customer has that name."
