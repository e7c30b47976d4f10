"""Converts the parameters of a request that the provider receives."""

from typing import Annotated

import msgspec

from polyant.domain.chat import MAX_TOKENS, ProviderFields, Sampling
from polyant.domain.errors import InvalidInputError
from polyant.http.openai.conversation import without_nul
from polyant.http.openai.wire import MAX_SEED, MIN_SEED, ChatCompletionRequest

_MAX_USER_CHARACTERS = 512


class _ResponseFormat(msgspec.Struct, frozen=True):
    """The part of `response_format` that is checked: other servers have formats of their own."""

    type: Annotated[str, msgspec.Meta(min_length=1)]


_response_format_decoder = msgspec.json.Decoder(_ResponseFormat | None)


def sampling_of(request: ChatCompletionRequest) -> Sampling:
    """Returns the sampling parameters.

    Raises:
        InvalidInputError: A number that must be whole isn't, or a stop sequence contains U+0000.
    """
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=_whole(request.max_completion_tokens, 1, MAX_TOKENS, "$.max_completion_tokens")
        or _whole(request.max_tokens, 1, MAX_TOKENS, "$.max_tokens"),
        stop=_stop_of(request) if request.stop else (),
        seed=_whole(request.seed, MIN_SEED, MAX_SEED, "$.seed"),
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )


def provider_fields_of(request: ChatCompletionRequest) -> ProviderFields:
    """Returns the fields that are passed to the provider if it has an equivalent.

    Raises:
        InvalidInputError: `response_format` isn't an object with a type.
    """
    return ProviderFields(
        response_format=_response_format_of(request.response_format) if request.response_format else None,
        reasoning_effort=request.reasoning_effort,
        logit_bias=None if request.logit_bias is None else dict(map(_bias, request.logit_bias.items())),
        verbosity=request.verbosity,
        prompt_cache_key=request.prompt_cache_key,
        safety_identifier=request.safety_identifier,
        user=user_of(request),
    )


def user_of(request: ChatCompletionRequest) -> str | None:
    """Returns the end user's id, or None if it is missing, or refused by `checked_user_of`."""
    try:
        return checked_user_of(request)
    except InvalidInputError:
        return None


def checked_user_of(request: ChatCompletionRequest) -> str | None:
    """Returns the end user's id, or None if it is missing or empty.

    Elsewhere an unusable id is ignored. Where it separates the conversations of users, they would share one.

    Raises:
        InvalidInputError: It isn't a string, is too long, or contains U+0000.
    """
    user = request.user
    if user is None:
        return None
    if not isinstance(user, str):
        raise InvalidInputError("Expected `str | null`: the user separates conversations - at `$.user`")
    if len(user) > _MAX_USER_CHARACTERS:
        raise InvalidInputError(f"Expected `str` of length <= {_MAX_USER_CHARACTERS} - at `$.user`")
    return without_nul(user, "$.user") or None


def _stop_of(request: ChatCompletionRequest) -> tuple[str, ...]:
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    return tuple(without_nul(text, "$.stop") for text in stop if text)


def _whole(value: float | None, minimum: int, maximum: int, where: str) -> int | None:
    """Returns the number as an integer, such as 5 for 5.0; the decoder has already checked the bounds of integers."""
    if value is None or isinstance(value, int):
        return value
    if not value.is_integer():
        raise InvalidInputError(f"Expected `int | null`, got `float` - at `{where}`")
    if value < minimum:
        raise InvalidInputError(f"Expected `int` >= {minimum} - at `{where}`")
    if value > maximum:
        raise InvalidInputError(f"Expected `int` <= {maximum} - at `{where}`")
    return int(value)


def _bias(item: tuple[str, float]) -> tuple[str, float]:
    """Returns a token's bias; OpenAI accepts whole numbers only as integers."""
    token, bias = item
    return token, int(bias) if bias.is_integer() else bias


def _response_format_of(given: msgspec.Raw) -> msgspec.Raw | None:
    try:
        decoded = _response_format_decoder.decode(given)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at `$")
        raise InvalidInputError(f"{fault} - at `$.response_format{path or '`'}") from None
    return None if decoded is None else given.copy()  # a copy doesn't keep the whole body in memory
