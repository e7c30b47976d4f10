"""Calls of Slack's Web API, once each."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, bearer, json_body
from polyant.adapters.channels.slack.wire import Reply
from polyant.domain.channel_sends import Ambiguous, NotSent, Refused, SendOutcome, Sent

RATE_LIMITED = "ratelimited"
_TOO_MANY_REQUESTS = 429
_CODE = re.compile(r"\A[a-z0-9_]{1,64}\Z")
_LIMIT_CODES = frozenset({RATE_LIMITED, "rate_limited"})
_PASSING_CODES: Mapping[str, float] = {"request_timeout": 1.0, "team_added_to_org": 60.0}
"""The codes of requests that Slack certainly didn't carry out and that can be repeated, with the seconds to wait."""
_CREDENTIAL_CODES = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_expired", "token_revoked"})
_DOUBTFUL_CODES = frozenset({"fatal_error", "internal_error", "service_unavailable"})


class SlackReply(msgspec.Struct, frozen=True, kw_only=True):
    """A response of the Web API."""

    body: Reply
    code: str = ""
    """Slack's error code, empty if the call succeeded."""
    retry_after: float | None = None
    scopes: frozenset[str] = frozenset()
    """The scopes of the token."""

    @property
    def is_limited(self) -> bool:
        """Whether Slack asks to call again after `retry_after`."""
        return self.code in _LIMIT_CODES

    @property
    def outcome(self) -> SendOutcome:
        """The outcome of a message that was sent with the call."""
        if not self.code:
            return Sent(self.body.ts)
        if self.is_limited:
            return NotSent(self.retry_after or 1.0)
        if self.code in _PASSING_CODES:
            return NotSent(_PASSING_CODES[self.code])
        if self.code in _DOUBTFUL_CODES:
            return Ambiguous(self.code)
        return Refused(self.code, credentials=self.code in _CREDENTIAL_CODES)


class SlackApi:
    """Calls methods of the Web API.

    Args:
        http: The client for Slack's hosts.
        url: The address of the API, without a trailing slash.
    """

    def __init__(self, http: PlatformHttp, *, url: str) -> None:
        self._http = http
        self._url = url

    async def call(self, method: str, token: str, *, seconds: float = 10.0, **arguments: Any) -> SlackReply:
        """Returns Slack's response; arguments that are None are left out.

        Raises:
            CallFailedError: There is no response that can be understood.
        """
        headers = bearer(token)
        if headers is None:
            return SlackReply(body=Reply(), code="invalid_auth")
        response = await self._http.call(
            "POST",
            f"{self._url}/{method}",
            headers={**headers, "Content-Type": "application/json; charset=utf-8"},
            body=json_body(arguments),
            seconds=seconds,
        )
        if response.status == _TOO_MANY_REQUESTS:
            return SlackReply(body=Reply(), code=RATE_LIMITED, retry_after=response.retry_after)
        body = response.decode(Reply)
        if response.is_server_error or body is None:
            raise CallFailedError(may_have_arrived=True)
        scopes = response.headers.get("X-OAuth-Scopes", "")
        return SlackReply(
            body=body,
            code="" if body.ok else _checked(body.error),
            retry_after=response.retry_after,
            scopes=frozenset(scope.strip() for scope in scopes.split(",")) - {""},
        )


def _checked(code: str) -> str:
    return code if _CODE.match(code) else "unknown_error"
