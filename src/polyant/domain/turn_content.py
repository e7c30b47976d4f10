"""Recording of the text of turns, for observers that ask for it."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, assert_never

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    ModelMessage,
    ModelRequest,
    TextPart,
    ToolCall,
    ToolResult,
    UserMessage,
    UserPart,
)
from polyant.domain.errors import PolyantError
from polyant.domain.instances import Instance
from polyant.domain.media.parts import ImageLink, StoredPart, kind_of
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.recorded_content import StepContent, ToolContent
from polyant.domain.secrets import SecretText
from polyant.domain.system_prompt import SEPARATOR
from polyant.domain.trace_context import TraceContext

log = logging.getLogger("polyant.turn")

MAX_CHARACTERS = 32_768
"""The maximum number of characters of text in one recorded field, before it is encoded as JSON."""

_MAX_FIELD_CHARACTERS = 8 * MAX_CHARACTERS
"""The maximum length of a field that a Supervisor rendered itself, as JSON."""

_PART_CHARACTERS = 64
"""The characters that each part takes in addition to its text, so that many empty parts are bounded, too."""
_MAX_ID_CHARACTERS = 256
_PROVIDER_KEY = "api_key"
_NOT_JSON = (msgspec.MsgspecError, ValueError, RecursionError)
_FINISH_REASONS = {"tool_calls": "tool_call"}

ContentT = TypeVar("ContentT", StepContent, ToolContent)


class _StepContent(StepContent, frozen=True, kw_only=True):
    """Text that `TurnContent` rendered."""


class _ToolContent(ToolContent, frozen=True, kw_only=True):
    """Text that `TurnContent` rendered."""


class TurnContent:
    """Renders the text of one turn's calls.

    Args:
        secrets: The secrets that are replaced by their names.
    """

    def __init__(self, secrets: Mapping[str, SecretText]) -> None:
        forms = {form: f"[{name}]" for name, secret in secrets.items() for form in _forms(secret.reveal())}
        self._names = sorted(forms.items(), key=lambda pair: -len(pair[0]))  # a secret may contain another one

    def of_step(self, request: ModelRequest, reply: AssistantMessage, finish_reason: str) -> _StepContent:
        """Returns the text of a model call: of its messages, the last ones that fit.

        Args:
            request: The request that the model received.
            reply: The model's reply.
            finish_reason: Why the reply ended, as in ModelFinished.
        """
        return self._step(request.system, request.messages, reply, finish_reason)

    def of_text(
        self, instructions: Sequence[str], messages: Sequence[ModelMessage], reply: AssistantMessage, finish_reason: str
    ) -> _StepContent:
        """Returns the text of a model call whose request isn't known.

        Args:
            instructions: The caller's system messages.
            messages: The messages of the turn.
            reply: The text of the reply.
            finish_reason: Why the reply ended.
        """
        return self._step(SEPARATOR.join(instructions), messages, reply, finish_reason)

    def cleaned(self, content: ContentT) -> ContentT:
        """Returns text, which a Supervisor may have rendered itself, without secrets and fields that are too long."""
        if isinstance(content, _StepContent | _ToolContent):
            return content
        fields = {name: self._field(text) for name, text in msgspec.structs.asdict(content).items()}
        return msgspec.structs.replace(content, **fields)

    def _step(
        self, system: str, messages: Sequence[ModelMessage], reply: AssistantMessage, finish_reason: str
    ) -> _StepContent:
        output = {**self._message(reply, _Room()), "finish_reason": _FINISH_REASONS.get(finish_reason, finish_reason)}
        return _StepContent(
            system_instructions=_encode([self._text(system, _Room())] if system else []),
            input_messages=_encode(self._messages(messages)),
            output_messages=_encode([output]),
        )

    def _field(self, text: str) -> str:
        text = self._redact(text)
        return text if len(text) <= _MAX_FIELD_CHARACTERS else f"[{len(text)} characters left out]"

    def of_tool(self, call: ToolCall, result: ToolResult) -> _ToolContent:
        """Returns the text of a tool call."""
        return _ToolContent(
            call_id=self._id(call.id),
            arguments=_Room().clip(self._redact(_normalized(call.arguments))),
            result=_Room().clip(self._redact(result.content)),
        )

    def _messages(self, messages: Sequence[ModelMessage]) -> list[Any]:
        room, rendered = _Room(), list[Any]()
        for message in reversed(messages):
            if not room.left:
                omission = {"type": "omission", "messages": len(messages) - len(rendered)}
                rendered.append({"role": "system", "parts": [omission]})
                break
            rendered.append(self._message(message, room))
        return rendered[::-1]

    def _message(self, message: ModelMessage, room: "_Room") -> dict[str, Any]:
        match message:
            case UserMessage():
                return {"role": "user", "parts": [self._user_part(part, room) for part in message.parts]}
            case AssistantMessage():
                texts = [self._text(message.content, room)] if message.content else []
                return {
                    "role": "assistant",
                    "parts": [*texts, *(self._call(call, room) for call in message.tool_calls)],
                }
            case ToolResult():
                result = room.clip(self._redact(message.content))
                return {
                    "role": "tool",
                    "parts": [{"type": "tool_call_response", "id": self._id(message.call_id), "response": result}],
                }
            case never:
                assert_never(never)

    def _user_part(self, part: UserPart, room: "_Room") -> dict[str, Any]:
        if isinstance(part, TextPart):
            return self._text(part.text, room)
        room.clip("")
        media = {"type": str(kind_of(part))}
        if isinstance(part, ImageLink):
            return media
        return {
            **media,
            "mime_type": part.media_type,
            "bytes": part.size if isinstance(part, StoredPart) else len(part.data),
        }

    def _text(self, text: str, room: "_Room") -> dict[str, Any]:
        return {"type": "text", "content": room.clip(self._redact(text))}

    def _call(self, call: ToolCall, room: "_Room") -> dict[str, Any]:
        arguments = room.clip(self._redact(_normalized(call.arguments)))
        name = self._redact(call.name)[:_MAX_ID_CHARACTERS]
        return {"type": "tool_call", "id": self._id(call.id), "name": name, "arguments": _decoded(arguments)}

    def _id(self, given: str) -> str:
        return self._redact(given)[:_MAX_ID_CHARACTERS]

    def _redact(self, text: str) -> str:
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate can't be encoded later
        for form, name in self._names:
            text = text.replace(form, name)
        return text


class ContentRecording:
    """Decides whether the text of turns is recorded.

    Args:
        observers: The observers of turns. If one of them has the attribute `records_content` with the value True, it
            receives the text of turns.
        cipher: Decrypts the secrets of instances, which are removed from the text.
        providers: The enabled providers, by name.
        provider_keys: Finds the key of the provider, which is removed, too.
    """

    def __init__(
        self,
        *,
        observers: Mapping[str, TurnObserver],
        cipher: SecretCipher,
        providers: Mapping[str, ProviderInfo],
        provider_keys: ProviderKeys,
    ) -> None:
        self._enabled = any(map(records_content, observers.values()))
        self._cipher = cipher
        self._providers = providers
        self._provider_keys = provider_keys

    async def begin(self, instance: Instance, trace: TraceContext | None) -> TurnContent | None:
        """Returns what renders the turn's text; None if it isn't recorded.

        That is the case if no observer asks for it, if the caller doesn't sample the trace, or if a secret of the
        instance can't be decrypted and so can't be removed.

        Args:
            instance: The instance.
            trace: The trace of the turn.
        """
        if not self._enabled or (trace is not None and not trace.sampled):
            return None
        try:
            secrets: dict[str, SecretText] = {
                name: await self._cipher.open(stored.sealed, instance.address_of(stored))
                for name, stored in instance.secrets.items()
            }
        except PolyantError as error:
            fields = {"slug": instance.slug, "error": type(error).__name__}
            log.warning("content of a turn is not recorded", extra={"fields": fields})
            return None
        key = await self._provider_key(instance)
        return TurnContent(secrets if key is None else {_PROVIDER_KEY: key, **secrets})

    async def _provider_key(self, instance: Instance) -> SecretText | None:
        info = self._providers.get(instance.provider)
        try:
            return None if info is None else await self._provider_keys.key_for(instance, info)
        except PolyantError:  # the turn fails without a key
            return None


def records_content(observer: TurnObserver) -> bool:
    """Returns whether an observer receives the text of turns: it has the attribute `records_content` with True."""
    return getattr(observer, "records_content", False) is True


class _Room:
    """The characters that are left for the texts of one field."""

    def __init__(self) -> None:
        self.left = MAX_CHARACTERS

    def clip(self, text: str) -> str:
        """Returns as much of the text as fits, with a note if it is shortened."""
        kept = text[: self.left]
        self.left = max(0, self.left - len(kept) - _PART_CHARACTERS)
        return text if len(kept) == len(text) else f"{kept}… [{len(text) - len(kept)} characters left out]"


def _forms(secret: str) -> set[str]:
    """Returns a secret as it is in text, and as it is within JSON in text."""
    return {secret, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1]}


def _normalized(arguments: str) -> str:
    """Returns JSON without needless escapes, which could hide a secret; other text unchanged."""
    try:
        return _encode(msgspec.json.decode(arguments))
    except _NOT_JSON:
        return arguments


def _decoded(arguments: str) -> Any:
    """Returns the arguments as JSON if they are still valid, else as text."""
    try:
        return msgspec.json.decode(arguments)
    except _NOT_JSON:
        return arguments


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
