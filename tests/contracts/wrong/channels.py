"""Channels that each break one promise."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec.structs import replace

from polyant.adapters.channels.telegram.channel import TelegramChannel, bot_of
from polyant.adapters.channels.telegram.updates import NotAnUpdateError, read_update
from polyant.domain.channel_events import InboundBatch, MediaReference, WebhookRefusedError, WebhookRequest
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channel_sends import (
    Ambiguous,
    Chunk,
    FetchOutcome,
    MediaDelayed,
    MediaUnavailable,
    NotSent,
    Progress,
    Refused,
    SendOutcome,
    Sent,
)
from polyant.domain.channels import ChannelAccount
from polyant.domain.injectables import Environ
from polyant.domain.ports.channel import EventSource
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText
from polyant.testing.channel import ChannelContract, PulledChannelContract
from support.telegram_rig import SECRET, TelegramRig, telegram_rig

log = logging.getLogger("wrong")


class TelegramContract(ChannelContract, PulledChannelContract):
    channel: type[TelegramChannel]

    @pytest.fixture
    async def rig(self) -> AsyncIterator[TelegramRig]:
        async with telegram_rig() as rig:
            environ = Environ({"TELEGRAM_API_URL": rig.telegram.url})
            rig.channel = self.channel(http=rig.http, environ=environ, proxies=ProxyRules())
            yield rig


class TrustsEverybody(TelegramChannel):
    """Doesn't verify requests."""

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        account = replace(account, credentials={**account.credentials, "webhook_secret": SecretText(SECRET)})
        headers = {**request.headers, "x-telegram-bot-api-secret-token": SECRET}
        return super().receive(account, replace(request, headers=headers))


class TestSignatureUnchecked(TelegramContract):
    channel = TrustsEverybody


class ReadsFirst(TelegramChannel):
    """Reads the body before it verifies the request."""

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        try:
            read_update(request.body, bot_of(account))
        except NotAnUpdateError:
            raise WebhookRefusedError(forged=False) from None
        return super().receive(account, request)


class TestReadBeforeVerified(TelegramContract):
    channel = ReadsFirst


class MakesUpIds(TelegramChannel):
    """Gives each delivery an id of its own."""

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        batch = super().receive(account, request)
        return replace(batch, events=tuple(replace(each, id=uuid.uuid4().hex) for each in batch.events))


class TestIdsMadeUp(TelegramContract):
    channel = MakesUpIds


class MixesTexts(TelegramChannel):
    """Puts quoted text and names of files into the user's own text."""

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        batch = super().receive(account, request)
        mixed = [
            replace(each, text=f"> {each.quote.text}\n{each.text}" if each.quote else each.text)
            for each in batch.events
        ]
        return replace(batch, events=tuple(mixed))


class TestTextsMixed(TelegramContract):
    channel = MixesTexts


class CountsNothing(TelegramChannel):
    """Doesn't count what it ignores."""

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        return replace(super().receive(account, request), ignored=0)


class TestIgnoredNotCounted(TelegramContract):
    channel = CountsNothing


class KeepsFirstToken(TelegramChannel):
    """Logs in once, with the account of the first call."""

    _first: ChannelAccount | None = None

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        self._first = self._first or account
        return await super().send(self._first, chunk)


class TestFirstTokenKept(TelegramContract):
    channel = KeepsFirstToken


class Retries(TelegramChannel):
    """Sends again if there is no response."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        outcome = await super().send(account, chunk)
        return await super().send(account, chunk) if isinstance(outcome, Ambiguous) else outcome


class TestSentAgain(TelegramContract):
    channel = Retries


class LostIsNotSent(TelegramChannel):
    """Believes that a message without a response wasn't sent."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        outcome = await super().send(account, chunk)
        return NotSent(1.0) if isinstance(outcome, Ambiguous) else outcome


class TestLostIsNotSent(TelegramContract):
    channel = LostIsNotSent


class Raises(TelegramChannel):
    """Raises the errors of the platform."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        outcome = await super().send(account, chunk)
        if isinstance(outcome, Refused):
            raise ChannelRefusedError(outcome.code)
        return outcome


class TestErrorsRaised(TelegramContract):
    channel = Raises


class Truncates(TelegramChannel):
    """Sends the beginning of a long text."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        return await super().send(account, replace(chunk, text=chunk.text[:2_000]))


class TestTextTruncated(TelegramContract):
    channel = Truncates


class Escapes(TelegramChannel):
    """Escapes the text for a platform that reads HTML."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        words = (word for word in chunk.text.split() if "<" not in word)
        return await super().send(account, replace(chunk, text=" ".join(words)))


class TestMarkupRemoved(TelegramContract):
    channel = Escapes


class LeavesDrafts(TelegramChannel):
    """Sends the answer beside its draft."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        return await super().send(account, replace(chunk, replaces=None))


class TestDraftsLeft(TelegramContract):
    channel = LeavesDrafts


class RevealsToken(TelegramChannel):
    """Reports the URL of the call, which contains the token."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        outcome = await super().send(account, chunk)
        return Ambiguous(f"/bot{account.credentials['token'].reveal()}") if isinstance(outcome, Ambiguous) else outcome


class TestTokenInOutcome(TelegramContract):
    channel = RevealsToken


class LogsToken(TelegramChannel):
    """Logs the URL of each call."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        log.debug("POST /bot%s/sendMessage", account.credentials["token"].reveal())
        return await super().send(account, chunk)


class TestTokenLogged(TelegramContract):
    channel = LogsToken


class SwallowsCancellation(TelegramChannel):
    """Treats a cancelled call as one without a response."""

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        try:
            return await super().send(account, chunk)
        except asyncio.CancelledError:
            return Ambiguous("no response")


class TestCancellationSwallowed(TelegramContract):
    channel = SwallowsCancellation


class TypesText(TelegramChannel):
    """Posts a message instead of the typing indicator."""

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        if progress.text:
            return await super().show_progress(account, progress)
        outcome = await self.send(account, Chunk(peer=progress.peer, text="…"))
        return outcome.platform_id if isinstance(outcome, Sent) else None


class TestTypingPosted(TelegramContract):
    channel = TypesText


class ProgressRaises(TelegramChannel):
    """Raises if the platform doesn't show the progress."""

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        if not progress.text:
            arguments = {"chat_id": progress.peer.chat, "action": "typing"}
            await self._api.call(account.credentials["token"], "sendChatAction", arguments, msgspec.Raw, seconds=5.0)
            return None
        return await super().show_progress(account, progress)


class TestProgressRaises(TelegramContract):
    channel = ProgressRaises


class ReadsEverything(TelegramChannel):
    """Looks at the size that the platform states, only."""

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        if (media.size or 0) > max_bytes:
            return MediaUnavailable("too large")
        return await super().fetch(account, media, max_bytes=20_000_000)


class TestSizeBelieved(TelegramContract):
    channel = ReadsEverything


class GivesUp(TelegramChannel):
    """Takes every failure for good."""

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        outcome = await super().fetch(account, media, max_bytes=max_bytes)
        return MediaUnavailable("gone") if isinstance(outcome, MediaDelayed) else outcome


class TestPassingFailuresAreFinal(TelegramContract):
    channel = GivesUp


class NeverGivesUp(TelegramChannel):
    """Takes no failure for good."""

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        outcome = await super().fetch(account, media, max_bytes=max_bytes)
        return MediaDelayed() if isinstance(outcome, MediaUnavailable) else outcome


class TestFinalFailuresPass(TelegramContract):
    channel = NeverGivesUp


class AlwaysTearsDown(TelegramChannel):
    """Removes the webhook with each check."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await super().check(account, change or TearDown(""))


class TestWebhookRemovedByCheck(TelegramContract):
    channel = AlwaysTearsDown


class TearsDownForOthers(TelegramChannel):
    """Deletes the webhook without looking whose it is."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await super().check(account, TearDown("") if isinstance(change, TearDown) else change)


class TestWebhookOfOthersEnded(TelegramContract):
    channel = TearsDownForOthers


class NeverTearsDown(TelegramChannel):
    """Leaves every webhook."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await super().check(account, None if isinstance(change, TearDown) else change)


class TestWebhookNeverEnded(TelegramContract):
    channel = NeverTearsDown


class NeedsAccount(TelegramChannel):
    """Expects the account that the connection knows."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        state = await super().check(account, change)
        if state.account != account.connection.account:
            raise ChannelRefusedError("another account")
        return state


class TestAccountNeeded(TelegramContract):
    channel = NeedsAccount


class RefusalsAreOutages(TelegramChannel):
    """Reports refused credentials as an outage, which is tried again forever."""

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        try:
            return await super().check(account, change)
        except ChannelRefusedError:
            raise ChannelUnreachableError("Telegram") from None


class TestRefusalsAreOutages(TelegramContract):
    channel = RefusalsAreOutages


class AcknowledgesAtOnce(EventSource):
    def __init__(self, source: EventSource) -> None:
        self._source = source

    async def receive(self, seconds: float) -> InboundBatch:
        batch = await self._source.receive(seconds)
        await self._source.receive(0.0)
        return batch


class LosesEvents(TelegramChannel):
    """Acknowledges events before they are stored."""

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        async with super().pull(account) as source:
            yield AcknowledgesAtOnce(source)


class TestAcknowledgedAtOnce(TelegramContract):
    channel = LosesEvents


class NeverAcknowledges(EventSource):
    def __init__(self, channel: TelegramChannel, account: ChannelAccount) -> None:
        self._channel = channel
        self._account = account

    async def receive(self, seconds: float) -> InboundBatch:
        async with TelegramChannel.pull(self._channel, self._account) as source:
            return await source.receive(seconds)


class RepeatsEvents(TelegramChannel):
    """Begins again with each read."""

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        yield NeverAcknowledges(self, account)


class TestNeverAcknowledged(TelegramContract):
    channel = RepeatsEvents


class CallsOnEntering(TelegramChannel):
    """Checks the account when a source is opened."""

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        try:
            await self.check(account)
        except (ChannelRefusedError, ChannelUnreachableError):
            log.debug("the first read reports it")
        async with super().pull(account) as source:
            yield source


class TestCallOnEntering(TelegramContract):
    channel = CallsOnEntering
