"""Accounts are opened with the credentials that are stored now."""

import pytest
from msgspec.structs import replace

from polyant.domain.channels import UnknownConnectionError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.channels.open_account import OpenAccount
from support.channel_worker import BOT, ChannelWorkerHarness


@pytest.fixture
async def harness() -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


@pytest.fixture
def open_account(harness: ChannelWorkerHarness) -> OpenAccount:
    channels = harness.channels
    return OpenAccount(connections=channels.connections, repo=channels.repo, cipher=channels.cipher)


async def test_unchanged_account_is_decrypted_once(harness: ChannelWorkerHarness, open_account: OpenAccount) -> None:
    first, second = [await open_account(harness.connection) for _ in range(2)]
    assert second[0] is first[0]


async def test_changed_credential_is_used_by_the_next_call(
    harness: ChannelWorkerHarness, open_account: OpenAccount
) -> None:
    channels = harness.channels
    (before, instance) = await open_account(harness.connection)
    name, secret = next(iter(harness.connection.credentials.items()))
    changed = instance.secrets[secret]
    changed = replace(changed, sealed=await channels.cipher.seal(SecretText("changed"), instance.address_of(changed)))
    await channels.repo.save(replace(instance, secrets={**instance.secrets, secret: changed}))
    (after, _) = await open_account(harness.connection)
    assert before.credentials[name].reveal() != "changed"
    assert after.credentials[name].reveal() == "changed"


async def test_connection_that_was_read_again_is_used(harness: ChannelWorkerHarness, open_account: OpenAccount) -> None:
    await open_account(harness.connection)
    read_again = replace(harness.connection, account_name="@renamed")
    (account, _) = await open_account(read_again)
    assert account.connection.account_name == "@renamed"


async def test_account_of_a_deleted_instance_is_not_opened(
    harness: ChannelWorkerHarness, open_account: OpenAccount
) -> None:
    await open_account(harness.connection)
    await harness.channels.repo.delete(BOT)
    with pytest.raises(UnknownConnectionError):
        await open_account(harness.connection)
