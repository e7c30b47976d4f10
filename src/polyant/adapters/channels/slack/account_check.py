"""Checks an account with Slack, and says what is missing in the app's setup."""

import re

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.slack.api import SlackApi, SlackReply
from polyant.adapters.channels.slack.events import SlackAccount
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channel_sends import Ambiguous, NotSent
from polyant.domain.channels import ChannelAccount, Delivery

LABEL = "Slack"
_STAYS = "Slack calls the webhook until you remove the Request URL under Event Subscriptions, or delete the app"
SCOPES = (
    "channels:history",
    "chat:write",
    "files:read",
    "groups:history",
    "im:history",
    "mpim:history",
    "reactions:write",
)
"""The scopes of the bot token that the adapter needs, as in the manifest on docs/channels/slack.md."""

_SIGNING_SECRET = re.compile(r"\A[0-9a-f]{32}\Z")
_WHERE_BOT = "Copy the Bot User OAuth Token from OAuth & Permissions; it begins with xoxb-"
_WHERE_APP = "Create an app-level token with the scope connections:write under Basic Information; it begins with xapp-"


class SlackAccountCheck:
    """Checks the credentials and scopes of accounts.

    Args:
        api: The Web API.
    """

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None) -> AccountState:
        """Returns what Slack says about the account; Slack lets nobody but a person change an app's setup.

        Raises:
            ChannelRefusedError: Slack refuses a token.
            ChannelUnreachableError: Slack doesn't respond.
        """
        reply = await self._call("auth.test", account, "token", _WHERE_BOT)
        body = reply.body
        if not body.bot_id:
            raise ChannelRefusedError("The token isn't the token of a bot", hint=_WHERE_BOT)
        state = AccountState(
            account=SlackAccount(team=body.team_id, user=body.user_id).text, name=f"@{body.user} in {body.team}"
        )
        pulls = account.connection.delivery is Delivery.PULL
        if isinstance(change, TearDown):
            return state if pulls else msgspec.structs.replace(state, problems=(_STAYS,))
        if pulls:
            await self._call("apps.connections.open", account, "app_token", _WHERE_APP)
        problems = (*_missing_scopes(reply), *(() if pulls else _webhook_problems(account, change)))
        return msgspec.structs.replace(state, problems=problems)

    async def _call(self, method: str, account: ChannelAccount, credential: str, hint: str) -> SlackReply:
        token = account.credentials.get(credential)
        if token is None:
            raise ChannelRefusedError(f"The credential {credential} is missing", hint=hint)
        try:
            reply = await self._api.call(method, token.reveal())
        except CallFailedError:
            raise ChannelUnreachableError(LABEL) from None
        return accepted(reply, credential, hint)


def accepted(reply: SlackReply, credential: str, hint: str) -> SlackReply:
    """Returns the response if the call succeeded.

    Raises:
        ChannelRefusedError: Slack refuses the credential.
        ChannelUnreachableError: Slack can't carry out the call now.
    """
    if reply.code and isinstance(reply.outcome, (NotSent, Ambiguous)):
        error = ChannelUnreachableError(LABEL)
        error.retry_after = max(error.retry_after or 0, round(reply.retry_after or 0))
        raise error
    if reply.code:
        raise ChannelRefusedError(f"Slack refuses the credential {credential} ({reply.code})", hint=hint)
    return reply


def _missing_scopes(reply: SlackReply) -> tuple[str, ...]:
    missing = [scope for scope in SCOPES if scope not in reply.scopes] if reply.scopes else []
    if not missing:
        return ()
    problem = (
        f"The bot token lacks the scopes {', '.join(missing)}: add them under OAuth & Permissions of the app, "
        "and install the app again"
    )
    return (problem,)


def _webhook_problems(account: ChannelAccount, change: SetUp | None) -> tuple[str, ...]:
    problems: list[str] = []
    secret = account.credentials.get("signing_secret")
    if secret is None or not _SIGNING_SECRET.match(secret.reveal()):
        problems.append(
            "The signing secret isn't 32 hexadecimal digits: copy it from Basic Information of the app, App Credentials"
        )
    if isinstance(change, SetUp) and change.webhook is not None:
        problems.append(
            f"Slack doesn't know the webhook until you enter it: turn off Socket Mode, and enter {change.webhook} "
            "as the Request URL under Event Subscriptions of the app"
        )
    return tuple(problems)
