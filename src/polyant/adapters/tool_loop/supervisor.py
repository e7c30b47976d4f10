"""The default Supervisor: model → tools → model …, until there is an answer."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial

import msgspec

from polyant.adapters.tool_loop.agent import Agent
from polyant.adapters.tool_loop.budget import RemainingBudget
from polyant.adapters.tool_loop.sub_agents import SubAgents
from polyant.adapters.tool_loop.turn_tools import TurnTools
from polyant.domain.chat import ModelRequest, Sampling, SupervisorEvent, Turn, TurnFinished
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ToolServers
from polyant.domain.provider_keys import ProviderKeys, base_url_of
from polyant.domain.system_prompt import SystemPromptComposer


class ToolLoopSupervisor(Supervisor):
    """Runs turns with the models, tools and MCP servers that it is given."""

    def __init__(
        self,
        *,
        chat_models: Mapping[str, ChatModel],
        provider_keys: ProviderKeys,
        tools: Mapping[str, Tool],
        tool_servers: ToolServers,
        system_prompts: SystemPromptComposer,
        cipher: SecretCipher,
        clock: Clock,
    ) -> None:
        self._chat_models = chat_models
        self._provider_keys = provider_keys
        self._turn_tools = TurnTools(tools, tool_servers, cipher)
        self._prompts = system_prompts
        self._clock = clock

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        instance = turn.instance
        budget, started = RemainingBudget(turn), self._clock.monotonic()
        model = self._model_of(instance)
        api_key = await self._provider_keys.key_for(instance, model.info)
        async with self._turn_tools.toolbox_of(turn) as toolbox:
            request = ModelRequest(
                model=instance.model,
                base_url=base_url_of(instance, model.info),
                api_key=api_key,
                system=self._prompts.compose(instance, toolbox.specs, turn.caller_instructions),
                messages=turn.messages,
                sampling=_sampling(turn),
                stream=turn.stream,
                options=instance.options.get(instance.provider, {}),
                deadline=turn.deadline,
            )
            agent = Agent(model, toolbox, budget, self._clock)
            sub_agents = SubAgents(request, agent, partial(self._prompts.compose, instance))
            steps = agent.run(request, sub_agents.delegate_for, most_steps=turn.budget.max_steps)
            async with aclosing(steps) as events:
                async for event in events:
                    yield event
        milliseconds = (self._clock.monotonic() - started) * 1_000
        yield TurnFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds)

    def _model_of(self, instance: Instance) -> ChatModel:
        model = self._chat_models.get(instance.provider)
        if model is None:
            raise UnavailableError(f"The provider {instance.provider} is not enabled on this server (CHAT_MODELS)")
        return model


def _sampling(turn: Turn) -> Sampling:
    """Returns what the caller asks for, with the instance's temperature where it asks for none."""
    if turn.sampling.temperature is not None or turn.instance.temperature is None:
        return turn.sampling
    return msgspec.structs.replace(turn.sampling, temperature=turn.instance.temperature)
