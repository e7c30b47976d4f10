"""Checks a phone number with Meta, and lets its events arrive at the webhook."""

import hashlib
import hmac

from polyant.adapters.channels.platform_http import CallFailedError
from polyant.adapters.channels.whatsapp.graph_api import GraphApi, GraphReply, is_id
from polyant.adapters.channels.whatsapp.wire import Callbacks
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channels import ChannelAccount
from polyant.domain.ports.clock import Clock

LABEL = "WhatsApp"

_FIELDS = "display_phone_number,verified_name,webhook_configuration"
_PROOF = "appsecret_proof"
_KNOWN_SECONDS = 1.5
_MAX_REPETITIONS = 2


class WhatsAppNumberCheck:
    """Checks the credentials and the webhook of phone numbers.

    Args:
        api: The Graph API.
        clock: Waits until all servers know a new connection.
    """

    def __init__(self, api: GraphApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None) -> AccountState:
        """Returns what Meta says about the phone number, after the change.

        Raises:
            ChannelRefusedError: Meta refuses the token, the app secret or the phone number.
            ChannelUnreachableError: Meta doesn't respond.
        """
        options = account.connection.options
        number, business = _id_of(options.get("phone_number_id", "")), options.get("business_account_id", "")
        problems: list[str] = []
        try:
            reply = await self._number(account, number)
            if isinstance(change, SetUp) and change.webhook is not None:
                problems += await self._set_up(account, number, change.webhook)
            elif isinstance(change, TearDown):
                problems += await self._tear_down(account, number, reply.body.webhook_configuration, change)
            else:
                problems += _callback_problems(reply.body.webhook_configuration, account.connection.path)
            if business and not isinstance(change, TearDown):
                problems += await self._subscription_problems(account, _id_of(business), subscribe=change is not None)
        except CallFailedError:
            raise ChannelUnreachableError(LABEL) from None
        name = f"{reply.body.display_phone_number} {reply.body.verified_name}".strip()
        return AccountState(account=number, name=name, problems=tuple(problems))

    async def _number(self, account: ChannelAccount, number: str) -> GraphReply:
        token = _text(account, "token")
        proof = hmac.new(_text(account, "app_secret").encode(), token.encode(), hashlib.sha256).hexdigest()
        reply = await self._api.get(number, token, {"fields": _FIELDS, _PROOF: proof})
        error = reply.body.error
        if error is not None and _PROOF in error.message:
            raise ChannelRefusedError(
                "Meta refuses the credential app_secret",
                hint="Copy the app secret from App settings, Basic; it must be that of the app that the token is for",
            )
        return _accepted(reply)

    async def _set_up(self, account: ChannelAccount, number: str, url: str) -> list[str]:
        reply = await self._call_back(account, number, url)
        for _ in range(_MAX_REPETITIONS):
            if not reply.code:
                return []
            # Meta calls the webhook at once, and servers know a new connection and its secrets after a second.
            await self._clock.sleep(_KNOWN_SECONDS)
            reply = await self._call_back(account, number, url)
        if not reply.code:
            return []
        problem = (
            f"Meta doesn't send events to the webhook ({reply.code}): enter {url} as the Callback URL, and the verify "
            "token, under WhatsApp, Configuration of the app, and subscribe to the field messages"
        )
        return [problem]

    async def _tear_down(
        self, account: ChannelAccount, number: str, callbacks: Callbacks | None, change: TearDown
    ) -> list[str]:
        known = callbacks or Callbacks()
        if known.phone_number and not change.ends(known.phone_number):
            return [f"Meta calls another webhook than that of this server, which stays: {known.phone_number}"]
        reply = await self._call_back(account, number, "")
        if reply.code:
            return [f"Meta doesn't remove the webhook of the phone number ({reply.code})"]
        others = (known.whatsapp_business_account, known.application)
        if any(address is not None and change.ends(address) for address in others):
            return [
                "The app itself calls the webhook: remove the Callback URL under WhatsApp, Configuration of the app"
            ]
        return []

    async def _call_back(self, account: ChannelAccount, number: str, url: str) -> GraphReply:
        """Sets the address that gets the events of this phone number, apart from those of the app's other numbers."""
        configuration = {"override_callback_uri": url}
        if url:
            configuration["verify_token"] = _text(account, "verify_token")
        return await self._api.post(number, _text(account, "token"), webhook_configuration=configuration)

    async def _subscription_problems(self, account: ChannelAccount, business: str, *, subscribe: bool) -> list[str]:
        path, token = f"{business}/subscribed_apps", _text(account, "token")
        reply = await self._api.post(path, token) if subscribe else await self._api.get(path, token)
        if not reply.code and (subscribe or reply.body.data):
            return []
        reason = f" ({reply.code})" if reply.code else ""
        problem = (
            f"The app doesn't get the events of the WhatsApp Business Account{reason}: give the token the permission "
            "whatsapp_business_management, and connect again"
        )
        return [problem]


def _accepted(reply: GraphReply) -> GraphReply:
    if reply.retry_after is not None or reply.doubtful:
        error = ChannelUnreachableError(LABEL)
        error.retry_after = max(error.retry_after or 0, round(reply.retry_after or 0))
        raise error
    if reply.code:
        raise ChannelRefusedError(
            f"Meta refuses the credential token, or the phone number ID ({reply.code})",
            hint="Create a permanent token for a system user, and copy the phone number ID from WhatsApp, API Setup",
        )
    return reply


def _callback_problems(callbacks: Callbacks | None, path: str) -> list[str]:
    if callbacks is None:
        return []
    address = callbacks.phone_number or callbacks.whatsapp_business_account or callbacks.application
    if address is not None and address.endswith(path):
        return []
    return ["Meta sends the events of the phone number to another address: connect the instance again"]


def _id_of(text: str) -> str:
    if not is_id(text):
        raise ChannelRefusedError(
            "The phone number ID and the business account ID must be the numbers that WhatsApp, API Setup shows"
        )
    return text


def _text(account: ChannelAccount, credential: str) -> str:
    secret = account.credentials.get(credential)
    if secret is None:
        raise ChannelRefusedError(f"The credential {credential} is missing")
    return secret.reveal()
