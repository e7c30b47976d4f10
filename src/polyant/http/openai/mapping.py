"""Converts wire structs to domain objects and back, without side effects."""

from collections.abc import Callable

import msgspec

from polyant.domain.chat import AssistantMessage, ChatRequest, Sampling, Usage, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import SLUG_RULE, Instance, InstanceSummary, Slug, parse_slug
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.users import UserId
from polyant.http.bodies import decode
from polyant.http.openai.wire import (
    AssistantMessageOut,
    ChatCompletion,
    ChatCompletionRequest,
    Choice,
    ContentPart,
    MessageIn,
    ModelList,
    ModelOut,
    UsageOut,
)

_ROLES: dict[str, Callable[[str], UserMessage | AssistantMessage] | None] = {
    "system": None,
    "developer": None,
    "user": UserMessage.of,
    "assistant": AssistantMessage,
}
"""How a message of each role becomes a domain message; None for the caller's instructions."""
_MAX_USER_CHARACTERS = 512
_SERVER_ROLES = ("tool", "function")

_decoder = msgspec.json.Decoder(ChatCompletionRequest)


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one chat completion, which all chunks of a stream share."""

    id: str
    created: int
    slug: Slug


def decode_request(body: bytes) -> ChatCompletionRequest:
    """Returns the decoded request.

    Raises:
        InvalidInputError: The body isn't JSON or violates the schema; the message names the fault and its location.
    """
    return decode(body, _decoder)


def to_domain(request: ChatCompletionRequest) -> ChatRequest:
    """Returns the request as a domain object.

    Raises:
        InvalidInputError: The model isn't a slug, or the role or content of a message isn't accepted.
    """
    instructions: list[str] = []
    messages: list[UserMessage | AssistantMessage] = []
    for index, message in enumerate(request.messages):
        text, make = _text_of(message, index), _ROLES[message.role]
        if make is None:
            instructions.append(text)
        else:
            messages.append(make(text))
    return ChatRequest(
        model=_slug_of(request.model),
        messages=tuple(messages),
        caller_instructions=tuple(instructions),
        sampling=_sampling_of(request),
        stream=request.stream or False,
    )


def turn_context(
    request: ChatCompletionRequest, *, channel: str, request_id: str, address: str, account: UserId | None = None
) -> TurnContext:
    """Returns the origin of a request's turn: its channel, request id, chat and caller."""
    caller = Caller(user=_user_of(request), account=account, address=address)
    return TurnContext(request_id=request_id, channel=channel, caller=caller, chat_id=request.chat_id)


def chat_completion(completion: Completion, text: str, usage: UsageOut) -> ChatCompletion:
    """Returns the response to a request without `stream`."""
    choice = Choice(0, AssistantMessageOut("assistant", text), "stop")
    return ChatCompletion(completion.id, "chat.completion", completion.created, completion.slug, (choice,), usage)


def usage_out(usage: Usage, *, report: bool) -> UsageOut:
    """Returns the token usage to show: zeros unless `report` is true."""
    if not report:
        return UsageOut()
    return UsageOut(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def model_list(instances: tuple[InstanceSummary, ...]) -> ModelList:
    """Returns the instances as a list of OpenAI models."""
    return ModelList("list", tuple(model_out(instance) for instance in instances))


def model_out(instance: InstanceSummary | Instance) -> ModelOut:
    """Returns the instance as an OpenAI model."""
    return ModelOut(instance.slug, "model", int(instance.created_at.timestamp()), "polyant")


def _user_of(request: ChatCompletionRequest) -> str | None:
    """Returns the end user's id, or None if it isn't a string of 1 to 512 characters without U+0000."""
    user = request.user
    return user if isinstance(user, str) and 0 < len(user) <= _MAX_USER_CHARACTERS and "\0" not in user else None


def _slug_of(model: str) -> Slug:
    try:
        return parse_slug(model)
    except InvalidInputError:
        raise InvalidInputError(f"model must be a slug, {SLUG_RULE} - at `$.model`") from None


def _text_of(message: MessageIn, index: int) -> str:
    role, content = message.role, message.content
    if role not in _ROLES:
        raise InvalidInputError(_role_fault(role, f"$.messages[{index}].role"))
    if content is None:
        if role == "assistant":
            return ""
        raise InvalidInputError(f"Expected `str | array`, got `null` - at `$.messages[{index}].content`")
    if not isinstance(content, str):
        content = "".join(_part_text(part, f"$.messages[{index}].content[{i}]") for i, part in enumerate(content))
    if "\0" in content:
        raise InvalidInputError(_nul_fault(f"$.messages[{index}].content"))
    return content


def _part_text(part: ContentPart, where: str) -> str:
    if part.type != "text":
        raise InvalidInputError(
            f"Image input is not supported by this API, nor is any other part than text - at `{where}.type`"
        )
    if part.text is msgspec.UNSET:
        raise InvalidInputError(f"Object missing required field `text` - at `{where}`")
    return part.text


def _role_fault(role: str, where: str) -> str:
    if role in _SERVER_ROLES:
        return f"Messages of the role {role} are not accepted: tools run on the server - at `{where}`"
    *roles, last = _ROLES
    return f"Invalid role: expected {', '.join(roles)} or {last} - at `{where}`"


def _nul_fault(where: str) -> str:
    return f"U+0000 is not allowed in text - at `{where}`"


def _sampling_of(request: ChatCompletionRequest) -> Sampling:
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if any("\0" in text for text in stop):
        raise InvalidInputError(_nul_fault("$.stop"))
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        stop=tuple(filter(None, stop)),
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )
