"""Wire to domain and back; pure."""

import msgspec

from polyant.domain.chat import AssistantMessage, ChatRequest, Sampling, Usage, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import SLUG_RULE, Instance, InstanceSummary, Slug, parse_slug
from polyant.http.bodies import decode
from polyant.http.openai.wire import (
    AnswerMessage,
    ChatCompletion,
    ChatCompletionRequest,
    Choice,
    ContentPart,
    MessageIn,
    ModelList,
    ModelOut,
    UsageOut,
)

_ROLES = ("system", "developer", "user", "assistant")
_SERVER_ROLES = ("tool", "function")

_decoder = msgspec.json.Decoder(ChatCompletionRequest)


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies one answer on the wire, whole or streamed."""

    id: str
    created: int
    slug: Slug


def decode_request(body: bytes) -> ChatCompletionRequest:
    """Returns the request that the body holds.

    Raises:
        InvalidInputError: The body isn't JSON, or breaks the schema; the message says what and where.
    """
    return decode(body, _decoder)


def to_domain(request: ChatCompletionRequest) -> ChatRequest:
    """Returns the request in the domain's terms.

    Raises:
        InvalidInputError: The model isn't a slug, or a message has a role or content that isn't accepted.
    """
    instructions: list[str] = []
    messages: list[UserMessage | AssistantMessage] = []
    for index, message in enumerate(request.messages):
        text = _text_of(message, f"$.messages[{index}]")
        match message.role:
            case "user":
                messages.append(UserMessage(text))
            case "assistant":
                messages.append(AssistantMessage(text))
            case _:
                instructions.append(text)
    return ChatRequest(
        model=_slug_of(request.model),
        messages=tuple(messages),
        caller_instructions=tuple(instructions),
        sampling=_sampling_of(request),
        stream=request.stream or False,
    )


def chat_completion(completion: Completion, text: str, usage: UsageOut) -> ChatCompletion:
    """Returns the whole answer."""
    choice = Choice(0, AnswerMessage("assistant", text), "stop")
    return ChatCompletion(completion.id, "chat.completion", completion.created, completion.slug, (choice,), usage)


def usage_out(usage: Usage, *, report: bool) -> UsageOut:
    """Returns the usage as it is shown: zeros, unless it is to be reported."""
    if not report:
        return UsageOut()
    return UsageOut(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def model_list(instances: tuple[InstanceSummary, ...]) -> ModelList:
    """Returns the instances as OpenAI's list of models."""
    return ModelList("list", tuple(model_out(instance) for instance in instances))


def model_out(instance: InstanceSummary | Instance) -> ModelOut:
    """Returns the instance as a model."""
    return ModelOut(instance.slug, "model", int(instance.created_at.timestamp()), "polyant")


def _slug_of(model: str) -> Slug:
    try:
        return parse_slug(model)
    except InvalidInputError:
        raise InvalidInputError(f"model must be a slug, {SLUG_RULE} - at `$.model`") from None


def _text_of(message: MessageIn, where: str) -> str:
    if message.role not in _ROLES:
        raise InvalidInputError(_role_fault(message.role, where))
    if message.content is None:
        if message.role == "assistant":
            return ""
        raise InvalidInputError(f"Expected `str | array`, got `null` - at `{where}.content`")
    if isinstance(message.content, str):
        text = message.content
    else:
        text = "".join(_part_text(part, f"{where}.content[{i}]") for i, part in enumerate(message.content))
    return _without_nul(text, f"{where}.content")


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
        return f"Messages of the role {role} are not accepted: tools run on the server - at `{where}.role`"
    return f"Invalid role: expected {', '.join(_ROLES[:-1])} or {_ROLES[-1]} - at `{where}.role`"


def _without_nul(text: str, where: str) -> str:
    if "\0" in text:
        raise InvalidInputError(f"U+0000 is not allowed in text - at `{where}`")
    return text


def _sampling_of(request: ChatCompletionRequest) -> Sampling:
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        stop=tuple(_without_nul(text, "$.stop") for text in stop if text),
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )
