"""Calls of the Bot API."""

from typing import TypeVar
from urllib.parse import quote

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, json_body
from polyant.adapters.channels.telegram.wire import Arguments, Parameters, Result
from polyant.domain.secrets import SecretText

DEFAULT_URL = "https://api.telegram.org"
_HEADERS = {"Content-Type": "application/json"}

_MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""More than a hundred of the longest updates."""

_result_decoder = msgspec.json.Decoder(Result)

ResultT = TypeVar("ResultT")


class BotApiError(Exception):
    """The Bot API refused a call; the description is Telegram's own text and isn't shown to users."""

    def __init__(self, result: Result, status: int) -> None:
        super().__init__(f"{result.error_code or status}")
        self.code = result.error_code or status
        self.description = result.description.lower()
        self.parameters: Parameters = result.parameters

    @property
    def retry_after(self) -> float:
        """The seconds to wait."""
        return float(self.parameters.retry_after or 1)


class BotApi:
    """Calls methods of the Bot API with a bot's token, which is part of the URL.

    Args:
        http: Makes the calls.
        url: The base URL of the API.
    """

    def __init__(self, *, http: PlatformHttp, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    async def call(
        self, token: SecretText, method: str, arguments: Arguments, result: type[ResultT], *, seconds: float
    ) -> ResultT:
        """Returns the result of a call.

        Raises:
            BotApiError: Telegram refused the call.
            CallFailedError: There is no response of the Bot API: no connection, no complete response in time, a server
                error, or something else.
        """
        url = f"{self._url}/bot{quote(token.reveal(), safe=':')}/{method}"
        response = await self._http.call(
            "POST", url, headers=_HEADERS, body=json_body(arguments), seconds=seconds, max_bytes=_MAX_RESPONSE_BYTES
        )
        if response.is_server_error:
            raise CallFailedError(may_have_arrived=True)
        try:
            read = _result_decoder.decode(response.body)
            if read.ok:
                return msgspec.json.decode(read.result, type=result)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CallFailedError(may_have_arrived=True) from None
        raise BotApiError(read, response.status)

    def file_url(self, token: SecretText, path: str) -> str:
        """Returns the URL of a file, which contains the token."""
        return f"{self._url}/file/bot{quote(token.reveal(), safe=':')}/{quote(path)}"
