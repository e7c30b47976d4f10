from polyant.domain.use_cases.list_models import ListModels
from support.harness import UseCaseHarness


async def test_active_instances_are_listed_oldest_first(harness: UseCaseHarness) -> None:
    await harness.add_instance("zeta")
    await harness.add_instance("asleep", active=False)
    await harness.add_instance("alpha")
    models = await ListModels(repo=harness.repo)()
    assert [model.slug for model in models] == ["zeta", "alpha"]
