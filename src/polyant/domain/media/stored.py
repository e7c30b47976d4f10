"""Stored media: ciphertexts that belong to messages."""

from datetime import datetime
from pathlib import Path
from typing import NewType

import msgspec

from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.errors import NotFoundError

MediaAddress = NewType("MediaAddress", str)
"""The address of an item: the DataKey's `fingerprint` of its plaintext, so that it says nothing without the key."""

MediaFolder = NewType("MediaFolder", Path)
"""The folder of the adapter `folder`."""


class StoredMedia(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a message; its content is ciphertext, which stores don't interpret."""

    conversation: ConversationId
    message: MessageId
    address: MediaAddress
    content: bytes
    """The ciphertext; repr hides it."""
    at: datetime
    """The time of the message, by which the item expires."""

    def __repr__(self) -> str:
        """Returns a representation without the content."""
        return f"StoredMedia({self.conversation!r}, {self.message!r}, {len(self.content)} bytes)"


class UnknownMediaError(NotFoundError):
    """The conversation has no item with that address; it was deleted, or never existed."""

    def __init__(self) -> None:
        super().__init__("Unknown media")
