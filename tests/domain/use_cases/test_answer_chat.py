from collections.abc import Sequence

import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.chat import AssistantMessage, ChatRequest, ProviderFields, Sampling, TextDelta, UserMessage
from polyant.domain.errors import AuthenticationError, RateLimitedError, UnknownModelError
from polyant.domain.instances import Slug
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_policy import CallerLimit, RateCaller, RatePolicy
from polyant.domain.rate_limits import CallerLimits
from polyant.domain.secrets import AUTH_API_KEY
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.testing.turns import CONTEXT
from support.conversations import ConversationHarness
from support.harness import UseCaseHarness
from support.scripted_supervisor import TURN_FINISHED, ScriptedSupervisor
from support.turn_runner import TurnRunner, events_of


class OnePerKey(RatePolicy):
    """Allows one call of each API key."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        return () if caller.key_id is None else (CallerLimit(f"{caller.instance}:{caller.key_id}", RateLimit(1, 60)),)


@pytest.fixture
def supervisor() -> ScriptedSupervisor:
    return ScriptedSupervisor()


@pytest.fixture
def answer(harness: UseCaseHarness, supervisor: ScriptedSupervisor) -> AnswerChat:
    run_turn = TurnRunner(supervisor).run_turn
    return AnswerChat(
        repo=harness.repo,
        cipher=harness.cipher,
        clock=harness.clock,
        run_turn=run_turn,
        failed_credentials=harness.failed_credentials,
        conversations=ConversationHarness(harness.cipher).turns,
        limits=CallerLimits(policy=OnePerKey(), limiter=MemoryRateLimiter(clock=harness.clock)),
    )


def asking(slug: str) -> ChatRequest:
    return ChatRequest(model=Slug(slug), messages=(UserMessage.of("Hi"),))


async def test_turn_contains_the_request_and_the_instance(
    harness: UseCaseHarness, slug: Slug, answer: AnswerChat, supervisor: ScriptedSupervisor
) -> None:
    request = ChatRequest(
        model=slug,
        messages=(UserMessage.of("Hi"), AssistantMessage("Hello"), UserMessage.of("Well?")),
        caller_instructions=("Be brief.",),
        sampling=Sampling(temperature=1.5, seed=3),
        provider_fields=ProviderFields(reasoning_effort="low"),
        stream=True,
    )
    events = await events_of(await answer(request, None, CONTEXT))
    assert events == [TextDelta("Hello!"), TURN_FINISHED]
    turn = supervisor.turns[0]
    assert turn.instance == await harness.load(slug)
    assert (turn.messages, turn.caller_instructions) == (request.messages, request.caller_instructions)
    assert (turn.sampling, turn.provider_fields, turn.stream) == (request.sampling, request.provider_fields, True)
    assert turn.context == CONTEXT


async def test_turn_does_not_run_before_its_first_event_is_requested(
    slug: Slug, answer: AnswerChat, supervisor: ScriptedSupervisor
) -> None:
    async with await answer(asking(slug), None, CONTEXT):
        assert supervisor.turns == []


async def test_unknown_and_disabled_instances_are_unknown_models(harness: UseCaseHarness, answer: AnswerChat) -> None:
    await harness.add_instance("asleep", active=False)
    for slug in ("nobody", "asleep"):
        with pytest.raises(UnknownModelError):
            await answer(asking(slug), None, CONTEXT)


async def test_closed_instance_answers_only_holders_of_its_key(
    harness: UseCaseHarness, slug: Slug, answer: AnswerChat, supervisor: ScriptedSupervisor
) -> None:
    key = await harness.issue_key(slug)
    other = await harness.issue_key(await harness.add_instance("other"))
    for bearer in (None, other):
        with pytest.raises(AuthenticationError):
            await answer(asking(slug), bearer, CONTEXT)
    assert await events_of(await answer(asking(slug), key, CONTEXT))
    (turn,) = supervisor.turns
    stored = (await harness.load(slug)).secrets[AUTH_API_KEY]
    assert stored.fingerprint
    assert turn.context.caller.key_id == f"key_{stored.fingerprint[:12]}"


async def test_calls_over_a_limit_of_the_policy_are_refused(
    harness: UseCaseHarness, slug: Slug, answer: AnswerChat
) -> None:
    key = await harness.issue_key(slug)
    await answer(asking(slug), key, CONTEXT)
    with pytest.raises(RateLimitedError) as caught:
        await answer(asking(slug), key, CONTEXT)
    assert caught.value.retry_after == 60
