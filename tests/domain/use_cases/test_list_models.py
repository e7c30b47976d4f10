from polyant.domain.use_cases.list_models import ListModels
from support.backstage import Backstage


async def test_active_instances_are_listed_oldest_first(backstage: Backstage) -> None:
    await backstage.add("zeta")
    await backstage.add("asleep", active=False)
    await backstage.add("alpha")
    models = await ListModels(repo=backstage.repo)()
    assert [model.slug for model in models] == ["zeta", "alpha"]
