"""Calls of Meta's Graph API, once each."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, bearer, json_body
from polyant.adapters.channels.whatsapp.wire import Reply
from polyant.domain.channel_sends import Ambiguous, NotSent, Refused, SendOutcome, Sent

_INVALID_TOKEN = 190
"""Meta's code for an invalid or expired access token."""

_TOO_MANY_REQUESTS = 429
_LIMITS: Mapping[int, float] = {4: 60.0, 80_007: 60.0, 130_429: 5.0, 131_056: 6.0}
"""The codes of rate limits, with the seconds to wait."""
_DOUBTFUL = frozenset({1, 2, 131_000, 131_016})
"""The codes after which it is unknown whether Meta carried out the call."""
_DEFAULT_WAIT = 5.0
_SECONDS = 10.0
_ID = re.compile(r"\A[A-Za-z0-9_-]{1,128}\Z")


class GraphReply(msgspec.Struct, frozen=True, kw_only=True):
    """A response of the Graph API."""

    body: Reply
    status: int = 200
    code: str = ""
    """Meta's error code, empty if the call succeeded."""
    retry_after: float | None = None
    """The seconds to wait if Meta limits the calls."""
    doubtful: bool = False
    """Whether it is unknown if Meta carried out the call."""

    @property
    def outcome(self) -> SendOutcome:
        """The outcome of a message that was sent with the call."""
        if self.retry_after is not None:
            return NotSent(self.retry_after)
        if self.doubtful or (not self.code and not self.body.messages):
            return Ambiguous(self.code or "no response")
        if self.code:
            return Refused(self.code, credentials=self.code == str(_INVALID_TOKEN))
        return Sent(self.body.messages[0].id)


class GraphApi:
    """Calls nodes and edges of the Graph API.

    Args:
        http: The client for Meta's hosts.
        url: The address of the API with its version, without a trailing slash.
    """

    def __init__(self, http: PlatformHttp, *, url: str) -> None:
        self._http = http
        self._url = url

    async def get(self, path: str, token: str, query: Mapping[str, str] | None = None) -> GraphReply:
        """Returns the node or edge.

        Raises:
            CallFailedError: There is no response that can be understood.
        """
        suffix = f"?{urlencode(query)}" if query else ""
        return await self._call("GET", f"{path}{suffix}", token, seconds=_SECONDS)

    async def post(self, path: str, token: str, *, seconds: float = _SECONDS, **arguments: Any) -> GraphReply:
        """Returns the response to a change; arguments that are None are left out.

        Raises:
            CallFailedError: There is no response that can be understood.
        """
        return await self._call("POST", path, token, body=json_body(arguments), seconds=seconds)

    async def _call(
        self, method: str, path: str, token: str, *, body: bytes | None = None, seconds: float
    ) -> GraphReply:
        headers = bearer(token)
        if headers is None:
            return GraphReply(body=Reply(), status=401, code=str(_INVALID_TOKEN))
        content = {} if body is None else {"Content-Type": "application/json"}
        response = await self._http.call(
            method, f"{self._url}/{path}", headers={**headers, **content}, body=body, seconds=seconds
        )
        reply = response.decode(Reply)
        if reply is None and (response.is_server_error or response.is_success):
            raise CallFailedError(may_have_arrived=True)
        code = reply.error.code if reply is not None and reply.error is not None else 0
        limited = response.status == _TOO_MANY_REQUESTS or code in _LIMITS
        failed = response.is_server_error or not response.is_success or code
        return GraphReply(
            body=reply or Reply(),
            status=response.status,
            code=str(code or response.status) if failed else "",
            retry_after=(response.retry_after or _LIMITS.get(code, _DEFAULT_WAIT)) if limited else None,
            doubtful=response.is_server_error or code in _DOUBTFUL,
        )


def is_id(text: str) -> bool:
    """Returns whether the text can be an id in the path of a call."""
    return bool(_ID.match(text))
