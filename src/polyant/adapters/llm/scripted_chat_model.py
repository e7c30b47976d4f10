"""The built-in model: works offline, needs no key, and responds to the same conversation always in the same way.

Without a script it says that it is a demonstration and echoes the user. With a script it responds as written, so you
can demonstrate or test a whole deployment, tools included. The script is a JSON file with a list of scenarios:

    [
      {"when": "time", "steps": [
        [{"tool": "current_time", "arguments": {"timezone": "Europe/Rome"}}],
        [{"text": "The clock says "}, {"pause": 0.5}, {"text": "{{result}}"}]
      ]},
      {"when": "fail", "steps": [[{"text": "Half an ans"}, {"fail": "overloaded"}]]},
      {"steps": [[{"text": "You said: {{user}}"}]]}
    ]

Each call uses the first scenario whose `when` matches. `when` is a regular expression that is searched in the last
user message, ignoring case; a scenario without `when` matches any message. If no scenario matches, the model echoes.
The first call after a user message runs the first step. After each round of tool calls the next step runs; the last
step repeats. So the response depends only on the conversation, not on other conversations or on the worker.

A step is a list of actions that run in order:

- `text`: one delta of a stream. `{{user}}` is replaced with the last user message, `{{result}}` with the last tool
  result.
- `tool` with `arguments`: a tool call.
- `pause`: seconds.
- `fail`: a kind of failure: auth, rate_limit, bad_request, overloaded, unreachable, bad_response or timeout.

As with any model, tool calls follow the text, and there are none if the request offers no tools. Each word counts as
one token of usage.
"""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    ModelRequest,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from polyant.domain.errors import InvalidInputError, ProviderError, ProviderFailure
from polyant.domain.injectables import ScriptFile
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock

_MAX_ECHO_CHARACTERS = 2_000
_GREETING = "This is a demonstration: I am built into Polyant and there is no language model behind me."
_NO_INPUT = "You said nothing yet."
_SETUP_HINT = "For real answers, give this instance the provider openai or anthropic and that provider's API key."
_VARIABLE = re.compile(r"\{\{(user|result)\}\}")
_WORDS = re.compile(r"\S+\s*|\s+")


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action; exactly one of text, tool, pause and fail is set."""

    text: str | None = None
    tool: str | None = None
    arguments: dict[str, Any] = {}
    pause: float | None = None
    fail: ProviderFailure | None = None

    def __post_init__(self) -> None:
        """Rejects an action that sets none or several of the fields."""
        given = [value for value in (self.text, self.tool, self.pause, self.fail) if value is not None]
        if len(given) != 1 or (self.arguments and self.tool is None) or (self.pause or 0) < 0:
            raise ValueError("an action has exactly one of text, tool (with arguments), pause (0 or more) and fail")


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model's steps after a matching user message."""

    steps: list[list[Action]]
    when: str = ""

    def __post_init__(self) -> None:
        """Rejects a scenario without steps or with an invalid pattern."""
        if not self.steps:
            raise ValueError("a scenario has at least one step")
        try:
            re.compile(self.when)
        except re.error as error:
            raise ValueError(f"`when` is not a regular expression: {error}") from None


class ScriptedChatModel(ChatModel):
    """Responds as scripted, or echoes the user.

    Args:
        clock: Measures pauses and deadlines.
        script: The path of the script; None to echo.

    Raises:
        InvalidInputError: The script can't be read or is invalid; the message says where.
    """

    info = ProviderInfo(
        name="scripted",
        default_model="demo",
        base_url="http://scripted.invalid",  # never called; `.invalid` names can't exist (RFC 6761)
        secret=None,
    )

    def __init__(self, *, clock: Clock, script: ScriptFile | None = None) -> None:
        self._clock = clock
        self._scenarios = [] if script is None else _read_script(script)

    async def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        texts: list[str] = []
        calls: list[ToolCall] = []
        for action in self._actions(request):
            await self._run(action, request)
            if action.text:
                texts.append(action.text)
                if request.stream:
                    yield TextDelta(action.text)
            elif action.tool and request.tools:
                calls.append(_call(action.tool, action.arguments, len(calls) + 1))
        if not request.stream and (text := "".join(texts)):
            yield TextDelta(text)
        for call in calls:
            yield call
        yield ModelFinished(usage=_usage(request, texts), finish_reason="tool_calls" if calls else "stop")

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        """Returns immediately, because there is no server to reach."""

    def _actions(self, request: ModelRequest) -> list[Action]:
        user = _last_user_text(request)
        for scenario in self._scenarios:
            if re.search(scenario.when, user, re.IGNORECASE):
                due = scenario.steps[min(_finished_steps(request), len(scenario.steps) - 1)]
                return [_with_variables(action, request) for action in due]
        return [Action(text=word) for word in _WORDS.findall(_echo(user))]

    async def _run(self, action: Action, request: ModelRequest) -> None:
        left = request.deadline - self._clock.monotonic()
        if action.pause:
            await self._clock.sleep(min(action.pause, max(left, 0.0)))
        if left <= (action.pause or 0.0):
            raise ProviderError(self.info.name, ProviderFailure.TIMEOUT)
        if action.fail is not None:
            raise ProviderError(self.info.name, action.fail)


def _read_script(path: Path) -> list[Scenario]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Scenario])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"The model script {path} can't be used: {error}") from None


def _last_user_text(request: ModelRequest) -> str:
    return next((sent.text for sent in reversed(request.messages) if isinstance(sent, UserMessage)), "")


def _finished_steps(request: ModelRequest) -> int:
    finished = 0
    for message in reversed(request.messages):
        if isinstance(message, UserMessage):
            break
        finished += isinstance(message, AssistantMessage) and bool(message.tool_calls)
    return finished


def _echo(user: str) -> str:
    words = user.strip()
    if len(words) > _MAX_ECHO_CHARACTERS:
        words = f"{words[:_MAX_ECHO_CHARACTERS]}…"
    return f"{_GREETING} {f'You said: {words}' if words else _NO_INPUT}\n\n{_SETUP_HINT}"


def _with_variables(action: Action, request: ModelRequest) -> Action:
    if action.text is None or "{{" not in action.text:
        return action
    results = (sent.content for sent in reversed(request.messages) if isinstance(sent, ToolResult))
    values = {"user": _last_user_text(request), "result": next(results, "")}
    return Action(text=_VARIABLE.sub(lambda found: values[found[1]], action.text))


def _call(name: str, arguments: dict[str, Any], number: int) -> ToolCall:
    return ToolCall(id=f"call_{number}", name=name, arguments=msgspec.json.encode(arguments).decode())


def _usage(request: ModelRequest, texts: list[str]) -> Usage:
    prompt_tokens = len(request.system.split()) + sum(len(_text_of(message).split()) for message in request.messages)
    return Usage(prompt_tokens, len("".join(texts).split()))


def _text_of(message: ModelMessage) -> str:
    return message.text if isinstance(message, UserMessage) else message.content
