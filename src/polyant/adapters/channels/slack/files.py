"""Fetches the files of messages from Slack's own hosts."""

from collections.abc import Mapping

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, bearer
from polyant.adapters.channels.slack.api import SlackApi, SlackReply
from polyant.adapters.channels.slack.wire import File
from polyant.domain.channel_events import MediaKind, MediaReference
from polyant.domain.channel_sends import (
    FetchedMedia,
    FetchOutcome,
    MediaDelayed,
    MediaUnavailable,
    NotSent,
    Refused,
    Sent,
)

_GONE = frozenset({"file_deleted", "file_not_found"})
_GONE_MODES = frozenset({"tombstone", "hidden_by_limit"})
_PAGE = "text/html"


class SlackFiles:
    """Fetches files by id.

    Args:
        api: The Web API.
        http: The client for Slack's hosts.
    """

    def __init__(self, *, api: SlackApi, http: PlatformHttp) -> None:
        self._api = api
        self._http = http

    async def fetch(self, token: str, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        """Returns the content of the file, or why it can't be fetched."""
        if media.kind is MediaKind.VIDEO:
            return MediaUnavailable("unsupported")
        try:
            reply = await self._api.call("files.info", token, file=media.id)
        except CallFailedError:
            return MediaDelayed()
        obstacle = _obstacle(reply)
        if obstacle is not None:
            return obstacle
        if reply.body.file is None:
            return MediaDelayed()
        return await self._download(reply.body.file, bearer(token) or {}, max_bytes)

    async def _download(self, file: File, headers: Mapping[str, str], max_bytes: int) -> FetchOutcome:
        url = file.url_private_download or file.url_private
        if file.mode in _GONE_MODES:
            return MediaUnavailable("gone")
        if file.is_external or not url or not self._http.includes(url):
            return MediaUnavailable("refused")
        if (file.size or 0) > max_bytes:
            return MediaUnavailable("too large")
        outcome = await self._http.download(url, headers=headers, max_bytes=max_bytes)
        if not isinstance(outcome, FetchedMedia):
            return outcome
        # Slack responds with the page for signing in, and status 200, if the token may not read the file.
        if (outcome.media_type or "").startswith(_PAGE) and file.mimetype != _PAGE:
            return MediaUnavailable("refused")
        return FetchedMedia(content=outcome.content, media_type=file.mimetype or outcome.media_type)


def _obstacle(reply: SlackReply) -> MediaDelayed | MediaUnavailable | None:
    """Returns why Slack doesn't describe the file; None if it does."""
    if reply.code in _GONE:
        return MediaUnavailable("gone")
    match reply.outcome:
        case Sent():
            return None
        case NotSent(seconds):
            return MediaDelayed(seconds)
        case Refused():
            return MediaUnavailable("refused")
    return MediaDelayed()
