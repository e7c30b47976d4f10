"""Remembers which models refuse images, recordings or documents, and what to send them instead."""

import re
from collections.abc import Callable

import msgspec

from polyant.domain.chat import ModelRequest, UserMessage, UserPart, any_has_media
from polyant.domain.media.notes import without_media
from polyant.domain.media.parts import MediaKind, kind_of
from polyant.domain.ports.clock import Clock

_NAMES = {
    MediaKind.IMAGE: re.compile(rb"image|vision|multi-?modal", re.IGNORECASE),
    MediaKind.AUDIO: re.compile(rb"audio|multi-?modal", re.IGNORECASE),
    MediaKind.DOCUMENT: re.compile(rb"\bfiles?\b|file_|document|pdf", re.IGNORECASE),
}
_ANY = re.compile(
    rb"content.{0,120}(string|text)|(string|text).{0,120}content|unknown (variant|part|content)|unsupported content",
    re.IGNORECASE | re.DOTALL,
)
"""How servers that only know text content report parts."""
_LASTING = re.compile(
    rb"support|only|unknown|not a |no endpoints|must be|should be|expected|enabled|missing|at most 0", re.IGNORECASE
)
_ABOUT_ONE = re.compile(
    rb"exceed|too (large|big|small|many pixels)|process|corrupt|decode|download|dimension", re.IGNORECASE
)
"""Errors about the content of one image or file; another one may be accepted."""
_REMEMBERED_SECONDS = 600.0
_MAX_REMEMBERED = 1_000

_Model = tuple[str, str]
"""A base URL and a model."""


class RefusedMedia:
    """The refusals of the last ten minutes; after that, a model is tried again.

    Args:
        clock: Measures the time.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[_Model, MediaKind], float] = {}

    def adapted(self, request: ModelRequest) -> ModelRequest:
        """Returns the request without the kinds of media that its model has refused."""
        if not self._until or not any_has_media(request.messages):
            return request
        now, model = self._clock.monotonic(), _model_of(request)
        refused = {kind for kind in MediaKind if self._until.get((model, kind), now) > now}
        return without_kinds(request, refused)

    def kinds_in(self, request: ModelRequest, error_body: bytes) -> frozenset[MediaKind]:
        """Returns the kinds of media that an error response to the request refuses, and remembers them."""
        sent = {
            kind
            for message in request.messages
            if isinstance(message, UserMessage)
            for part in message.parts
            if (kind := kind_of(part)) is not None
        }
        named = {kind for kind in sent if _NAMES[kind].search(error_body)}
        refused = named or (sent if _ANY.search(error_body) else set())
        if _LASTING.search(error_body) and not _ABOUT_ONE.search(error_body):
            self._remember(_model_of(request), refused)
        return frozenset(refused)

    def _remember(self, model: _Model, kinds: set[MediaKind]) -> None:
        until = self._clock.monotonic() + _REMEMBERED_SECONDS
        for kind in kinds:
            self._until.pop((model, kind), None)
            self._until[model, kind] = until
        while len(self._until) > _MAX_REMEMBERED:
            self._until.pop(next(iter(self._until)))


class MediaRequest:
    """A request whose media are left out of the next attempt if the server refuses them.

    Args:
        request: The request.
        memory: The refusals so far.
        is_refused: Returns whether the provider's protocol can't express a part.
    """

    def __init__(
        self, request: ModelRequest, memory: RefusedMedia, *, is_refused: Callable[[UserPart, MediaKind], bool]
    ) -> None:
        self._memory = memory
        self._request = request
        self.has_media = any_has_media(request.messages)
        """Whether the next attempt contains media."""
        if self.has_media:
            self._request = memory.adapted(
                msgspec.structs.replace(request, messages=without_media(request.messages, is_refused))
            )
            self.has_media = any_has_media(self._request.messages)

    def current(self) -> ModelRequest:
        """Returns the request for the next attempt."""
        return self._request

    def drop_refused(self, error_body: bytes) -> bool:
        """Leaves out the media that the error refuses, and returns whether there were any."""
        refused = self._memory.kinds_in(self._request, error_body) if self.has_media else frozenset()
        self._request = without_kinds(self._request, refused)
        self.has_media = any_has_media(self._request.messages)
        return bool(refused)


def without_kinds(request: ModelRequest, kinds: set[MediaKind] | frozenset[MediaKind]) -> ModelRequest:
    """Returns the request without media of these kinds; a note makes the model say so."""
    if not kinds:
        return request
    return msgspec.structs.replace(request, messages=without_media(request.messages, lambda _, kind: kind in kinds))


def _model_of(request: ModelRequest) -> _Model:
    return request.base_url, request.model
