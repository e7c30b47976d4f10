"""The model, the tools and the system prompt of a turn, within its budget, for any Supervisor."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from types import TracebackType

import msgspec

from polyant.domain.agent_loop.agent import Agent, AgentEvent
from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.continued_replies import ContinuedReplies
from polyant.domain.agent_loop.guarded_tools import GuardedTools
from polyant.domain.agent_loop.model_step import ModelStep
from polyant.domain.agent_loop.sub_agents import SubAgents
from polyant.domain.agent_loop.turn_events import TurnEvents
from polyant.domain.chat import (
    AssistantMessage,
    ModelMessage,
    ModelRequest,
    Sampling,
    SupervisorEvent,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSpec,
    Turn,
    TurnFinished,
)
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.provider_keys import ProviderKeys, base_url_of
from polyant.domain.secrets import SecretText
from polyant.domain.system_prompt import SystemPromptComposer, caller_section
from polyant.domain.tool_access import AvailableTools, ToolAccess

log = logging.getLogger("polyant.turn")


class TurnToolbox:
    """The model and the tools of one turn, open until the context of `Toolbox.open` exits.

    All model calls and tool calls share the turn's budget, those of sub-agents included.

    Args:
        turn: The turn.
        request: The turn's first request.
        agent: Calls the model and the tools.
        sub_agents: Runs the tasks that tools pass to sub-agents.
        clock: Measures the duration of the turn.
        started: The Clock's `monotonic` seconds at which the turn started.
    """

    def __init__(
        self,
        turn: Turn,
        request: ModelRequest,
        *,
        agent: Agent,
        sub_agents: SubAgents,
        clock: Clock,
        started: float,
    ) -> None:
        self._turn = turn
        self._agent = agent
        self._sub_agents = sub_agents
        self._clock = clock
        self._started = started
        self._events: TurnEvents | None = None
        self._continued = ContinuedReplies()
        self.request = request
        """The turn's first request, with its system prompt and the caller's messages, without tools."""
        self.budget = agent.budget
        """The remaining model calls and tool calls, and the tokens so far."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The instance's enabled and ready tools, and those of its MCP servers, as the model sees them."""
        return self._agent.tools.specs

    @property
    def system_prompt(self) -> str:
        """The instance's sections and the caller's own instructions."""
        return self.request.system

    async def ask(self, messages: Sequence[ModelMessage]) -> AssistantMessage:
        """Calls the model with the system prompt and the tools, and returns its reply.

        The reply has the calls that are to be run. Their ids are unique in the conversation. The model gets no tools in
        the turn's last step, so that it answers. Text deltas and a StepFinished are events of the turn. If the provider
        interrupts a long response, the model is called again until it is complete, and the reply is the whole response.

        Args:
            messages: The conversation so far; pass replies back unchanged.

        Raises:
            OutOfStepsError: The turn's model calls are used up.
            ProviderError: The model failed or timed out.
        """
        sent = self._continued.as_received(messages)
        step = await self._step(sent)
        parts = [step.message]
        while step.is_paused:
            step = await self._step((*sent, *parts))
            parts.append(step.message)
        return self._continued.joined(parts)

    async def call(self, call: ToolCall) -> ToolResult:
        """Runs a tool and returns its result, in which the tool's secrets are replaced by their names.

        A failure is a result too: an unknown tool, invalid arguments, an exception, a timeout, or a call after the
        budget's last one. ToolStarted and ToolFinished are events of the turn. Calls may overlap.

        Raises:
            TurnTimeoutError: The turn's deadline has passed.
        """
        execution = self._agent.execution((call,))
        async with aclosing(execution.events(self._sub_agents.delegate_for)) as events:
            async for event in events:
                await self._emit(event)
        return execution.results[0]

    async def events(self, work: Callable[[], Awaitable[object]]) -> AsyncGenerator[SupervisorEvent, None]:
        """Runs the work, and yields the events of its calls of `ask` and `call`, and a TurnFinished at its end.

        Closing the generator cancels the work. A slow reader slows it down.

        Args:
            work: Runs the conversation.
        """
        self._events = TurnEvents()
        async with aclosing(self._events.of(work)) as events:
            async for event in events:
                yield event
        yield self.finished()

    def loop(self) -> AsyncGenerator[AgentEvent, None]:
        """Yields the events of the built-in loop: model calls and parallel tool calls until the model answers."""
        return self._agent.run(self.request, self._sub_agents.delegate_for, max_steps=self._turn.budget.max_steps)

    def finished(self) -> TurnFinished:
        """Returns the last event of the turn, with the totals so far."""
        milliseconds = (self._clock.monotonic() - self._started) * 1_000
        return TurnFinished(usage=self.budget.usage, steps=self.budget.steps, milliseconds=milliseconds)

    async def _step(self, messages: tuple[ModelMessage, ...]) -> ModelStep:
        step = self._agent.step(msgspec.structs.replace(self.request, messages=messages))
        async with aclosing(step.events()) as events:
            try:
                async for event in events:
                    step.add(event)
                    if isinstance(event, TextDelta):
                        await self._emit(event)
            except BaseException as error:
                step.report_failure(error)
                raise
        await self._emit(step.finish())
        return step

    async def _emit(self, event: SupervisorEvent) -> None:
        if self._events is not None:
            await self._events.emit(event)


class Toolbox:
    """Opens the model and the tools of turns, so that every Supervisor fulfils the duties of its port."""

    def __init__(
        self,
        *,
        chat_models: Mapping[str, ChatModel],
        provider_keys: ProviderKeys,
        tool_access: ToolAccess,
        system_prompts: SystemPromptComposer,
        cipher: SecretCipher,
        clock: Clock,
        outbound: OutboundPolicy,
    ) -> None:
        self._chat_models = chat_models
        self._provider_keys = provider_keys
        self._tool_access = tool_access
        self._cipher = cipher
        self._prompts = system_prompts
        self._clock = clock
        self._outbound = outbound

    def open(self, turn: Turn) -> AbstractAsyncContextManager[TurnToolbox]:
        """Returns a context manager that yields the toolbox of a turn.

        The connections to the instance's MCP servers close when the context exits.

        Raises:
            UnavailableError: Entering: the instance's provider is unknown, or its key is missing or unreadable.
        """
        return _OpenToolbox(partial(self._begin, turn), partial(self._furnish, turn, self._clock.monotonic()))

    async def _begin(self, turn: Turn) -> tuple[SecretText | None, AbstractAsyncContextManager[AvailableTools]]:
        """Returns the key for the turn's provider and the context of its tools."""
        key = await self._provider_keys.key_for(turn.instance, self._model_of(turn.instance).info)
        return key, self._tool_access.open(turn.instance, trace=turn.context.trace)

    async def _furnish(
        self, turn: Turn, started: float, key: SecretText | None, available: AvailableTools
    ) -> TurnToolbox:
        instance = turn.instance
        _log_omissions(instance, available)
        model, tools = self._model_of(instance), GuardedTools(turn, available.tools, self._cipher)
        request = self._request(turn, model, key, tools.specs)
        agent = Agent(model, tools, RemainingBudget(turn), self._clock, recorder=turn.recorder)
        sub_agents = SubAgents(request, agent, partial(self._prompts.compose, instance))
        return TurnToolbox(turn, request, agent=agent, sub_agents=sub_agents, clock=self._clock, started=started)

    def _request(self, turn: Turn, model: ChatModel, key: SecretText | None, tools: Sequence[ToolSpec]) -> ModelRequest:
        """Returns the turn's first request, with a system prompt for these tools."""
        instance = turn.instance
        base_url = base_url_of(instance, model.info)
        return ModelRequest(
            model=instance.model,
            base_url=base_url,
            public_only=self._outbound.restricts(instance, base_url),
            api_key=key,
            system=self._prompts.compose(instance, tools, turn.caller_instructions),
            caller_section=caller_section(turn.caller_instructions),
            messages=turn.messages,
            sampling=_sampling(turn),
            provider_fields=turn.provider_fields,
            stream=turn.stream,
            options=instance.options.get(instance.provider, {}),
            trace=turn.context.trace,
            deadline=turn.deadline,
        )

    def _model_of(self, instance: Instance) -> ChatModel:
        model = self._chat_models.get(instance.provider)
        if model is None:
            raise UnavailableError(
                f"The provider {instance.provider} is not enabled on this server", hint="List it in CHAT_MODELS"
            )
        return model


class _OpenToolbox(AbstractAsyncContextManager[TurnToolbox]):
    """The context of a turn's toolbox; a class, because a generator would cost each turn several times as much.

    Args:
        begin: Returns the key for the turn's provider and the context of its tools.
        furnish: Returns the toolbox with this key and the tools.
    """

    __slots__ = ("_begin", "_furnish", "_tools")

    def __init__(
        self,
        begin: Callable[[], Awaitable[tuple[SecretText | None, AbstractAsyncContextManager[AvailableTools]]]],
        furnish: Callable[[SecretText | None, AvailableTools], Awaitable[TurnToolbox]],
    ) -> None:
        self._begin = begin
        self._furnish = furnish
        self._tools: AbstractAsyncContextManager[AvailableTools]

    async def __aenter__(self) -> TurnToolbox:
        key, self._tools = await self._begin()
        available = await self._tools.__aenter__()
        try:
            return await self._furnish(key, available)
        except BaseException as error:
            await self._tools.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._tools.__aexit__(kind, error, trace)


def _log_omissions(instance: Instance, available: AvailableTools) -> None:
    for server, error in available.unusable_servers.items():
        fields = {"slug": instance.slug, "server": server, "why": error.explanation}
        log.warning("MCP server not used", extra={"fields": fields})
    if available.found > len(available.tools):
        counts = {"slug": instance.slug, "tools": available.found, "offered": len(available.tools)}
        log.warning("too many tools", extra={"fields": counts})


def _sampling(turn: Turn) -> Sampling:
    """Returns the caller's sampling parameters; the instance's temperature is the default."""
    if turn.sampling.temperature is not None or turn.instance.temperature is None:
        return turn.sampling
    return msgspec.structs.replace(turn.sampling, temperature=turn.instance.temperature)
