"""/api/attention: the instances and channels that don't work, and the instances that anybody can call."""

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Meta

from polyant.domain.attention import AttentionKind
from polyant.domain.use_cases.list_attention import ListAttention
from polyant.http.error_responses import read_errors
from polyant.http.management.wire import ResponseBody, Timestamp


class AttentionOut(ResponseBody, frozen=True, kw_only=True):
    """The gravest problem of an instance, or of one of its channels."""

    slug: Annotated[str, Meta(examples=["support-bot"])]
    name: str
    kind: AttentionKind
    secret: Annotated[str | None, Meta(description="Name of the secret to enter; null if the fix is another one")]
    channel: Annotated[str | None, Meta(description="Channel that has the problem; null if the instance has it")]
    adapter: Annotated[str | None, Meta(description="Adapter that refuses its options; null for other problems")]
    since: Annotated[Timestamp | None, Meta(description="When the problem began; null if that is unknown")]
    reason: Annotated[
        str | None, Meta(description="The latest failure, such as a wrong signature, or what is wrong with the options")
    ]


class AttentionResponse(ResponseBody, frozen=True, kw_only=True):
    """The problems of active instances and of their channels."""

    instances: tuple[AttentionOut, ...]


class AttentionController(Controller):
    """The instances that need attention."""

    path = "/attention"
    tags = ("Instances",)

    @get(summary="List instances that need attention", responses=read_errors())
    async def list_all(self, *, list_attention: NamedDependency[ListAttention]) -> AttentionResponse:
        """Returns the gravest problem of each active instance and of each of its channels, the gravest first."""
        found = await list_attention()
        return AttentionResponse(instances=tuple(AttentionOut(**msgspec.structs.asdict(each)) for each in found))
