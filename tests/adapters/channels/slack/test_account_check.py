import pytest

from adapters.channels.slack.conftest import account_of
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_info import AccountState, ChannelRefusedError, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channels import ChannelAccount, Delivery
from support.slack_events import BOT_USER, TEAM
from support.slack_platform import APP_TOKEN, BOT_TOKEN, SCOPES, Script, SlackPlatform, lost, refusal, status

STATE = AccountState(account=f"{TEAM}:{BOT_USER}", name="@helper in Example")
SIGNED = "8f742231b10e8888abcd99fff00085a5"


@pytest.fixture
def signed_account() -> ChannelAccount:
    return account_of(signing_secret=SIGNED)


async def test_account_is_the_bot_of_the_workspace(channel: SlackChannel, signed_account: ChannelAccount) -> None:
    assert await channel.check(signed_account) == STATE


async def test_socket_mode_is_checked_with_the_app_token(channel: SlackChannel, slack: SlackPlatform) -> None:
    account = account_of(delivery=Delivery.PULL)
    assert await channel.check(account, SetUp()) == STATE
    assert [name for name, _ in slack.calls] == ["auth.test", "apps.connections.open"]
    assert slack.sockets == []


async def test_request_url_is_the_only_problem_of_disconnecting(channel: SlackChannel) -> None:
    (problem,) = (await channel.check(account_of(signing_secret="x"), TearDown("/channels/slack/abc"))).problems
    assert "until you remove the Request URL" in problem


async def test_disconnecting_needs_no_app_token(channel: SlackChannel) -> None:
    account = account_of(delivery=Delivery.PULL, app_token="xapp-revoked")
    assert await channel.check(account, TearDown(None)) == STATE


async def test_setup_says_where_to_enter_the_webhook(channel: SlackChannel, signed_account: ChannelAccount) -> None:
    url = "https://bot.example.com/channels/slack/abc"
    (problem,) = (await channel.check(signed_account, SetUp(webhook=url))).problems
    assert url in problem
    assert "Event Subscriptions" in problem


async def test_missing_scopes_are_listed(
    channel: SlackChannel, signed_account: ChannelAccount, slack: SlackPlatform
) -> None:
    slack.scopes = SCOPES.replace("files:read,", "").replace("reactions:write", "reactions:read")
    (problem,) = (await channel.check(signed_account)).problems
    assert "lacks the scopes files:read, reactions:write:" in problem


async def test_implausible_signing_secret_is_a_problem(channel: SlackChannel) -> None:
    (problem,) = (await channel.check(account_of(signing_secret="https://hooks"))).problems
    assert "signing secret" in problem
    assert "hooks" not in problem


@pytest.mark.parametrize(
    ("credentials", "name"),
    [
        ({"token": "xoxb-other"}, "token"),
        ({"token": "two\nlines"}, "token"),
        ({"app_token": BOT_TOKEN}, "app_token"),
    ],
)
async def test_refused_credential_is_named(channel: SlackChannel, credentials: dict[str, str], name: str) -> None:
    with pytest.raises(ChannelRefusedError) as error:
        await channel.check(account_of(delivery=Delivery.PULL, **credentials))
    assert error.value.message == f"Slack refuses the credential {name} (invalid_auth)"
    assert error.value.hint is not None
    assert not any(text in error.value.explanation for text in credentials.values())


async def test_missing_app_token_is_named(channel: SlackChannel) -> None:
    account = account_of(delivery=Delivery.PULL)
    del account.credentials["app_token"]  # type: ignore[attr-defined]
    with pytest.raises(ChannelRefusedError, match="app_token"):
        await channel.check(account)


async def test_token_of_a_person_is_refused(channel: SlackChannel, slack: SlackPlatform) -> None:
    slack.bot_id = ""
    with pytest.raises(ChannelRefusedError, match="isn't the token of a bot"):
        await channel.check(account_of())


@pytest.mark.parametrize("script", [lost, status(500), status(429, retry_after="30"), refusal("fatal_error")])
async def test_failing_platform_is_unreachable(
    channel: SlackChannel, slack: SlackPlatform, account: ChannelAccount, script: Script
) -> None:
    slack.scripts["auth.test"].append(script)
    with pytest.raises(ChannelUnreachableError) as error:
        await channel.check(account)
    assert error.value.retry_after in {5, 30}


async def test_credentials_appear_nowhere(
    channel: SlackChannel, slack: SlackPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    account = account_of(delivery=Delivery.PULL)
    texts = [repr(await channel.check(account)), repr(account), caplog.text, repr(slack.calls)]
    assert not any(secret in text for text in texts for secret in (BOT_TOKEN, APP_TOKEN))
