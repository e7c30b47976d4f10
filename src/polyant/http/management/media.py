"""/api/instances/{slug}/conversations/{conversation}/media: the images, recordings and documents of a conversation."""

from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from polyant.domain.conversations import parse_conversation_id
from polyant.domain.media.images import image_type_of
from polyant.domain.use_cases.read_media import ReadMedia
from polyant.http.error_responses import read_errors
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import slug_in

_ATTACHMENT_TYPE = "application/octet-stream"
_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_CONTENT = ResponseSpec(
    bytes, description="The content, unchanged", media_type=_ATTACHMENT_TYPE, generate_examples=False
)


class MediaController(Controller):
    """The media of one conversation."""

    path = "/instances/{slug:str}/conversations/{conversation:str}/media"
    tags = ("Conversations",)

    @get(
        "/{address:str}",
        summary="Get an image, a recording or a document",
        responses={200: _CONTENT, **read_errors(403, 404)},
    )
    async def show(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        conversation: FromPath[str],
        address: FromPath[str],
        read_media: NamedDependency[ReadMedia],
    ) -> Response[Any]:
        """Returns the content of a message's media, whose `address` is in the conversation's transcript.

        PNG, JPEG, GIF and WebP images are shown by browsers; everything else is downloaded. The readers are those of
        the texts. Reading is recorded in the audit log.
        """
        content = await read_media(
            slug_in(slug),
            parse_conversation_id(conversation),
            address,
            by=request.auth.actor,
            unrestricted=request.auth.unrestricted,
        )
        return media_response(content)


def media_response(content: bytes) -> Response[bytes]:
    """Returns the response with media of strangers: nothing in it can run, whatever a browser takes it for."""
    image_type = image_type_of(content)
    disposition = "attachment" if image_type is None else "inline"
    return Response(
        content,
        media_type=image_type or _ATTACHMENT_TYPE,
        headers={**_HEADERS, "Content-Disposition": disposition},
    )
