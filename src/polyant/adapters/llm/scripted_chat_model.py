"""The built-in model: offline, without a key, always the same answer to the same question.

Without a script it says that it is a demonstration and echoes the user. A script makes it answer as written, so that a
whole deployment can be shown or tested, tools included. The script is a JSON file with a list of scenes:

    [
      {"when": "time", "steps": [
        [{"tool": "current_time", "arguments": {"timezone": "Europe/Rome"}}],
        [{"text": "The clock says "}, {"pause": 0.5}, {"text": "{{result}}"}]
      ]},
      {"when": "fail", "steps": [[{"text": "Half an ans"}, {"fail": "overloaded"}]]},
      {"steps": [[{"text": "You said: {{user}}"}]]}
    ]

A call plays the first scene whose `when`, a regular expression, is found in the last user message, upper and lower case
being the same; one without `when` fits any message, and if none fits the model echoes. Of the scene it plays the step
that is due: the first one right after the user spoke, the next one each time after the model called tools; the last one
stays due. So the answer depends on the conversation alone, however many are held at once and whichever worker answers.

A step is a list of lines, spoken in this order: `text` (one delta of a stream; `{{user}}` becomes the user's last
words, `{{result}}` the last tool's result), `tool` with `arguments`, `pause` in seconds, `fail` with a kind of failure
(auth, rate_limit, bad_request, overloaded, unreachable, bad_response or timeout). As with any model, tool calls come
after the text, and there are none while it is offered no tools. As usage every word counts as a token.
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
_NOTHING = "You said nothing yet."
_FAREWELL = "For real answers, give this instance the provider openai or anthropic and that provider's API key."
_VARIABLE = re.compile(r"\{\{(user|result)\}\}")
_WORDS = re.compile(r"\S+\s*|\s+")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happens; exactly one of text, tool, pause and fail is given."""

    text: str | None = None
    tool: str | None = None
    arguments: dict[str, Any] = {}
    pause: float | None = None
    fail: ProviderFailure | None = None

    def __post_init__(self) -> None:
        """Refuses a line that says several things, or nothing."""
        given = [value for value in (self.text, self.tool, self.pause, self.fail) if value is not None]
        if len(given) != 1 or (self.arguments and self.tool is None) or (self.pause or 0) < 0:
            raise ValueError("a line has one of text, tool (with arguments), pause (0 or more) and fail")


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model does from one user message to the next."""

    steps: list[list[Line]]
    when: str = ""

    def __post_init__(self) -> None:
        """Refuses a scene without steps, or with a pattern that can't be read."""
        if not self.steps:
            raise ValueError("a scene has at least one step")
        try:
            re.compile(self.when)
        except re.error as error:
            raise ValueError(f"`when` is not a regular expression: {error}") from None


class ScriptedChatModel(ChatModel):
    """Plays a script, or echoes."""

    info = ProviderInfo(
        name="scripted",
        default_model="demo",
        base_url="http://scripted.invalid",  # nothing is ever sent there; the name can't exist (RFC 6761)
        secret=None,
    )

    def __init__(self, *, clock: Clock, script: ScriptFile | None = None) -> None:
        """Reads the script.

        Raises:
            InvalidInputError: It can't be read, or breaks a rule; the message says where.
        """
        self._clock = clock
        self._scenes = [] if script is None else _read_script(script)

    async def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        said: list[str] = []
        calls: list[ToolCall] = []
        for line in self._lines(request):
            await self._wait(line, request)
            if line.text:
                said.append(line.text)
                if request.stream:
                    yield TextDelta(line.text)
            elif line.tool and request.tools:
                calls.append(_call(line.tool, line.arguments, len(calls) + 1))
        if not request.stream and (text := "".join(said)):
            yield TextDelta(text)
        for call in calls:
            yield call
        yield ModelFinished(usage=_usage(request, said), finish_reason="tool_calls" if calls else "stop")

    async def check(self, base_url: str) -> None:
        """Returns: there is nothing to reach."""

    def _lines(self, request: ModelRequest) -> list[Line]:
        user = _last_words(request)
        for scene in self._scenes:
            if re.search(scene.when, user, re.IGNORECASE):
                due = scene.steps[min(_steps_played(request), len(scene.steps) - 1)]
                return [_filled(line, request) for line in due]
        return [Line(text=word) for word in _WORDS.findall(_echo(user))]

    async def _wait(self, line: Line, request: ModelRequest) -> None:
        left = request.deadline - self._clock.monotonic()
        if line.pause:
            await self._clock.sleep(min(line.pause, max(left, 0.0)))
        if left <= (line.pause or 0.0):
            raise ProviderError(self.info.name, ProviderFailure.TIMEOUT)
        if line.fail is not None:
            raise ProviderError(self.info.name, line.fail)


def _read_script(path: Path) -> list[Scene]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Scene])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"The model's script {path} can't be used: {error}") from None


def _last_words(request: ModelRequest) -> str:
    return next((said.text for said in reversed(request.messages) if isinstance(said, UserMessage)), "")


def _steps_played(request: ModelRequest) -> int:
    played = 0
    for message in reversed(request.messages):
        if isinstance(message, UserMessage):
            break
        played += isinstance(message, AssistantMessage) and bool(message.tool_calls)
    return played


def _echo(user: str) -> str:
    words = user.strip()
    if len(words) > _MAX_ECHO_CHARACTERS:
        words = f"{words[:_MAX_ECHO_CHARACTERS]}…"
    return f"{_GREETING} {f'You said: {words}' if words else _NOTHING}\n\n{_FAREWELL}"


def _filled(line: Line, request: ModelRequest) -> Line:
    if line.text is None or "{{" not in line.text:
        return line
    results = (said.content for said in reversed(request.messages) if isinstance(said, ToolResult))
    values = {"user": _last_words(request), "result": next(results, "")}
    return Line(text=_VARIABLE.sub(lambda found: values[found[1]], line.text))


def _call(name: str, arguments: dict[str, Any], number: int) -> ToolCall:
    return ToolCall(id=f"call_{number}", name=name, arguments=msgspec.json.encode(arguments).decode())


def _usage(request: ModelRequest, said: list[str]) -> Usage:
    heard = len(request.system.split()) + sum(len(_text_of(message).split()) for message in request.messages)
    return Usage(heard, len("".join(said).split()))


def _text_of(message: ModelMessage) -> str:
    return message.text if isinstance(message, UserMessage) else message.content
