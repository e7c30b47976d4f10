"""The rig of a ChatModel that calls its provider over HTTP: a scripted upstream that speaks the provider's protocol."""

import dataclasses
import socket
from collections.abc import Sequence
from itertools import repeat
from typing import Protocol

import msgspec

from polyant.domain.chat import ModelRequest, UserMessage
from polyant.domain.errors import ProviderFailure
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.secrets import SecretText
from polyant.testing.chat_model import RemoteProviderUnderTest
from polyant.testing.provider_scripts import ScriptedAnswer
from polyant.testing.received_calls import ReceivedCall
from polyant.testing.upstream import HANG_BEFORE_HEAD, Received, Reply, Responder, ScriptedUpstream, Then

_ELSEWHERE = "/elsewhere"
_TRICKLED_CHUNKS = 500
_TRICKLED_BYTES = 64
_TRICKLE_SECONDS = 0.02


class ProviderProtocol(Protocol):
    """A provider's protocol, as its server speaks it."""

    def answer(self, answer: ScriptedAnswer) -> Responder:
        """Returns a responder that sends the answer, as a stream if the request asks for one.

        It refuses the requests that the real provider refuses.
        """

    def failure(self, kind: ProviderFailure) -> Responder:
        """Returns a responder that fails in this way; its text is `PROVIDER_TEXT` and the key that it received."""

    def partial_stream(self, *text: str, then: Then) -> Reply:
        """Returns a stream that sends these chunks of text without an end, and then misbehaves in this way."""

    def received(self, request: Received) -> ReceivedCall:
        """Returns the meaning of a request."""


class HttpProviderRig(RemoteProviderUnderTest):
    """A ChatModel, and a scripted upstream as its provider.

    Args:
        upstream: The running upstream.
        model: The model under test.
        protocol: The provider's protocol.
        clock: The clock of the model, such as an `InstantClock`.
        path: The end of the provider's base URL.
    """

    def __init__(
        self,
        upstream: ScriptedUpstream,
        model: ChatModel,
        protocol: ProviderProtocol,
        *,
        clock: Clock,
        path: str = "/v1",
    ) -> None:
        self._upstream = upstream
        self._model = model
        self._protocol = protocol
        self._clock = clock
        self._request = ModelRequest(
            model="some-model",
            base_url=f"{upstream.url}{path}",
            api_key=SecretText("sk-0123456789abcdef"),
            system="Be brief.",
            messages=(UserMessage.of("Hello?"),),
            deadline=clock.monotonic() + 100.0,
        )

    @property
    def request(self) -> ModelRequest:
        return self._request

    @property
    def calls(self) -> int:
        return len(self._upstream.posts)

    @property
    def received(self) -> Sequence[ReceivedCall]:
        return [self._protocol.received(request) for request in self._upstream.posts]

    @property
    def redirected(self) -> int:
        return sum(request.path.startswith(_ELSEWHERE) for request in self._upstream.requests)

    def answering(self, *outcomes: ScriptedAnswer | ProviderFailure) -> ChatModel:
        self._upstream.replies.extend(map(self._responder, outcomes))
        self._upstream.otherwise = self._upstream.replies[-1]
        return self._model

    def breaking_off(self, *text: str) -> ChatModel:
        return self._always(self._protocol.partial_stream(*text, then=Then.CUT))

    def hanging(self, *text: str) -> ChatModel:
        return self._always(self._protocol.partial_stream(*text, then=Then.HANG) if text else HANG_BEFORE_HEAD)

    def trickling(self) -> ChatModel:
        reply = self._protocol.partial_stream(*repeat("Hel", _TRICKLED_CHUNKS), then=Then.HANG)
        data = b"".join(piece for piece in reply.pieces if isinstance(piece, bytes))
        pieces = [data[at : at + _TRICKLED_BYTES] for at in range(0, len(data), _TRICKLED_BYTES)]
        slow = [each for piece in pieces for each in (piece, _TRICKLE_SECONDS)]
        return self._always(dataclasses.replace(reply, pieces=(*slow, Then.HANG)))

    def redirecting(self, status: int) -> ChatModel:
        return self._always(Reply(status=status, headers={"Location": f"{self._upstream.url}{_ELSEWHERE}"}))

    def request_ending_in(self, seconds: float) -> ModelRequest:
        deadline = self._clock.monotonic() + seconds
        return msgspec.structs.replace(self.request, stream=True, deadline=deadline)

    async def called(self) -> None:
        await self._upstream.request()

    async def hung_up(self) -> None:
        for request in self._upstream.posts:
            await request.hung_up.wait()

    def nowhere(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return f"http://127.0.0.1:{server.getsockname()[1]}"

    def _responder(self, outcome: ScriptedAnswer | ProviderFailure) -> Responder:
        if isinstance(outcome, ProviderFailure):
            return self._protocol.failure(outcome)
        return self._protocol.answer(outcome)

    def _always(self, reply: Reply) -> ChatModel:
        self._upstream.otherwise = reply
        return self._model
