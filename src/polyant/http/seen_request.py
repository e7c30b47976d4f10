"""GET /health/seen: shows an operator how the server saw the request, to check the proxies before it."""

from typing import Any

import msgspec
from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException

from polyant.domain.ports.clock import Clock
from polyant.http.management.authentication import SessionGate
from polyant.http.operator_proof import HEADER, OperatorProof
from polyant.http.throttle import Throttle


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the server saw it."""

    client: str
    """The address or network that rate limits apply to."""
    origin: str
    """The scheme and host that sessions and links use."""
    forwarded_for: tuple[str, ...]
    """The entries of X-Forwarded-For, as they arrived."""


class SeenRequestController(Controller):
    """Describes the request; without an operator's proof, the path is unknown."""

    path = "/health/seen"
    include_in_schema = False

    @get(sync_to_thread=False)
    def seen(
        self,
        request: Request[Any, Any, Any],
        *,
        operator_proof: NamedDependency[OperatorProof],
        clock: NamedDependency[Clock],
        throttle: NamedDependency[Throttle],
        session_gate: NamedDependency[SessionGate],
    ) -> SeenRequest:
        """Responds with the client and the origin that the server derives from the request."""
        if not operator_proof.is_valid(request.headers.get(HEADER, ""), clock.now().timestamp()):
            raise NotFoundException
        lines = request.headers.getall("x-forwarded-for", [])
        entries = (entry.strip() for line in lines for entry in line.split(","))
        return SeenRequest(
            client=throttle.key_of(request.scope),
            origin=session_gate.own_origin(request.scope),
            forwarded_for=tuple(filter(None, entries)),
        )
