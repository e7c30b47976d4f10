"""Port: one call of a language model."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.media.parts import MediaKind
from polyant.domain.secrets import SecretName


class ProviderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a provider that Polyant needs to call it."""

    name: str
    default_model: str
    base_url: str
    """The provider's own base URL."""
    secret: SecretName | None
    """The name of the instance secret that holds the API key; None for a provider without keys."""
    response_format: bool = False
    """Whether `generate` passes `ProviderFields.response_format` to the provider."""
    media: frozenset[MediaKind] = frozenset()
    """The kinds of media that `generate` passes to the provider itself; messages to it contain no other kinds."""
    compatible_media: frozenset[MediaKind] = frozenset()
    """The kinds of media that `generate` passes to servers at other base URLs."""
    environment_variable: str | None = None
    """The variable that holds the operator's own key, which is sent only to the provider and to PROVIDER_HOSTS."""


@runtime_checkable
class ChatModel(Protocol):
    """A client for one provider's protocol."""

    info: ProviderInfo

    @abstractmethod
    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yields the model's output as it arrives: text deltas, then tool calls, then exactly one ModelFinished.

        With `stream`, text arrives in the provider's pieces, otherwise in one piece; the joined text is the same. A
        request without a user message is sent in a form that the provider accepts. Leaving or closing the generator
        immediately closes the connection to the provider.

        The provider gets the key, the model's name, the system prompt, the whole conversation with its tool calls and
        results, the tools, and the sampling parameters that it has. The arguments of tool calls keep their meaning, and
        each call has an id that is unique in the response. The finish reason and the token counts are the provider's.

        The call fails at the request's deadline, also in the middle of a stream. Redirects aren't followed, because
        another server would get the key.

        Media of the kinds in `info` are sent byte for byte, in the order of the parts. If the server or the model
        refuses them, the request is repeated without them, with a note that makes the model say so.

        With `public_only`, no connection is made to an IP address that isn't public, whatever the provider's name
        resolves to. Such a call fails like a call to a name that doesn't exist, so that nobody can explore a network.

        Raises:
            ProviderError: The provider failed. Transient failures are retried twice, but never after the first event.
                The message contains neither the API key nor the provider's text.
        """

    @abstractmethod
    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        """Checks that the provider is reachable at that base URL, without a key and without calling a model.

        With `public_only`, no connection is made to an IP address that isn't public.

        Raises:
            ProviderError: The provider is unreachable.
        """
