"""OpenAI's Audio API, and servers that are compatible with it.

See https://platform.openai.com/docs/api-reference/audio/createTranscription.
"""

import asyncio

import aiohttp
import msgspec

from polyant.domain.media.audio import AUDIO_NAMES
from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError, TranscriptionService
from polyant.domain.ports.transcriber import Transcriber
from polyant.domain.proxies import ProxyRules
from polyant.domain.proxy_routes import ProxyRoutes

_MAX_SECONDS = 120.0
_MAX_RESPONSE_BYTES = 1024 * 1024
_DEFAULT_NAME = "recording.ogg"
_OK = 200


class _Transcript(msgspec.Struct, frozen=True):
    text: str


class OpenAITranscriber(Transcriber):
    """Sends each recording to `/audio/transcriptions`, at most once.

    Args:
        http: The session that all providers share.
        service: The address, the model and the key.
        proxies: The proxies to use.
    """

    def __init__(self, *, http: aiohttp.ClientSession, service: TranscriptionService, proxies: ProxyRules) -> None:
        self._http = http
        self._service = service
        self._routes = ProxyRoutes(proxies)
        self.is_enabled = bool(service.url)

    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:
        try:
            async with asyncio.timeout(min(seconds, _MAX_SECONDS)):
                body = await self._post(recording)
            return msgspec.json.decode(body, type=_Transcript).text.strip()
        except TranscriptionError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            reason = "it sent no transcript"
        except TimeoutError:
            reason = "it didn't respond in time"
        except (aiohttp.ClientError, OSError, ValueError):
            reason = "it can't be reached"
        raise _failed(reason)

    async def _post(self, recording: AudioPart) -> bytes:
        url = f"{self._service.url.rstrip('/')}/audio/transcriptions"
        route = self._routes.route_to(url)
        key = self._service.key
        headers = {"User-Agent": "polyant", "Accept-Encoding": "identity", **route.headers}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        form = aiohttp.FormData({"model": self._service.model, "response_format": "json"})
        name = AUDIO_NAMES.get(recording.media_type, _DEFAULT_NAME)
        form.add_field("file", recording.data, filename=name, content_type=recording.media_type)
        async with self._http.post(
            url,
            data=form,
            headers=headers,
            proxy=route.proxy,
            proxy_headers=route.proxy_headers,
            allow_redirects=False,  # a redirect would send the key to another server
        ) as response:
            if response.status != _OK:
                raise _failed(f"it responded with status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MAX_RESPONSE_BYTES:
                    raise _failed("its response is too long")
            return bytes(body)


def _failed(reason: str) -> TranscriptionError:
    return TranscriptionError(hint=f"The service in TRANSCRIBER_URL failed: {reason}")
