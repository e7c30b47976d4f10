"""/api/attention: the instances that can't answer, that nobody can call, or that anybody can."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Meta

from polyant.domain.attention import AttentionKind
from polyant.domain.use_cases.list_attention import ListAttention
from polyant.http.error_responses import read_errors
from polyant.http.management.wire import ResponseBody


class AttentionOut(ResponseBody, frozen=True, kw_only=True):
    """The gravest problem of an instance."""

    slug: Annotated[str, Meta(examples=["support-bot"])]
    name: str
    kind: AttentionKind
    secret: Annotated[str | None, Meta(description="Name of the secret to enter; null if the fix is another one")]


class AttentionResponse(ResponseBody, frozen=True, kw_only=True):
    """The active instances that have a problem."""

    instances: tuple[AttentionOut, ...]


class AttentionController(Controller):
    """The instances that need attention."""

    path = "/attention"
    tags = ("Instances",)

    @get(summary="List instances that need attention", responses=read_errors())
    async def list_all(self, *, list_attention: NamedDependency[ListAttention]) -> AttentionResponse:
        """Returns the gravest problem of each active instance that has one, the gravest first."""
        found = await list_attention()
        return AttentionResponse(
            instances=tuple(AttentionOut(slug=a.slug, name=a.name, kind=a.kind, secret=a.secret) for a in found)
        )
