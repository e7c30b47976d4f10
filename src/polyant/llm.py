"""The parts that a ChatModel over HTTP needs: time-outs, retries, server-sent events, and the reading of responses.

A model builds a `ProviderCall` from the request, passes it to `ProviderClient.attempt` with a `ResponseReader` of its
own, and wraps the attempts in `with_retries`. Secrets, redirects, sizes and cut streams are then taken care of.
`MediaRequest` leaves out the media that the server refuses.
"""

from polyant.adapters.llm.error_reports import failure_of_error
from polyant.adapters.llm.failures import (
    CallFailedError,
    InvalidResponseError,
    decode,
    decode_object,
    raise_bad_response,
)
from polyant.adapters.llm.history import arguments_object
from polyant.adapters.llm.http import ProviderCall, ProviderClient, header_value
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.llm.refused_media import MediaRequest, RefusedMedia
from polyant.adapters.llm.response_reader import PartialToolCall, ProviderModel, ResponseReader
from polyant.adapters.llm.retry import with_retries
from polyant.adapters.llm.sse import SseDecoder
from polyant.domain.trace_context import trace_headers

__all__ = [
    "CallFailedError",
    "InvalidResponseError",
    "MediaRequest",
    "PartialToolCall",
    "ProviderCall",
    "ProviderClient",
    "ProviderModel",
    "PublicHttp",
    "RefusedMedia",
    "ResponseReader",
    "SseDecoder",
    "arguments_object",
    "decode",
    "decode_object",
    "failure_of_error",
    "header_value",
    "raise_bad_response",
    "trace_headers",
    "with_retries",
]
