"""Data keys: what a ciphertext of a conversation is bound to."""

import msgspec

from polyant.domain.secrets import SecretAddress, SecretName

_SECRET_NAME = SecretName("data_key")


class DataAddress(msgspec.Struct, frozen=True):
    """The place that a ciphertext is bound to; it can't be decrypted for another one."""

    conversation: str
    """The id of the conversation whose data key encrypts."""
    item: str
    """The id of the message, or another id that is unique among the items of that role."""
    role: str
    """The role of the message, or the kind of another item, such as `media`."""


def wrapping_address(conversation: str) -> SecretAddress:
    """Returns the address for which the SecretCipher encrypts the data key of a conversation."""
    # No instance has such an id, so no instance's secret can be used as a data key, or the reverse.
    return SecretAddress(instance_id=f"conversation/{conversation}", name=_SECRET_NAME)
