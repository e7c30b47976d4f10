"""Converts wire structs to domain objects and back, without side effects."""

import msgspec

from polyant.domain.chat import ChatRequest, Usage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import SLUG_RULE, Instance, InstanceSummary, Slug, parse_slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.trace_context import TraceContext
from polyant.domain.turn_context import Caller, TurnContext
from polyant.domain.users import UserId
from polyant.http.bodies import decode
from polyant.http.openai.conversation import conversation_of, without_nul
from polyant.http.openai.sampling import provider_fields_of, sampling_of, user_of
from polyant.http.openai.wire import (
    Accepted,
    AssistantMessageOut,
    ChatCompletion,
    ChatCompletionRequest,
    Choice,
    ModelDetails,
    ModelList,
    ModelOut,
    UsageOut,
)

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
    try:
        return decode(body, _decoder)
    except InvalidInputError as error:
        # The integers among the fields are declared as `int | float`, see `wire`.
        raise InvalidInputError(error.message.replace("`int | float", "`int")) from None


def to_domain(request: ChatCompletionRequest) -> ChatRequest:
    """Returns the request as a domain object.

    Raises:
        InvalidInputError: A value violates a rule that the schema doesn't express; the message names its location.
    """
    conversation = conversation_of(request.messages)
    return ChatRequest(
        model=_slug_of(request.model),
        messages=conversation.messages,
        caller_instructions=conversation.instructions,
        sampling=sampling_of(request),
        provider_fields=provider_fields_of(request),
        stream=request.stream or False,
    )


def turn_context(
    request: ChatCompletionRequest,
    *,
    channel: str,
    request_id: str,
    address: str,
    account: UserId | None = None,
    trace: TraceContext | None = None,
) -> TurnContext:
    """Returns the origin of a request's turn: its channel, request id, chat and caller.

    Raises:
        InvalidInputError: The chat's id contains U+0000.
    """
    caller = Caller(user=user_of(request), account=account, address=address)
    chat_id = None if request.chat_id is None else without_nul(request.chat_id, "$.chat_id")
    return TurnContext(request_id=request_id, channel=channel, caller=caller, chat_id=chat_id, trace=trace)


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


def model_details(instance: Instance, provider: ProviderInfo | None) -> ModelDetails:
    """Returns the instance as an OpenAI model, with what it accepts; `provider` is None if it isn't enabled."""
    model = model_out(instance)
    accepted = Accepted(
        image_input=instance.image_input,
        response_format=provider is not None and provider.response_format,
        tools_ignored=True,
    )
    return ModelDetails(model.id, model.object, model.created, model.owned_by, accepted)


def _slug_of(model: str) -> Slug:
    try:
        return parse_slug(model)
    except InvalidInputError:
        raise InvalidInputError(f"model must be a slug, {SLUG_RULE} - at `$.model`") from None
