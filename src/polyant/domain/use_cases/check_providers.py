"""Use case: check whether the providers can be reached."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import msgspec

from polyant.domain.errors import PolyantError
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock

_MILLISECONDS = 1_000


class ProviderCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last check of a provider."""

    at: datetime
    milliseconds: float
    problem: str | None = None
    """Why the provider can't be reached; None if it can."""


class CheckProviders:
    """Calls the own address of each enabled provider, without a key and without a model, and remembers the results."""

    def __init__(self, *, models: Mapping[str, ChatModel], clock: Clock) -> None:
        self._models = models
        self._clock = clock
        self._last: dict[str, ProviderCheck] = {}

    @property
    def last(self) -> Mapping[str, ProviderCheck]:
        """The last result of each provider that was checked since the server started."""
        return self._last

    async def __call__(self) -> Mapping[str, ProviderCheck]:
        """Returns the result of each provider, by name."""
        checks = await asyncio.gather(*(self._check(model) for model in self._models.values()))
        self._last = dict(zip(self._models, checks, strict=True))
        return self._last

    async def _check(self, model: ChatModel) -> ProviderCheck:
        began = self._clock.monotonic()
        problem = None
        try:
            await model.check(model.info.base_url)
        except PolyantError as error:
            problem = error.explanation
        took = (self._clock.monotonic() - began) * _MILLISECONDS
        return ProviderCheck(at=self._clock.now(), milliseconds=took, problem=problem)
