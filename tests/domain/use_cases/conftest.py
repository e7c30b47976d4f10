import pytest

from polyant.domain.instances import Slug
from support.harness import UseCaseHarness
from support.management import ManagementHarness
from support.scripted_supervisor import ScriptedSupervisor
from support.turn_runner import TurnRunner


@pytest.fixture
def harness() -> UseCaseHarness:
    return UseCaseHarness()


@pytest.fixture
def management(harness: UseCaseHarness) -> ManagementHarness:
    return ManagementHarness(TurnRunner(ScriptedSupervisor()), harness.cipher)


@pytest.fixture
async def slug(harness: UseCaseHarness) -> Slug:
    """The slug of a stored instance."""
    return await harness.add_instance("support-bot")
