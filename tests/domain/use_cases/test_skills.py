"""Skills: stored, changed, deleted, copied, exported, imported and restored."""

from typing import Any

import msgspec
import pytest

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.domain.audit import CLI, Actor, AuditQuery
from polyant.domain.errors import InstanceChangedError, InvalidInputError, UnknownInstanceError
from polyant.domain.instance_content import InstanceContent
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, Slug
from polyant.domain.skills import SkillContent, SkillFile
from polyant.domain.use_cases.delete_skill import DeleteSkill
from polyant.domain.use_cases.delete_state import DeleteState
from polyant.domain.use_cases.export_instance import ExportInstance
from polyant.domain.use_cases.import_channels import ImportChannels
from polyant.domain.use_cases.import_instance import ImportInstance
from polyant.domain.use_cases.list_states import ListStates
from polyant.domain.use_cases.restore_state import RestoreState
from polyant.domain.use_cases.set_skill import SkillChange, SkillExistsError
from polyant.domain.use_cases.show_skill import ShowSkill, UnknownSkillError
from polyant.domain.use_cases.update_instance import InstancePatch
from support.harness import ADAPTER_OPTIONS, UseCaseHarness

ANN = Actor("ann@example.com")
FILES = (SkillFile(path="prices.md", content="1 EUR"), SkillFile(path="run.py", content="print()"))
RETURNS = SkillChange(name="returns", description="How returns work", instructions="Ask first.", files=FILES)


async def show(harness: UseCaseHarness, slug: Slug, name: str = "returns") -> SkillContent:
    return (await ShowSkill(repo=harness.repo, files=harness.skill_files)(slug, name)).content


async def delete(harness: UseCaseHarness, slug: Slug, name: str, **more: Any) -> Instance:
    return await DeleteSkill(edit=harness.edit)(slug, name, by=ANN, **more)


async def restore(harness: UseCaseHarness, slug: Slug, number: int) -> Instance:
    use_case = RestoreState(
        edit=harness.edit,
        history=harness.history,
        providers=harness.providers,
        adapter_options=ADAPTER_OPTIONS,
        outbound=harness.outbound,
    )
    return await use_case(slug, number, by=ANN)


async def import_instance(harness: UseCaseHarness, slug: str, *skills: SkillContent, **more: Any) -> Instance:
    use_case = ImportInstance(
        repo=harness.repo,
        edit=harness.edit,
        clock=harness.clock,
        tokens=harness.tokens,
        providers=harness.providers,
        adapter_options=ADAPTER_OPTIONS,
        outbound=harness.outbound,
        channels=ImportChannels(
            connections=MemoryChannelConnections(memory=harness.repo.memory), clock=harness.clock, tokens=harness.tokens
        ),
    )
    content = InstanceContent(name="Imported", provider="echo", model="parrot")
    return await use_case(Slug(slug), content, by=ANN, skills=skills, **more)


async def test_new_skill_is_stored_and_audited(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    await harness.set_skill(slug, SkillChange(name="a-first", description="First", instructions="Do."))
    assert [skill.name for skill in (await harness.load(slug)).skills] == ["a-first", "returns"]
    assert await show(harness, slug) == SkillContent(
        name="returns", description="How returns work", instructions="Ask first.", files=FILES
    )
    entries = (await MemoryAuditLog(memory=harness.repo.memory).list(AuditQuery(action="skill"))).entries
    assert [(entry.action, entry.details) for entry in entries] == [
        ("skill.set", ("a-first",)),
        ("skill.set", ("returns",)),
    ]


async def test_changed_skill_keeps_what_is_not_given(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    await harness.set_skill(slug, SkillChange(name="returns", instructions="New."))
    await harness.set_skill(slug, SkillChange(name="returns", description="Other"))
    added = SkillFile(path="more.md", content="More")
    replaced = SkillFile(path="prices.md", content="2 EUR")
    change = SkillChange(name="returns", set_files=(added, replaced), delete_files=("run.py",))
    await harness.set_skill(slug, change)
    assert await show(harness, slug) == SkillContent(
        name="returns", description="Other", instructions="New.", files=(added, replaced)
    )
    await harness.set_skill(slug, SkillChange(name="returns", files=()))
    assert (await show(harness, slug)).files == ()


async def test_skill_can_be_renamed(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    await harness.set_skill(slug, SkillChange(name="refunds", replaces="returns"))
    assert (await show(harness, slug, "refunds")).instructions == "Ask first."
    with pytest.raises(UnknownSkillError):
        await show(harness, slug)
    with pytest.raises(UnknownSkillError):
        await harness.set_skill(slug, SkillChange(name="third", replaces="returns"))
    await harness.set_skill(slug, RETURNS)
    with pytest.raises(SkillExistsError):
        await harness.set_skill(slug, SkillChange(name="refunds", replaces="returns"))
    with pytest.raises(SkillExistsError):
        await harness.set_skill(slug, msgspec.structs.replace(RETURNS, adds=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (SkillChange(name="Bad", description="x", instructions="y"), "The name of a skill"),
        (SkillChange(name="new", instructions="y"), "The skill new is new and needs a description"),
        (SkillChange(name="new", description="x"), "The skill new is new and needs instructions"),
        (SkillChange(name="returns", instructions=""), "The skill returns has no instructions"),
        (SkillChange(name="returns", description=""), "The description of a skill"),
        (SkillChange(name="returns", files=FILES[:1] * 2), "must have different paths"),
    ],
)
async def test_invalid_change_stores_nothing(
    harness: UseCaseHarness, slug: Slug, change: SkillChange, message: str
) -> None:
    await harness.set_skill(slug, RETURNS)
    before = await harness.load(slug)
    with pytest.raises(InvalidInputError, match=message):
        await harness.set_skill(slug, change)
    assert await harness.load(slug) == before


async def test_65th_skill_is_refused(harness: UseCaseHarness, slug: Slug) -> None:
    for number in range(64):
        await harness.set_skill(slug, SkillChange(name=f"s-{number}", description="x", instructions="y"))
    with pytest.raises(InvalidInputError, match="at most 64 skills"):
        await harness.set_skill(slug, RETURNS)


async def test_change_is_repeated_on_a_newer_instance(harness: UseCaseHarness, slug: Slug) -> None:
    harness.repo.races = 2
    await harness.set_skill(slug, RETURNS)
    assert (await harness.load(slug)).description.endswith("xx")
    assert (await show(harness, slug)).files == FILES


async def test_expected_version_is_checked(harness: UseCaseHarness, slug: Slug) -> None:
    with pytest.raises(InstanceChangedError):
        await harness.set_skill(slug, RETURNS, expected_versions=[7])
    await harness.set_skill(slug, RETURNS, expected_versions=[1])
    with pytest.raises(InstanceChangedError):
        await delete(harness, slug, "returns", expected_versions=[1])


async def test_deleted_skill_is_gone(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    await delete(harness, slug, "returns")
    assert (await harness.load(slug)).skills == ()
    with pytest.raises(UnknownSkillError, match="There is no skill 'returns'"):
        await delete(harness, slug, "returns")
    with pytest.raises(UnknownInstanceError):
        await delete(harness, Slug("nobody"), "returns")


async def test_history_brings_changed_and_deleted_skills_back(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    await harness.set_skill(slug, SkillChange(name="returns", instructions="New."))
    await delete(harness, slug, "returns")
    states = await ListStates(repo=harness.repo, history=harness.history)(slug)
    assert [(state.number, state.changed) for state in states] == [(n, ("skills.returns",)) for n in (3, 2, 1)]
    await restore(harness, slug, 2)
    assert await show(harness, slug) == SkillContent(
        name="returns", description="How returns work", instructions="Ask first.", files=FILES
    )
    await restore(harness, slug, 3)
    assert (await show(harness, slug)).instructions == "New."
    await restore(harness, slug, 1)
    assert (await harness.load(slug)).skills == ()


async def test_state_of_a_version_without_skills_keeps_them(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.update(slug, InstancePatch(temperature=0.5))
    states = harness.repo.memory.states[(await harness.load(slug)).id]
    old = msgspec.structs.replace(states[1].content, skills=None)
    states[1] = msgspec.structs.replace(states[1], content=old)
    await harness.set_skill(slug, RETURNS)
    restored = await restore(harness, slug, 1)
    assert restored.temperature is None
    assert [skill.name for skill in restored.skills] == ["returns"]


async def test_restored_skill_whose_state_is_deleted_at_once_is_refused_or_whole(
    harness: UseCaseHarness, slug: Slug
) -> None:
    """The state is deleted after the restore has read it, so its files are gone."""
    await harness.set_skill(slug, RETURNS)
    instance = await delete(harness, slug, "returns")
    state = await harness.history.get(instance.id, 2)
    assert isinstance(state, InstanceState)
    await DeleteState(repo=harness.repo, history=harness.history, clock=harness.clock)(slug, 2, by=CLI)
    stale = msgspec.structs.replace(instance, skills=state.content.skills)
    with pytest.raises(InstanceChangedError):
        await harness.repo.save(stale)
    assert (await harness.load(slug)).skills == ()


async def test_copy_has_skills_of_its_own(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    copy = await harness.create("copy", provider="echo", copy_of=slug)
    await harness.repo.delete(slug)
    assert (await show(harness, copy.slug)).files == FILES


async def test_exported_skills_can_be_imported(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    exported = await ExportInstance(repo=harness.repo, files=harness.skill_files)(slug)
    imported = await import_instance(harness, "elsewhere", *exported.skills)
    assert imported.skills == exported.instance.skills
    assert await show(harness, imported.slug) == exported.skills[0]


async def test_import_replaces_all_skills(harness: UseCaseHarness, slug: Slug) -> None:
    await harness.set_skill(slug, RETURNS)
    other = SkillContent(name="other", description="Other", instructions="Other.")
    replaced = await import_instance(harness, slug, other, overwrite=True)
    assert [skill.name for skill in replaced.skills] == ["other"]
    await restore(harness, slug, 2)
    assert (await show(harness, slug)).files == FILES
    with pytest.raises(InvalidInputError, match="unique names"):
        await import_instance(harness, "twice", other, other)
    with pytest.raises(InvalidInputError, match="no instructions"):
        await import_instance(harness, "bad", msgspec.structs.replace(other, instructions=""))
