import pytest

from polyant.domain.instances import Slug
from support.backstage import Backstage
from support.management import Office
from support.scripted_supervisor import ScriptedSupervisor
from support.turn_runner import TurnRunner


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
def office(backstage: Backstage) -> Office:
    return Office(TurnRunner(ScriptedSupervisor()), backstage.cipher)


@pytest.fixture
async def slug(backstage: Backstage) -> Slug:
    """An instance's."""
    return await backstage.add("support-bot")
