"""Downloads of files."""

import msgspec

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp
from polyant.adapters.channels.telegram.bot_api import BotApi, BotApiError
from polyant.adapters.channels.telegram.updates import MAX_FILE_BYTES
from polyant.adapters.channels.telegram.wire import FileInfo
from polyant.domain.channel_events import MediaReference
from polyant.domain.channel_sends import FetchedMedia, FetchOutcome, MediaDelayed, MediaUnavailable
from polyant.domain.secrets import SecretText

_GONE = MediaUnavailable("gone")
_TOO_LARGE = MediaUnavailable("too large")
_REFUSED = MediaUnavailable("refused")
_TOO_MANY = 429
_INFO_SECONDS = 15.0


class Files:
    """Downloads files from Telegram's own host.

    Args:
        api: The Bot API.
        http: Makes the downloads.
    """

    def __init__(self, *, api: BotApi, http: PlatformHttp) -> None:
        self._api = api
        self._http = http

    async def fetch(self, token: SecretText, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        """Returns the content of a file, or why there is none."""
        limit = min(max_bytes, MAX_FILE_BYTES)
        if not media.id or (media.size or 0) > limit:
            return _TOO_LARGE if media.id else _REFUSED
        try:
            info = await self._api.call(token, "getFile", {"file_id": media.id}, FileInfo, seconds=_INFO_SECONDS)
            return await self._download(token, info, media, limit)
        except BotApiError as error:
            return _outcome_of(error)
        except CallFailedError:
            return MediaDelayed()

    async def _download(self, token: SecretText, info: FileInfo, media: MediaReference, limit: int) -> FetchOutcome:
        if info.file_path is None or ".." in info.file_path:
            return _GONE
        outcome = await self._http.download(self._api.file_url(token, info.file_path), headers={}, max_bytes=limit)
        if isinstance(outcome, FetchedMedia):  # the file server doesn't know the type
            return msgspec.structs.replace(outcome, media_type=media.media_type)
        return outcome


def _outcome_of(error: BotApiError) -> FetchOutcome:
    if error.code == _TOO_MANY:
        return MediaDelayed(error.retry_after)
    return _TOO_LARGE if "too big" in error.description else _GONE
