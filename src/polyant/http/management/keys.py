"""/api/instances/{slug}/keys: the API key of an instance."""

from typing import Annotated

from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from polyant.domain.secrets import AUTH_API_KEY, CALLER_KEY_PATTERN
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.set_secret import MAX_GRACE_SECONDS
from polyant.http.error_responses import write_errors
from polyant.http.management.preconditions import IfMatch, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, Deleted, ResponseBody, pattern_schema, slug_in

GivenKey = Annotated[str, Meta(extra_json_schema=pattern_schema(CALLER_KEY_PATTERN), examples=["sk-of-our-own-choice"])]


class KeyBody(Body, frozen=True, kw_only=True):
    """The key to issue."""

    key: Annotated[GivenKey | None, Meta(description="Key to store; null to generate one")] = None
    keep_open: Annotated[bool, Meta(description="Leave auth unchanged instead of turning it on")] = False


class KeyResponse(ResponseBody, frozen=True, kw_only=True):
    """The issued key."""

    key: Annotated[
        str | None, Meta(description="The generated key, which is not shown again; null if you sent your own")
    ]


class KeysController(Controller):
    """The API key of one instance."""

    path = "/instances/{slug:str}/keys"
    tags = ("Keys",)

    @post(summary="Issue an API key", responses=write_errors(404, 412))
    async def issue(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        issue_key: NamedDependency[IssueKey],
        grace_seconds: Annotated[
            int,
            QueryParameter(
                name="graceSeconds",
                ge=0,
                le=MAX_GRACE_SECONDS,
                description="Seconds for which the replaced key keeps working",
            ),
        ] = 0,
        data: JSONBody[KeyBody | None] = None,
        if_match: IfMatch = None,
    ) -> Response[KeyResponse]:
        """Generates an API key, or stores the given one, and turns auth on. It replaces the current key.

        With `graceSeconds`, the replaced key keeps working for that time, so that clients can switch to the new one.
        """
        body = data or KeyBody()
        key = await issue_key(
            slug_in(slug),
            by=request.auth.actor,
            given=body.key,
            keep_open=body.keep_open,
            grace_seconds=grace_seconds,
            expected_versions=versions_in(if_match),
        )
        shown = key.reveal() if body.key is None else None
        return Response(KeyResponse(key=shown), status_code=201)

    @delete(summary="Revoke the API key", status_code=200, responses=write_errors(404, 412))
    async def revoke(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        delete_secret: NamedDependency[DeleteSecret],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes the API key, and a replaced key that still works.

        Auth doesn't change: if it is on, every chat request is rejected until you issue a new key.
        """
        await delete_secret(slug_in(slug), AUTH_API_KEY, by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()
