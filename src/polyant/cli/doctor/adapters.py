"""Checks the settings and the health of the chosen adapters."""

from collections.abc import AsyncIterator

from polyant import plugins
from polyant.adapter_groups import CHANNEL, GROUPS, chosen_adapters
from polyant.adapter_settings import describe_settings, settings_struct_of
from polyant.adapter_variables import unknown_variables
from polyant.arguments import WiringError
from polyant.cli.context import CliContext
from polyant.cli.doctor.finding import Finding, fault, ok, warning
from polyant.domain.adapter_health import AdapterHealth
from polyant.domain.injectables import Environ

_FIX = "Restore it; the log of the server has the same text"


async def list_settings(context: CliContext) -> AsyncIterator[Finding]:
    """Yields the settings of each chosen adapter that declares any; the values were checked before.

    A channel that can't be imported is a fault that affects no other check.
    """
    environ, groups = await context.get(Environ), {group.name: group for group in GROUPS}
    for group, name in sorted(chosen_adapters(context.settings)):
        try:
            kind = settings_struct_of(plugins.load(groups[group], name))
        except WiringError as error:
            if group != CHANNEL.name:
                raise
            yield fault(f"{group} {name}", str(error), fix="Repair it, or remove it from CHANNELS")
            continue
        names = () if kind is None else [setting.variable for setting in describe_settings(name, kind)]
        given = [variable for variable in names if environ.get(variable, "").strip()]
        if names:
            shown = f"has valid settings: {', '.join(given)}" if given else "has its default settings"
            yield ok(f"{group} {name}", shown)


async def check_variables(context: CliContext) -> AsyncIterator[Finding]:
    """Yields a warning for each variable in the style of adapters' settings that nothing reads."""
    for unknown in unknown_variables(await context.get(Environ), context.settings, import_all=True):
        yield warning(unknown.name, unknown.description, fix=unknown.fix)


async def check_health(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether each adapter that can say so works."""
    health = await context.get(AdapterHealth)
    problems = {each.checked.label: each.problem for each in await health.unhealthy()}
    for checked in health.checkable:
        problem = problems.get(checked.label)
        if problem is None:
            yield ok(checked.label, "works")
        elif checked.essential:
            yield fault(checked.label, f"doesn't work, so no turn can run: {problem}", fix=_FIX)
        else:
            yield warning(checked.label, f"doesn't work: {problem}", fix=_FIX)
