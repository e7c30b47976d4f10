"""Checks whether the providers of the active instances can be reached."""

from collections.abc import AsyncIterator, Mapping

from polyant.cli.context import CliContext
from polyant.cli.doctor.finding import Finding, fault, ok
from polyant.cli.doctor.instances import active_instances
from polyant.domain.errors import PolyantError
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.provider_keys import base_url_of


async def check_reachable(context: CliContext) -> AsyncIterator[Finding]:
    """Yields one finding for each address of a provider."""
    models = await context.get(Mapping[str, ChatModel])
    outbound = await context.get(OutboundPolicy)
    checked: set[tuple[str, str, bool]] = set()
    async for instance in active_instances(context):
        model = models.get(instance.provider)
        if model is None:
            continue
        address = base_url_of(instance, model.info)
        public_only = outbound.restricts(instance, address)
        if (model.info.name, address, public_only) not in checked:
            checked.add((model.info.name, address, public_only))
            yield await _reach(model, address, public_only=public_only)


async def _reach(model: ChatModel, address: str, *, public_only: bool) -> Finding:
    about = f"provider {model.info.name} at {address}"
    try:
        await model.check(address, public_only=public_only)
    except PolyantError as error:
        fix = error.hint or "Check the address and the network"
        if public_only:
            fix += ". An address that isn't public must be set by a superadmin or with `polyant instances update`"
        return fault(about, error.message, fix=fix)
    return ok(about, "can be reached")
