"""Environment variables with the prefix of adapters' settings that no adapter declares, such as misspelt ones."""

import difflib
import re
from collections.abc import Iterable, Mapping

import msgspec

from polyant import plugins
from polyant.adapter_groups import GROUPS, chosen_adapters
from polyant.adapter_settings import describe_settings, settings_struct_of, variable_prefix
from polyant.arguments import WiringError
from polyant.settings import Settings, variables

_PREFIX = "POLYANT_"
_OWN_PACKAGE = "polyant"
_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)\Z|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?\Z")
_SERVICE_URL = re.compile(r"\A(tcp|udp|sctp)://")
"""The value of the variable `…_PORT` that Kubernetes sets for a service."""
_SIMILARITY = 0.8

_GROUPS = {group.name: group for group in GROUPS}


class UnknownVariable(msgspec.Struct, frozen=True):
    """A variable that nothing reads."""

    name: str
    nearest: str | None
    """The known variable with the most similar name; None if none is similar."""

    @property
    def description(self) -> str:
        """The problem, in words that follow the variable's name."""
        return "is set, but no installed adapter has this setting"

    @property
    def fix(self) -> str:
        """The action that fixes it."""
        return f"Did you mean {self.nearest}?" if self.nearest else "`polyant adapters` lists the settings"


def unknown_variables(
    environ: Mapping[str, str], settings: Settings, *, import_all: bool
) -> tuple[UnknownVariable, ...]:
    """Returns the variables that are neither settings of Polyant nor of an installed adapter, ordered by name.

    The variables of adapters that aren't imported, or that declare no settings and may read the environment
    themselves, are not checked.

    Args:
        environ: The environment.
        settings: The settings that choose the adapters.
        import_all: Whether to import all installed adapters, instead of the chosen ones only.
    """
    own = {name for each in variables().values() for name in (each.name, each.alias)}
    suspects = [name for name, value in environ.items() if _is_suspect(name, value) and name not in own]
    if not suspects:
        return ()
    known, unchecked = _declared(None if import_all else chosen_adapters(settings))
    names = (name for name in sorted(suspects) if name not in known and not name.startswith(unchecked))
    similar = [*known, *(name for name in own if name.startswith(_PREFIX))]
    return tuple(UnknownVariable(name, _nearest(name, similar)) for name in names)


def _is_suspect(name: str, value: str) -> bool:
    if not name.startswith(_PREFIX) or not value.strip() or _OF_KUBERNETES.search(name):
        return False
    return not (name.endswith("_PORT") and _SERVICE_URL.match(value))


def _declared(chosen: set[tuple[str, str]] | None) -> tuple[set[str], tuple[str, ...]]:
    """Returns the variables that adapters declare, and the prefixes of those whose variables aren't known.

    Args:
        chosen: The adapters to import; None for all. Polyant's own have no settings of this kind.
    """
    known, unchecked = set[str](), list[str]()
    for adapter in plugins.installed_adapters(_GROUPS):
        if adapter.package == _OWN_PACKAGE:
            continue
        names = _variables_of(adapter) if chosen is None or (adapter.group, adapter.name) in chosen else None
        if names is None:
            unchecked.append(variable_prefix(adapter.name))
        else:
            known |= names
    return known, tuple(unchecked)


def _variables_of(adapter: plugins.InstalledAdapter) -> set[str] | None:
    """Returns the variables that an adapter declares; None if it declares none or can't be imported."""
    try:
        kind = settings_struct_of(plugins.load(_GROUPS[adapter.group], adapter.name))
    except WiringError:
        return None
    return None if kind is None else {setting.variable for setting in describe_settings(adapter.name, kind)}


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=_SIMILARITY)), None)
