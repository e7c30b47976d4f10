import pytest

from polyant.domain.chat import ChatRequest, Sampling, TextDelta, UserMessage
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.try_instance import TryInstance
from polyant.testing.turns import CONTEXT
from support.harness import UseCaseHarness
from support.scripted_supervisor import TURN_FINISHED, ScriptedSupervisor
from support.turn_runner import TurnRunner, events_of


async def test_closed_and_disabled_instances_answer_managers(harness: UseCaseHarness) -> None:
    supervisor = ScriptedSupervisor()
    attempt = TryInstance(repo=harness.repo, run_turn=TurnRunner(supervisor).run_turn)
    slug = await harness.add_instance("asleep", active=False)
    await harness.issue_key(slug)
    request = ChatRequest(model=slug, messages=(UserMessage.of("Hi"),), sampling=Sampling(seed=1), stream=True)
    turn = await attempt(request, CONTEXT)
    assert supervisor.turns == []
    assert await events_of(turn) == [TextDelta("Hello!"), TURN_FINISHED]
    assert turn.instance == supervisor.turns[0].instance == await harness.load(slug)
    assert (supervisor.turns[0].messages, supervisor.turns[0].sampling) == (request.messages, request.sampling)


async def test_unknown_instance_is_reported(harness: UseCaseHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await TryInstance(repo=harness.repo, run_turn=TurnRunner(ScriptedSupervisor()).run_turn)(
            ChatRequest(model=Slug("nobody"), messages=()), CONTEXT
        )
