"""Which of the tools that an instance has can run, and why the others can't."""

from collections.abc import Mapping

import msgspec

from polyant.domain.instances import Instance
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName


class EnabledTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that is enabled for an instance; its model is offered those that are ready."""

    name: str
    installed: bool
    missing_secrets: tuple[SecretName, ...] = ()
    """Secrets that it needs and the instance doesn't have."""

    @property
    def ready(self) -> bool:
        """Whether it can run."""
        return self.installed and not self.missing_secrets

    @property
    def state(self) -> str:
        """What is the matter with it, in words."""
        if not self.installed:
            return "not installed"
        return f"needs {', '.join(self.missing_secrets)}" if self.missing_secrets else "ready"


def enabled_tools(instance: Instance, tools: Mapping[str, Tool]) -> tuple[EnabledTool, ...]:
    """Returns the instance's tools in their order, as they stand with the tools that are installed."""
    return tuple(_enabled(instance, name, tools.get(name)) for name in instance.tools)


def _enabled(instance: Instance, name: str, tool: Tool | None) -> EnabledTool:
    if tool is None:
        return EnabledTool(name=name, installed=False)
    missing = tuple(secret for secret in tool.secrets if secret not in instance.secrets)
    return EnabledTool(name=name, installed=True, missing_secrets=missing)
