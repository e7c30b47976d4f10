"""Messages, drafts and signs of progress."""

import pytest

from adapters.channels.slack.conftest import account_of
from polyant.adapters.channels.slack import messages
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import Peer
from polyant.domain.channel_sends import Ambiguous, Chunk, NotSent, Progress, Refused, SendOutcome, Sent
from polyant.domain.channels import ChannelAccount
from polyant.testing.manual_clock import ManualClock
from support.patience import seconds
from support.slack_events import CHANNEL, DIRECT
from support.slack_platform import Posted, Script, SlackPlatform, hanging, lost, refusal, status

THREAD = Peer(CHANNEL, "1700000000.000100")
ASKED = "1700000001.000200"


def chunk(text: str = "**Hello**", peer: Peer = THREAD, *, replaces: str | None = None) -> Chunk:
    return Chunk(peer=peer, text=text, reply_to=ASKED, replaces=replaces)


def progress(text: str = "", *, draft: str | None = None, peer: Peer = THREAD) -> Progress:
    return Progress(peer=peer, private=peer.thread is None, message_id=ASKED, text=text, draft=draft)


async def test_text_is_sent_as_markdown_in_the_thread(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    outcome = await channel.send(account, chunk())
    ((ts, posted),) = slack.messages.items()
    assert outcome == Sent(ts)
    assert posted == Posted(channel=CHANNEL, thread=THREAD.thread, text="**Hello**", markdown=True)


async def test_direct_message_is_answered_where_it_was_written(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    for peer in (Peer(DIRECT), Peer(DIRECT, "1700000000.000100")):
        await channel.send(account, Chunk(peer=peer, text="Hello"))
    assert [posted.thread for posted in slack.messages.values()] == [None, "1700000000.000100"]


@pytest.mark.parametrize(
    "text",
    ["<!channel> wake up", "<!here>", "<!everyone|all>", "<!subteam^S01>", "<@U0BEA>", "<@W0BEA|bea>"],
)
async def test_answer_notifies_nobody(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, text: str
) -> None:
    await channel.send(account, chunk(text))
    assert slack.texts() == [text.replace("<", "<\u200b")]


async def test_other_markup_isnt_changed(channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform) -> None:
    text = "```html\n<!DOCTYPE html>\n```\n1 < 2 & [a](https://example.com)"
    await channel.send(account, chunk(text))
    assert slack.texts() == [text]


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_arguments", "msg_blocks_too_long"])
async def test_text_is_sent_plain_if_its_formatting_is_refused(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, code: str
) -> None:
    slack.scripts["chat.postMessage"].append(refusal(code))
    assert isinstance(await channel.send(account, chunk("**a** <b> & <@U0BEA>")), Sent)
    (posted,) = slack.messages.values()
    assert (posted.text, posted.markdown) == ("**a** &lt;b&gt; &amp; &lt;@U0BEA&gt;", False)
    assert slack.called("chat.postMessage")[1]["mrkdwn"] is False


async def test_text_of_the_maximum_length_is_sent(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    text = "x" * channel.info.max_units
    await channel.send(account, chunk(text))
    await channel.send(account, chunk("<@U1>" * (channel.info.max_units // 5)))
    assert [posted.markdown for posted in slack.messages.values()] == [True, False]
    assert slack.texts()[0] == text


async def test_plain_text_is_never_cut(channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform) -> None:
    slack.refuses_markdown = True
    await channel.send(account, chunk("&" * channel.info.max_units))
    assert slack.texts() == ["&" * channel.info.max_units]


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (status(429, retry_after="30"), NotSent(30.0)),
        (status(429), NotSent(1.0)),
        (refusal("ratelimited"), NotSent(1.0)),
        (refusal("request_timeout"), NotSent(1.0)),
        (refusal("team_added_to_org"), NotSent(60.0)),
        (refusal("channel_not_found"), Refused("channel_not_found")),
        (refusal("not_in_channel"), Refused("not_in_channel")),
        (refusal("token_revoked"), Refused("token_revoked", credentials=True)),
        (refusal("No such channel: Ann's secrets"), Refused("unknown_error")),
        (refusal("fatal_error"), Ambiguous("fatal_error")),
        (refusal("internal_error"), Ambiguous("internal_error")),
        (status(500), Ambiguous("no response")),
        (status(503, carried_out=True), Ambiguous("no response")),
        (lost, Ambiguous("no response")),
    ],
)
async def test_outcome_says_what_is_known(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, script: Script, outcome: SendOutcome
) -> None:
    slack.scripts["chat.postMessage"].append(script)
    assert await channel.send(account, chunk()) == outcome
    assert len(slack.called("chat.postMessage")) == 1


async def test_time_out_is_ambiguous(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_SECONDS", seconds(0.1))
    slack.scripts["chat.postMessage"].append(hanging)
    assert await channel.send(account, chunk()) == Ambiguous("no response")
    assert slack.texts() == ["**Hello**"]
    assert len(slack.calls) == 1


async def test_unreachable_platform_has_nothing(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    await slack.__aexit__()
    assert await channel.send(account, chunk()) == NotSent(1.0)


async def test_invalid_token_is_refused(channel: SlackChannel, slack: SlackPlatform) -> None:
    assert await channel.send(account_of(token="xoxb-other"), chunk()) == Refused("invalid_auth", credentials=True)
    assert await channel.send(account_of(token="two\nlines"), chunk()) == Refused("invalid_auth", credentials=True)
    assert len(slack.calls) == 1
    account = account_of()
    del account.credentials["token"]  # type: ignore[attr-defined]
    assert isinstance(await channel.send(account, chunk()), Refused)


async def test_draft_is_updated_and_becomes_the_answer(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    draft = await channel.show_progress(account, progress("Hel"))
    assert await channel.show_progress(account, progress("Hello", draft=draft)) == draft
    assert slack.texts() == ["Hello"]
    outcome = await channel.send(account, chunk("Hello **Ann**", replaces=draft))
    assert outcome == Sent(draft or "")
    assert slack.texts() == ["Hello **Ann**"]


@pytest.mark.parametrize("script", [lost, status(502), refusal("fatal_error")])
async def test_update_can_be_repeated(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, script: Script
) -> None:
    draft = await channel.show_progress(account, progress("Hel"))
    slack.scripts["chat.update"].append(script)
    answer = chunk("Hello", replaces=draft)
    assert await channel.send(account, answer) == NotSent(1.0)
    assert await channel.send(account, answer) == Sent(draft or "")
    assert slack.texts() == ["Hello"]


@pytest.mark.parametrize("code", ["message_not_found", "edit_window_closed", "cant_update_message"])
async def test_answer_is_a_new_message_if_the_draft_cant_be_updated(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, code: str
) -> None:
    draft = await channel.show_progress(account, progress("Hel"))
    slack.scripts["chat.update"].append(refusal(code))
    outcome = await channel.send(account, chunk("Hello", replaces=draft))
    assert slack.texts() == ["Hello"]
    assert outcome == Sent(next(iter(slack.messages)))


async def test_long_plain_answer_is_a_new_message(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    """Slack updates messages with at most 4,000 characters of plain text."""
    draft = await channel.show_progress(account, progress("xxx"))
    slack.scripts["chat.update"].append(refusal("invalid_blocks"))
    slack.scripts["chat.postMessage"].append(refusal("invalid_blocks"))
    assert isinstance(await channel.send(account, chunk("x" * 5_000, replaces=draft)), Sent)
    assert slack.texts() == ["x" * 5_000]


async def test_limited_update_is_not_sent(channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform) -> None:
    draft = await channel.show_progress(account, progress("Hel"))
    slack.scripts["chat.update"].append(status(429, retry_after="5"))
    assert await channel.send(account, chunk("Hello", replaces=draft)) == NotSent(5.0)


async def test_draft_that_may_exist_is_not_posted_again(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    slack.scripts["chat.postMessage"].append(lost)
    draft = await channel.show_progress(account, progress("Hel"))
    assert draft is not None
    assert await channel.show_progress(account, progress("Hello", draft=draft)) == draft
    assert isinstance(await channel.send(account, chunk("Hello!", replaces=draft)), Sent)
    assert slack.texts() == ["Hel", "Hello!"]


@pytest.mark.parametrize("script", [refusal("channel_not_found"), status(429, retry_after="1")])
async def test_draft_that_certainly_doesnt_exist_is_posted_later(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, clock: ManualClock, script: Script
) -> None:
    slack.scripts["chat.postMessage"].append(script)
    assert await channel.show_progress(account, progress("Hel")) is None
    clock.advance(2)
    assert await channel.show_progress(account, progress("Hello")) is not None
    assert slack.texts() == ["Hello"]


async def test_drafts_pause_while_slack_limits_the_account(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, clock: ManualClock
) -> None:
    draft = await channel.show_progress(account, progress("H"))
    slack.scripts["chat.update"].append(status(429, retry_after="10"))
    for text in ("He", "Hel", "Hell"):
        assert await channel.show_progress(account, progress(text, draft=draft)) == draft
    assert len(slack.called("chat.update")) == 1
    clock.advance(10)
    await channel.show_progress(account, progress("Hello", draft=draft))
    assert slack.texts() == ["Hello"]


async def test_draft_shows_at_most_what_fits(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    await channel.show_progress(account, progress("x" * (channel.info.max_units + 1)))
    assert slack.texts() == ["x" * channel.info.max_units]


async def test_thinking_is_shown_in_a_thread(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    assert await channel.show_progress(account, progress()) is None
    in_direct = progress(peer=Peer(DIRECT, "1700000000.000100"))
    assert await channel.show_progress(account, in_direct) is None
    assert [(shown["channel_id"], shown["thread_ts"]) for shown in slack.statuses] == [
        (CHANNEL, THREAD.thread),
        (DIRECT, "1700000000.000100"),
    ]


async def test_direct_message_gets_a_reaction(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    for _ in range(2):
        assert await channel.show_progress(account, progress(peer=Peer(DIRECT))) is None
    assert slack.reactions == {(DIRECT, ASKED, "eyes")}


async def test_draft_is_progress_enough(channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform) -> None:
    assert await channel.show_progress(account, progress(draft="1.2")) == "1.2"
    assert slack.calls == []


@pytest.mark.parametrize("script", [lost, status(500), refusal("missing_scope")])
async def test_failed_progress_is_no_error(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, script: Script
) -> None:
    slack.scripts["assistant.threads.setStatus"].append(script)
    assert await channel.show_progress(account, progress()) is None
