"""Whether the caller of an instance may send images."""

from polyant.domain.chat import ChatRequest, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.media.parts import ImageLink


def check_image_input(instance: Instance, request: ChatRequest) -> None:
    """Returns if the request contains no image, or the instance allows them.

    Raises:
        InvalidInputError: It doesn't; the message names the first image.
    """
    if instance.image_input:
        return
    for message in request.messages:
        for part in message.parts if isinstance(message, UserMessage) else ():
            if isinstance(part, ImageLink):
                raise InvalidInputError(image_fault(f"{part.where}.type"))


def image_fault(where: str) -> str:
    """Returns the message for an image that isn't allowed at a place in the request."""
    return f"Image input is not supported by this API - at `{where}`"
