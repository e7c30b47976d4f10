"""The state of an instance's enabled tools: ready, not installed, or missing a secret."""

from collections.abc import Mapping

import msgspec

from polyant.domain.instances import Instance
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName


class EnabledTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that is enabled for an instance; only ready tools are offered to the model."""

    name: str
    installed: bool
    missing_secrets: tuple[SecretName, ...] = ()
    """The secrets that the tool needs and the instance is missing."""

    @property
    def ready(self) -> bool:
        """Whether the tool can run."""
        return self.installed and not self.missing_secrets

    @property
    def state(self) -> str:
        """The tool's state as text: `ready`, `not installed` or the secrets it needs."""
        if not self.installed:
            return "not installed"
        return f"needs {', '.join(self.missing_secrets)}" if self.missing_secrets else "ready"


def enabled_tools(instance: Instance, tools: Mapping[str, Tool]) -> tuple[EnabledTool, ...]:
    """Returns the instance's enabled tools in order, with their state given the installed tools."""
    return tuple(_enabled(instance, name, tools.get(name)) for name in instance.tools)


def _enabled(instance: Instance, name: str, tool: Tool | None) -> EnabledTool:
    if tool is None:
        return EnabledTool(name=name, installed=False)
    missing = tuple(secret for secret in tool.secrets if secret not in instance.secrets)
    return EnabledTool(name=name, installed=True, missing_secrets=missing)
