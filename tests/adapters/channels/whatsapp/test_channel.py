"""Messages, signs of progress, media, and the check of phone numbers."""

import aiohttp
import pytest
from msgspec.structs import replace

from polyant.adapters.channels.whatsapp import channel as channel_module
from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
from polyant.domain.channel_events import MediaKind, MediaReference, Peer
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channel_sends import (
    Ambiguous,
    Chunk,
    FetchedMedia,
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
from polyant.domain.secrets import SecretText
from support.patience import PATIENCE, seconds
from support.upstream import DROP, HANG_BEFORE_HEAD, Reply, ScriptedUpstream, json_reply
from support.whatsapp_events import BUSINESS, NUMBER, USER, VERIFY_TOKEN
from support.whatsapp_platform import Shown, WhatsAppPlatform, error

HELLO = Chunk(peer=Peer(USER), text="**Hello**", reply_to="wamid.1")
URL = "https://bot.example.com/channels/whatsapp/abc"


def with_options(account: ChannelAccount, **options: str) -> ChannelAccount:
    connection = account.connection
    return replace(account, connection=replace(connection, options={**connection.options, **options}))


async def test_text_is_sent_with_whatsapps_markup(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    assert await channel.send(account, HELLO) == Sent("wamid.1")
    assert whatsapp.messages == [Shown(USER, "*Hello*")]


async def test_user_without_a_visible_number_gets_the_answer(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    await channel.send(account, replace(HELLO, peer=Peer("US.13491208655302741918")))
    (request,) = whatsapp.upstream.requests
    assert request.json()["recipient"] == "US.13491208655302741918"
    assert "to" not in request.json()


async def test_text_of_the_maximum_length_is_sent(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    for text in ("x" * 4_096, ">a\n" * 1_365):  # the markup would be longer
        assert isinstance(await channel.send(account, replace(HELLO, text=text)), Sent)
        assert whatsapp.messages[-1].text == text


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (error(131_047), Refused("131047")),
        (error(131_026), Refused("131026")),
        (error(190, http=401), Refused("190", credentials=True)),
        (Reply(status=404), Refused("404")),
        (error(130_429), NotSent(5.0)),
        (error(131_056), NotSent(6.0)),
        (error(80_007), NotSent(60.0)),
        (error(4, retry_after="9"), NotSent(9.0)),
        (Reply(status=429), NotSent(5.0)),
        (error(131_000, http=500), Ambiguous("131000")),
        (error(2, http=503), Ambiguous("2")),
        (error(131_016), Ambiguous("131016")),
        (Reply(status=502), Ambiguous("no response")),
        (Reply(pieces=(b"<html>",)), Ambiguous("no response")),
        (json_reply({}), Ambiguous("no response")),
        (DROP, Ambiguous("no response")),
    ],
)
async def test_outcome_says_what_is_known(
    channel: WhatsAppChannel,
    account: ChannelAccount,
    whatsapp: WhatsAppPlatform,
    reply: Reply,
    outcome: SendOutcome,
) -> None:
    whatsapp.faults["send"].append(reply)
    assert await channel.send(account, HELLO) == outcome
    assert len(whatsapp.upstream.requests) == 1


async def test_time_out_is_ambiguous(
    channel: WhatsAppChannel,
    account: ChannelAccount,
    whatsapp: WhatsAppPlatform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel_module, "_SEND_SECONDS", seconds(0.1))
    whatsapp.faults["send"].append(HANG_BEFORE_HEAD)
    assert await channel.send(account, HELLO) == Ambiguous("no response")


async def test_token_that_no_header_can_contain_is_refused(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    broken = replace(account, credentials={**account.credentials, "token": SecretText("two\nlines")})
    assert await channel.send(broken, HELLO) == Refused("190", credentials=True)
    assert whatsapp.upstream.requests == []


async def test_typing_is_shown_with_the_read_receipt(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    assert await channel.show_progress(account, Progress(peer=Peer(USER), message_id="wamid.1")) is None
    assert whatsapp.read == [
        {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": "wamid.1",
            "typing_indicator": {"type": "text"},
        }
    ]


async def test_there_are_no_drafts(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    assert channel.info.draft_seconds is None
    progress = Progress(peer=Peer(USER), message_id="wamid.1", text="Hel")
    assert await channel.show_progress(account, progress) is None
    assert whatsapp.upstream.requests == []


async def fetch(
    channel: WhatsAppChannel, account: ChannelAccount, media_id: str, kind: MediaKind = MediaKind.DOCUMENT
) -> FetchOutcome:
    return await channel.fetch(account, MediaReference(id=media_id, kind=kind), max_bytes=100)


@pytest.mark.parametrize("kind", [MediaKind.VOICE, MediaKind.STICKER, MediaKind.IMAGE])
async def test_media_are_downloaded_with_the_token(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform, kind: MediaKind
) -> None:
    media_id = whatsapp.add_media(b"OggS", mime_type="audio/ogg; codecs=opus")
    outcome = await fetch(channel, account, media_id, kind)
    assert outcome == FetchedMedia(content=b"OggS", media_type="audio/ogg; codecs=opus")
    assert whatsapp.upstream.requests[0].path.endswith(f"/{media_id}?phone_number_id={NUMBER}")


@pytest.mark.parametrize("kind", [MediaKind.VIDEO, MediaKind.OTHER])
async def test_media_that_cant_be_watched_are_not_downloaded(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform, kind: MediaKind
) -> None:
    media_id = whatsapp.add_media(b"video", mime_type="video/mp4")
    assert await fetch(channel, account, media_id, kind) == MediaUnavailable("unsupported")
    assert whatsapp.upstream.requests == []


async def test_token_goes_to_metas_hosts_only(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    async with ScriptedUpstream() as elsewhere:
        media_id = whatsapp.add_media(b"x", url=f"{elsewhere.url}/x")
        assert await fetch(channel, account, media_id) == MediaUnavailable("refused")
        assert elsewhere.requests == []


@pytest.mark.parametrize("media_id", ["", "../me", "1?x=1", "https://elsewhere.invalid/x"])
async def test_strange_id_is_not_looked_up(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform, media_id: str
) -> None:
    assert await fetch(channel, account, media_id) == MediaUnavailable("gone")
    assert whatsapp.upstream.requests == []


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (error(100), MediaUnavailable("gone")),
        (Reply(status=404), MediaUnavailable("gone")),
        (error(190, http=401), MediaUnavailable("refused")),
        (json_reply({}), MediaUnavailable("refused")),
        (error(4), MediaDelayed(60.0)),
        (error(131_000, http=500), MediaDelayed(1.0)),
        (Reply(status=503), MediaDelayed(1.0)),
    ],
)
async def test_refused_media(
    channel: WhatsAppChannel,
    account: ChannelAccount,
    whatsapp: WhatsAppPlatform,
    reply: Reply,
    outcome: FetchOutcome,
) -> None:
    media_id = whatsapp.add_media(b"x")
    whatsapp.faults["media"].append(reply)
    assert await fetch(channel, account, media_id) == outcome


async def test_stated_size_is_checked_first(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    assert await fetch(channel, account, whatsapp.add_media(b"x", file_size=101)) == MediaUnavailable("too large")
    assert whatsapp.downloads == []
    assert await fetch(channel, account, whatsapp.add_media(b"x" * 101, file_size=1)) == MediaUnavailable("too large")


UNVERIFIED = error(2_200, message="Callback verification failed")
STATE = AccountState(account=NUMBER, name="+1 555-078-3881 Lucky Shrub")


async def test_setup_directs_the_numbers_events_to_the_webhook(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.callbacks["application"] = "https://elsewhere.example.com/"
    assert await channel.check(account, SetUp(webhook=URL)) == STATE
    assert (whatsapp.callbacks["phone_number"], whatsapp.callbacks["token"]) == (URL, VERIFY_TOKEN)
    assert await channel.check(account, TearDown(URL)) == STATE
    assert whatsapp.callbacks == {
        "application": "https://elsewhere.example.com/",
        "phone_number": "",
        "token": "",
    }


async def test_webhook_of_another_server_stays(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.callbacks["phone_number"] = "https://new.example/channels/whatsapp/x"
    state = await channel.check(account, TearDown(URL))
    problem = (
        "Meta calls another webhook than that of this server, which stays: https://new.example/channels/whatsapp/x"
    )
    assert state.problems == (problem,)
    assert whatsapp.callbacks["phone_number"] == "https://new.example/channels/whatsapp/x"


async def test_webhook_of_the_app_is_a_problem_of_disconnecting(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.callbacks["application"] = URL
    (problem,) = (await channel.check(account, TearDown(URL))).problems
    assert "remove the Callback URL under WhatsApp, Configuration" in problem


async def test_webhook_that_meta_does_not_remove_is_a_problem(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.callbacks["phone_number"] = URL
    whatsapp.faults["number"] += [
        json_reply({"id": NUMBER, "webhook_configuration": {"phone_number": URL}}),
        error(200),
    ]
    assert (await channel.check(account, TearDown(URL))).problems == (
        "Meta doesn't remove the webhook of the phone number (200)",
    )


async def test_setup_waits_until_servers_know_the_connection(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.faults["number"] += [json_reply({"id": NUMBER}), *[UNVERIFIED] * 2]
    assert (await channel.check(account, SetUp(webhook=URL))).problems == ()
    assert whatsapp.callbacks["phone_number"] == URL


async def test_refused_setup_says_what_to_enter(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.faults["number"] += [json_reply({"id": NUMBER}), *[UNVERIFIED] * 3]
    state = await channel.check(account, SetUp(webhook=URL))
    assert URL in state.problems[0]
    assert "2200" in state.problems[0]
    assert VERIFY_TOKEN not in state.problems[0]


@pytest.mark.parametrize(
    ("callbacks", "count"),
    [
        ({}, 0),
        ({"application": "https://bot.example.com{path}"}, 0),
        ({"application": "https://elsewhere.example.com/"}, 1),
        ({"application": "https://bot.example.com{path}", "phone_number": "https://elsewhere.example.com/"}, 1),
    ],
)
async def test_events_that_go_elsewhere_are_a_problem(
    channel: WhatsAppChannel,
    account: ChannelAccount,
    whatsapp: WhatsAppPlatform,
    callbacks: dict[str, str],
    count: int,
) -> None:
    whatsapp.callbacks = {name: url.format(path=account.connection.path) for name, url in callbacks.items()}
    assert len((await channel.check(account)).problems) == count


async def test_app_is_subscribed_to_the_business_account(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    account = with_options(account, business_account_id=BUSINESS)
    (problem,) = (await channel.check(account)).problems
    assert "whatsapp_business_management" in problem
    assert (await channel.check(account, SetUp(webhook=URL))).problems == ()
    assert whatsapp.subscribed
    whatsapp.callbacks = {}
    assert (await channel.check(account)).problems == ()
    whatsapp.subscription_error = error(200, http=403)
    (problem,) = (await channel.check(account, SetUp(webhook=URL))).problems
    assert "(200)" in problem


async def test_wrong_app_secret_is_named(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    wrong = replace(account, credentials={**account.credentials, "app_secret": SecretText("0123456789")})
    with pytest.raises(ChannelRefusedError, match="app_secret") as caught:
        await channel.check(wrong)
    assert "0123456789" not in caught.value.explanation


@pytest.mark.parametrize("number", ["", "+1 555", "../me"])
async def test_invalid_phone_number_id_is_refused(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform, number: str
) -> None:
    with pytest.raises(ChannelRefusedError, match="phone number ID"):
        await channel.check(with_options(account, phone_number_id=number))
    assert whatsapp.upstream.requests == []


async def test_limited_check_says_when_to_call_again(
    channel: WhatsAppChannel, account: ChannelAccount, whatsapp: WhatsAppPlatform
) -> None:
    whatsapp.faults["number"].append(error(4))
    with pytest.raises(ChannelUnreachableError) as caught:
        await channel.check(account)
    assert caught.value.retry_after == 60


async def test_events_cant_be_pulled(channel: WhatsAppChannel, account: ChannelAccount) -> None:
    async with channel.pull(account) as source:
        with pytest.raises(ChannelRefusedError):
            await source.receive(PATIENCE)


async def test_session_keeps_metas_hosts_by_default(http: aiohttp.ClientSession) -> None:
    assert channel_module.HOSTS.include("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")
    assert channel_module.HOSTS.include(channel_module.API)
    assert not channel_module.HOSTS.include("https://fbsbx.com.evil.test/")
