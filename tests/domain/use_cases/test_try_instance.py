import pytest

from polyant.domain.chat import ChatRequest, Sampling, TextDelta, UserMessage
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.use_cases.try_instance import TryInstance
from support.backstage import Backstage
from support.scripted_supervisor import TURN_FINISHED, ScriptedSupervisor


async def test_closed_and_disabled_instances_answer_whoever_manages_them(backstage: Backstage) -> None:
    supervisor = ScriptedSupervisor()
    attempt = TryInstance(repo=backstage.repo, supervisor=supervisor)
    slug = await backstage.add("asleep", active=False)
    await backstage.issue_key(slug)
    request = ChatRequest(model=slug, messages=(UserMessage("Hi"),), sampling=Sampling(seed=1), stream=True)
    turn = await attempt(request)
    assert supervisor.turns == []
    assert [event async for event in turn.events] == [TextDelta("Hello!"), TURN_FINISHED]
    assert turn.instance == supervisor.turns[0].instance == await backstage.stored(slug)
    assert (supervisor.turns[0].messages, supervisor.turns[0].sampling) == (request.messages, request.sampling)


async def test_unknown_instance_is_told_of(backstage: Backstage) -> None:
    with pytest.raises(UnknownInstanceError):
        await TryInstance(repo=backstage.repo, supervisor=ScriptedSupervisor())(
            ChatRequest(model=Slug("nobody"), messages=())
        )
