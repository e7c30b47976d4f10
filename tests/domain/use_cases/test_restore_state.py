from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from polyant.domain.audit import CLI, Actor
from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instance_states import UnknownStateError, state_content_of
from polyant.domain.instances import Instance, InstanceStatus, Slug
from polyant.domain.prompts import SectionKey
from polyant.domain.use_cases.delete_state import DeleteState
from polyant.domain.use_cases.list_states import ListStates
from polyant.domain.use_cases.restore_state import RestoreState
from polyant.domain.use_cases.show_state import ShowState
from polyant.domain.use_cases.update_instance import InstancePatch
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from support.harness import ADAPTER_OPTIONS, ECHO, UseCaseHarness

ANN = Actor("ann@example.com")


async def restore(
    harness: UseCaseHarness, slug: Slug, number: int, *, providers: Mapping[str, Any] | None = None, **given: Any
) -> Instance:
    use_case = RestoreState(
        edit=harness.edit,
        history=harness.history,
        providers=harness.providers if providers is None else providers,
        adapter_options=ADAPTER_OPTIONS,
        outbound=harness.outbound,
    )
    return await use_case(slug, number, **{"by": ANN, **given})


async def numbers(harness: UseCaseHarness, slug: Slug) -> list[int]:
    return [state.number for state in await ListStates(repo=harness.repo, history=harness.history)(slug)]


async def test_each_save_of_prompts_or_settings_keeps_the_state_before(harness: UseCaseHarness, slug: Slug) -> None:
    first = await harness.load(slug)
    await UpdatePrompts(edit=harness.edit)(slug, {SectionKey.SOUL: "Kind."}, by=ANN)
    harness.clock.advance(60)
    await harness.update(slug, InstancePatch(temperature=0.5, max_steps=3))
    latest, earliest = await ListStates(repo=harness.repo, history=harness.history)(slug)
    assert (latest.number, latest.replaced_by, latest.changed) == (2, CLI, ("temperature", "max_steps"))
    assert latest.replaced_at == harness.clock.now()
    assert (earliest.number, earliest.replaced_by, earliest.changed) == (1, ANN, ("02-soul",))
    shown = await ShowState(repo=harness.repo, history=harness.history)(slug, 1)
    assert shown.content == state_content_of(first)


async def test_saves_that_change_no_prompts_and_settings_keep_no_state(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_secret(slug, "vendor_api_key", "k" * 8)
    await harness.issue_key(slug)
    await harness.update(slug, InstancePatch(status=InstanceStatus.DISABLED, auth_enabled=False, tools=("calculate",)))
    await harness.update(slug, InstancePatch(name="support-bot"))
    assert await numbers(harness, slug) == []


async def test_lost_race_keeps_the_state_that_was_replaced(harness: UseCaseHarness, slug: Slug) -> None:
    """Each state is the one that the save found in the end."""
    harness.repo.races = 2
    await harness.update(slug, InstancePatch(name="Susie"))
    assert await numbers(harness, slug) == [3]
    assert (await ShowState(repo=harness.repo, history=harness.history)(slug, 3)).content.description == "xx"


async def test_restored_prompts_and_settings_are_saved_and_the_rest_stays(harness: UseCaseHarness, slug: Slug) -> None:
    first = await harness.load(slug)
    everything = InstancePatch(
        name="Susie",
        description="New",
        provider="vendor",
        model="large",
        base_url="https://llm.example/v1",
        temperature=1,
        max_steps=9,
        options={"vendor": {"effort": "high"}},
    )
    await harness.update(slug, everything)
    await harness.set_secret(slug, "vendor_api_key", "k" * 8)
    await harness.issue_key(slug)
    before = await harness.update(slug, InstancePatch(status=InstanceStatus.DISABLED, tools=("calculate",)))
    after = await restore(harness, slug, 1)
    assert state_content_of(after) == state_content_of(first)
    for name in ("id", "slug", "status", "auth_enabled", "secrets", "tools", "mcp_servers", "created_at"):
        assert getattr(after, name) == getattr(before, name), name
    assert after == await harness.load(slug)


async def test_restore_is_a_save_that_can_be_undone(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    await restore(harness, slug, 1)
    assert await numbers(harness, slug) == [2, 1]
    assert (await restore(harness, slug, 2)).name == "Susie"
    assert await numbers(harness, slug) == [3, 2, 1]


async def test_restore_that_changes_nothing_adds_no_state(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    await harness.update(slug, InstancePatch(name="support-bot"))
    await restore(harness, slug, 1)
    assert await numbers(harness, slug) == [2, 1]


async def test_restore_and_deletion_are_audited(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    await restore(harness, slug, 1)
    await DeleteState(repo=harness.repo, history=harness.history, clock=harness.clock)(slug, 2, by=ANN)
    entries = [entry for entry in harness.repo.memory.trail if entry.actor == ANN]
    assert [(entry.action, entry.instance, entry.details) for entry in entries] == [
        ("instance.restore", slug, ("1",)),
        ("history.delete", slug, ("2",)),
    ]


async def test_only_unrestricted_authors_restore_internal_addresses(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(base_url="http://10.0.0.7/v1"))
    before = await harness.update(slug, InstancePatch(base_url=None))
    with pytest.raises(InvalidInputError, match=r"Only a superadmin can set the address http://10\.0\.0\.7/v1"):
        await restore(harness, slug, 2)
    assert await harness.load(slug) == before
    after = await restore(harness, slug, 2, unrestricted=True)
    assert after.base_url == "http://10.0.0.7/v1"
    assert after.approved_addresses == {after.base_url}


async def test_address_that_does_not_differ_keeps_its_approval(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(base_url="http://10.0.0.7/v1"))
    await harness.update(slug, InstancePatch(name="Susie"))
    after = await restore(harness, slug, 2)
    assert after.approved_addresses == {"http://10.0.0.7/v1"}


async def test_restored_public_address_is_not_approved_for_a_user(harness: UseCaseHarness, slug: Slug) -> None:
    """Its connections must go to public IP addresses, also if a superadmin had set it."""
    await harness.update(slug, InstancePatch(base_url="https://llm.example/v1"))
    await harness.update(slug, InstancePatch(base_url=None))
    assert (await restore(harness, slug, 2)).approved_addresses == frozenset()


async def test_provider_that_is_no_longer_enabled_is_refused(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(provider="vendor"))
    await harness.update(slug, InstancePatch(provider="echo"))
    with pytest.raises(InvalidInputError, match="Unknown provider 'vendor'"):
        await restore(harness, slug, 2, providers={"echo": ECHO})


async def test_options_that_are_no_longer_valid_are_refused_unless_they_stay(
    harness: UseCaseHarness, slug: Slug
) -> None:
    stale = {"vendor": {"gone": 1}}
    await harness.apply_edit(slug, lambda instance, _: msgspec.structs.replace(instance, options=stale))
    await harness.update(slug, InstancePatch(name="Susie"))
    assert (await restore(harness, slug, 2)).options == stale
    await harness.update(slug, InstancePatch(options={"vendor": None}))
    with pytest.raises(InvalidInputError, match="unknown field `gone`"):
        await restore(harness, slug, 2)


async def test_unknown_state_is_refused(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    delete = DeleteState(repo=harness.repo, history=harness.history, clock=harness.clock)
    with pytest.raises(UnknownStateError, match="The history has no state 2"):
        await restore(harness, slug, 2)
    with pytest.raises(UnknownStateError):
        await ShowState(repo=harness.repo, history=harness.history)(slug, 2)
    with pytest.raises(UnknownStateError):
        await delete(slug, 2, by=ANN)
    with pytest.raises(UnknownInstanceError):
        await restore(harness, Slug("nobody"), 1)
    await delete(slug, 1, by=ANN)
    with pytest.raises(UnknownStateError):
        await restore(harness, slug, 1)


async def test_restore_of_another_version_is_refused(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    with pytest.raises(InstanceChangedError):
        await restore(harness, slug, 1, expected_versions={1})
    assert (await restore(harness, slug, 1, expected_versions={2})).name == "support-bot"


async def test_new_instance_with_the_same_slug_has_no_history(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(name="Susie"))
    await harness.repo.delete(slug)
    await harness.create(slug, provider="echo")
    assert await numbers(harness, slug) == []
