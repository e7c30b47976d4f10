from typing import Any

import aiohttp
import pytest

from adapters.channels.slack.conftest import channel_for
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import MediaKind, MediaReference
from polyant.domain.channel_sends import FetchedMedia, FetchOutcome, MediaDelayed, MediaUnavailable
from polyant.domain.channels import ChannelAccount
from polyant.testing.manual_clock import ManualClock
from support.slack_events import file_of
from support.slack_platform import Script, SlackPlatform, lost, refusal, status

FILE = MediaReference(id="F0001", kind=MediaKind.DOCUMENT)


async def fetch(channel: SlackChannel, account: ChannelAccount, max_bytes: int = 100) -> FetchOutcome:
    return await channel.fetch(account, FILE, max_bytes=max_bytes)


async def test_file_is_downloaded_with_the_token(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    slack.add_file(file_of(size=4), b"%PDF")
    assert await fetch(channel, account) == FetchedMedia(content=b"%PDF", media_type="application/pdf")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"size": 101}, MediaUnavailable("too large")),
        ({"mode": "tombstone"}, MediaUnavailable("gone")),
        ({"mode": "hidden_by_limit"}, MediaUnavailable("gone")),
        ({"is_external": True, "mode": "external"}, MediaUnavailable("refused")),
    ],
)
async def test_unsuitable_file_is_not_downloaded(
    channel: SlackChannel,
    account: ChannelAccount,
    slack: SlackPlatform,
    fields: dict[str, Any],
    outcome: FetchOutcome,
) -> None:
    slack.add_file(file_of(**{"size": 4, **fields}), b"%PDF")
    assert await fetch(channel, account) == outcome
    assert slack.downloads == []


async def test_video_is_not_downloaded(channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform) -> None:
    video = MediaReference(id="F0001", kind=MediaKind.VIDEO)
    assert await channel.fetch(account, video, max_bytes=100) == MediaUnavailable("unsupported")
    assert slack.calls == []


async def test_size_is_checked_while_downloading(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    slack.add_file(file_of(size=4), b"x" * 101)
    assert await fetch(channel, account) == MediaUnavailable("too large")


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (refusal("file_deleted"), MediaUnavailable("gone")),
        (refusal("file_not_found"), MediaUnavailable("gone")),
        (refusal("missing_scope"), MediaUnavailable("refused")),
        (refusal("fatal_error"), MediaDelayed()),
        (status(429, retry_after="20"), MediaDelayed(20.0)),
        (status(503), MediaDelayed()),
        (lost, MediaDelayed()),
    ],
)
async def test_refused_file(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform, script: Script, outcome: FetchOutcome
) -> None:
    slack.add_file(file_of(size=4), b"%PDF")
    slack.scripts["files.info"].append(script)
    assert await fetch(channel, account) == outcome


async def test_token_goes_to_slacks_hosts_only(
    http: aiohttp.ClientSession, account: ChannelAccount, slack: SlackPlatform, clock: ManualClock
) -> None:
    async with SlackPlatform() as elsewhere:
        slack.files["F0001"] = (file_of(size=4, url_private_download=f"{elsewhere.url}/files-pri/x"), b"")
        channel = channel_for(slack, http=http, clock=clock)
        assert await fetch(channel, account) == MediaUnavailable("refused")
        assert elsewhere.downloads == []


async def test_page_for_signing_in_is_not_the_file(
    channel: SlackChannel, account: ChannelAccount, slack: SlackPlatform
) -> None:
    slack.add_file(file_of(size=4), b"%PDF")
    slack.signs_in = True
    assert await fetch(channel, account) == MediaUnavailable("refused")
    slack.add_file(file_of(size=4, mimetype="text/html"), b"")
    assert isinstance(await fetch(channel, account), FetchedMedia)
