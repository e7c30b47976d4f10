"""Port: one call of a language model."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.secrets import SecretName


class ProviderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What Polyant has to know of a provider to call it."""

    name: str
    default_model: str
    base_url: str
    """The vendor's own address."""
    secret: SecretName | None
    """The secret of an instance that holds the key; None for a provider without keys."""
    environment_variable: str | None = None
    """Where the operator's own key stands; it goes to the vendor and to PROVIDER_HOSTS only."""


@runtime_checkable
class ChatModel(Protocol):
    """Speaks one provider's protocol."""

    info: ProviderInfo

    @abstractmethod
    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yields the answer as it comes: text deltas, then tool calls, then exactly one ModelFinished.

        With `stream` the text comes in pieces as the provider sends them, else as one piece. Joined, both are the same.
        A request without a user message is sent in a form that the provider accepts. Leaving or closing the generator
        closes the connection to the provider at once.

        Raises:
            ProviderError: The provider failed, after two retries where that might have helped; there is none after the
                first event. Neither the key nor the provider's text is in the message.
        """

    @abstractmethod
    async def check(self, base_url: str) -> None:
        """Returns if the provider can be reached at that address, without a key and without asking a model.

        Raises:
            ProviderError: It can't.
        """
