"""The tools of one conversation; every call of a tool gives a result, even if the tool fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from polyant.domain.chat import ToolCall, ToolResult, ToolSpec, Turn
from polyant.domain.error_places import place_of
from polyant.domain.instances import Instance
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.tools import OfferedTool, ToolContext, ToolError, clip_result

log = logging.getLogger("polyant.turn")

Delegate = Callable[[str], Awaitable[str]]


class GuardedTools:
    """The tools that an instance offers to its model.

    Args:
        turn: The turn that calls the tools.
        tools: The tools.
        cipher: Decrypts the secrets that a tool needs.
    """

    def __init__(self, turn: Turn, tools: Iterable[OfferedTool], cipher: SecretCipher) -> None:
        self._turn = turn
        self._instance = turn.instance
        self._tools = {tool.spec.name: tool for tool in tools}
        self._cipher = cipher
        self.specs: tuple[ToolSpec, ...] = tuple([tool.spec for tool in self._tools.values()])
        """The tools' specifications for the model."""

    def offers(self, name: str) -> bool:
        """Returns whether there is a tool of that name."""
        return name in self._tools

    def without(self, name: str) -> "GuardedTools":
        """Returns the tools without the named tool."""
        others = (tool for tool in self._tools.values() if tool.spec.name != name)
        return GuardedTools(self._turn, others, self._cipher)

    async def run(self, call: ToolCall, *, deadline: float, delegate: Delegate) -> ToolResult:
        """Returns the result of a call; a failure becomes an error result that helps the model to recover.

        Only a cancellation of the current task is raised.

        Args:
            call: The model's call.
            deadline: The end of the tool's time, in seconds of the monotonic clock.
            delegate: Passes a task to a sub-agent.
        """
        tool = self._tools.get(call.name)
        if tool is None:
            return failed(call, f"There is no tool '{call.name}'. There are: {', '.join(self._tools) or 'none'}.")
        secrets: dict[SecretName, SecretText] = {}
        try:
            secrets.update(await self._decrypt(tool.secrets))
            context = ToolContext(
                slug=self._instance.slug,
                turn=self._turn.context,
                secrets=secrets,
                options=self._instance.options.get(call.name, {}),
                deadline=deadline,
                delegate=delegate,
            )
            content = clip_result(_redacted(await tool.call(call.arguments, context), secrets))
        except ToolError as error:
            return failed(call, _redacted(str(error), secrets))
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            # Even a tool that raises SystemExit or cancels itself must not end the turn.
            log.warning("tool failed", extra={"fields": _log_fields(self._instance, tool, error)})
            return failed(call, f"The tool {call.name} failed. Try it in another way, or do without it.")
        return ToolResult(call_id=call.id, content=content)

    async def _decrypt(self, names: Iterable[SecretName]) -> dict[SecretName, SecretText]:
        stored = self._instance.secrets
        return {
            name: await self._cipher.open(stored[name].sealed, self._instance.address_of(stored[name]))
            for name in names
        }


def failed(call: ToolCall, reason: str) -> ToolResult:
    """Returns the error result of a call."""
    return ToolResult(call_id=call.id, content=clip_result(reason), is_error=True)


def _redacted(text: str, secrets: Mapping[SecretName, SecretText]) -> str:
    for name, secret in secrets.items():
        text = text.replace(secret.reveal(), f"[{name}]")
    return text


def _log_fields(instance: Instance, tool: OfferedTool, error: BaseException) -> dict[str, object]:
    """Returns the log fields for an exception: its type and location, but not its text, which may contain a secret."""
    name = tool.original_name or tool.spec.name
    return {"slug": instance.slug, "tool": name, "error": type(error).__name__, "at": place_of(error)}
