"""Fetches media from Meta's own hosts."""

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, bearer
from polyant.adapters.channels.whatsapp.graph_api import GraphApi, GraphReply, is_id
from polyant.domain.channel_events import MediaKind, MediaReference
from polyant.domain.channel_sends import FetchedMedia, FetchOutcome, MediaDelayed, MediaUnavailable

_UNKNOWN_OBJECT = "100"
_UNSUPPORTED = frozenset({MediaKind.VIDEO, MediaKind.OTHER})
_GONE_STATUSES = frozenset({404, 410})


class WhatsAppMedia:
    """Fetches media by id.

    Args:
        api: The Graph API.
        http: The client for Meta's hosts.
    """

    def __init__(self, *, api: GraphApi, http: PlatformHttp) -> None:
        self._api = api
        self._http = http

    async def fetch(self, token: str, media: MediaReference, *, phone_number_id: str, max_bytes: int) -> FetchOutcome:
        """Returns the content of the media, or why it can't be fetched."""
        if media.kind in _UNSUPPORTED:
            return MediaUnavailable("unsupported")
        if not is_id(media.id):
            return MediaUnavailable("gone")
        try:
            reply = await self._api.get(media.id, token, {"phone_number_id": phone_number_id})
        except CallFailedError:
            return MediaDelayed()
        obstacle = self._obstacle(reply, max_bytes)
        if obstacle is not None:
            return obstacle
        outcome = await self._http.download(reply.body.url, headers=bearer(token) or {}, max_bytes=max_bytes)
        if isinstance(outcome, FetchedMedia):
            return FetchedMedia(content=outcome.content, media_type=reply.body.mime_type or outcome.media_type)
        return outcome

    def _obstacle(self, reply: GraphReply, max_bytes: int) -> MediaDelayed | MediaUnavailable | None:
        """Returns why the media can't be downloaded; None if they can."""
        if reply.retry_after is not None or reply.doubtful:
            return MediaDelayed(reply.retry_after or 1.0)
        if reply.code == _UNKNOWN_OBJECT or reply.status in _GONE_STATUSES:
            return MediaUnavailable("gone")
        if reply.code or not self._http.includes(reply.body.url):
            return MediaUnavailable("refused")
        return MediaUnavailable("too large") if (reply.body.file_size or 0) > max_bytes else None
