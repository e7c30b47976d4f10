"""The default Supervisor: alternates between model calls and tool calls until the model gives an answer."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial

import msgspec

from polyant.adapters.tool_loop.agent import Agent
from polyant.adapters.tool_loop.budget import RemainingBudget
from polyant.adapters.tool_loop.sub_agents import SubAgents
from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.chat import ModelRequest, Sampling, SupervisorEvent, Turn, TurnFinished
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.provider_keys import ProviderKeys, base_url_of
from polyant.domain.system_prompt import SystemPromptComposer, caller_section
from polyant.domain.tool_access import AvailableTools, ToolAccess

log = logging.getLogger("polyant.turn")


class ToolLoopSupervisor(Supervisor):
    """Runs turns with the given chat models and tools."""

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

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        instance = turn.instance
        budget, started = RemainingBudget(turn), self._clock.monotonic()
        model = self._model_of(instance)
        api_key = await self._provider_keys.key_for(instance, model.info)
        base_url = base_url_of(instance, model.info)
        async with self._tool_access.open(instance) as available:
            _log_omissions(instance, available)
            toolbox = Toolbox(turn, available.tools, self._cipher)
            request = ModelRequest(
                model=instance.model,
                base_url=base_url,
                public_only=self._outbound.restricts(instance, base_url),
                api_key=api_key,
                system=self._prompts.compose(instance, toolbox.specs, turn.caller_instructions),
                caller_section=caller_section(turn.caller_instructions),
                messages=turn.messages,
                sampling=_sampling(turn),
                provider_fields=turn.provider_fields,
                stream=turn.stream,
                options=instance.options.get(instance.provider, {}),
                deadline=turn.deadline,
            )
            agent = Agent(model, toolbox, budget, self._clock)
            sub_agents = SubAgents(request, agent, partial(self._prompts.compose, instance))
            steps = agent.run(request, sub_agents.delegate_for, max_steps=turn.budget.max_steps)
            async with aclosing(steps) as events:
                async for event in events:
                    yield event
        milliseconds = (self._clock.monotonic() - started) * 1_000
        yield TurnFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds)

    def _model_of(self, instance: Instance) -> ChatModel:
        model = self._chat_models.get(instance.provider)
        if model is None:
            raise UnavailableError(
                f"The provider {instance.provider} is not enabled on this server", hint="List it in CHAT_MODELS"
            )
        return model


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
