"""A router for one application."""

from typing import Any, Self

from litestar import Router


class SingleRouter(Router):
    """A router that Litestar registers without copying it, so only one application may have it.

    Litestar copies a router with all its handlers, so that several applications may share it. The copies took a
    quarter of the start of a server.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
