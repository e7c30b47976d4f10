from polyant.domain.use_cases.list_models import ListModels
from support.harness import UseCaseHarness


async def test_active_instances_are_listed_oldest_first(harness: UseCaseHarness) -> None:
    await harness.add("zeta")
    await harness.add("asleep", active=False)
    await harness.add("alpha")
    models = await ListModels(repo=harness.repo)()
    assert [model.slug for model in models] == ["zeta", "alpha"]
