"""Checks whether the providers of the active instances can be reached."""

from collections.abc import AsyncIterator, Mapping

from polyant.cli.context import CliContext
from polyant.cli.doctor.finding import Finding, fault, ok
from polyant.cli.doctor.instances import active_instances
from polyant.domain.errors import PolyantError
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.provider_keys import base_url_of


async def check_reachable(context: CliContext) -> AsyncIterator[Finding]:
    """Yields one finding for each address of a provider."""
    models = await context.get(Mapping[str, ChatModel])
    checked: set[tuple[str, str]] = set()
    async for instance in active_instances(context):
        model = models.get(instance.provider)
        if model is None:
            continue
        address = base_url_of(instance, model.info)
        if (model.info.name, address) not in checked:
            checked.add((model.info.name, address))
            yield await _reach(model, address)


async def _reach(model: ChatModel, address: str) -> Finding:
    about = f"provider {model.info.name} at {address}"
    try:
        await model.check(address)
    except PolyantError as error:
        return fault(about, error.message, fix="Check the address and the network")
    return ok(about, "can be reached")
