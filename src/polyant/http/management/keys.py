"""/api/instances/{slug}/keys: the API key that callers of an instance present."""

from typing import Annotated

from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from polyant.domain.secrets import API_KEY_PATTERN, AUTH_API_KEY
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.set_secret import MAX_GRACE_SECONDS
from polyant.http.management.preconditions import IfMatch, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Answer, Body, Deleted, pattern_schema, slug_in
from polyant.http.refusals import write_refusals

GivenKey = Annotated[str, Meta(extra_json_schema=pattern_schema(API_KEY_PATTERN), examples=["sk-of-our-own-choice"])]


class KeyBody(Body, frozen=True, kw_only=True):
    """The key to store; without one a fresh key is made."""

    key: GivenKey | None = None
    keep_open: Annotated[bool, Meta(description="Leave auth as it is, instead of turning it on")] = False


class KeyAnswer(Answer, frozen=True, kw_only=True):
    """The key that was made, which isn't shown again; null for one that was given."""

    key: str | None


class KeysController(Controller):
    """The API key of one instance."""

    path = "/instances/{slug:str}/keys"
    tags = ("Keys",)

    @post(summary="Issue an API key", responses=write_refusals(404, 412))
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
                description="How long the key that is replaced goes on working",
            ),
        ] = 0,
        data: JSONBody[KeyBody | None] = None,
        if_match: IfMatch = None,
    ) -> Response[KeyAnswer]:
        """Makes a key, or stores the one that is sent, in place of an earlier one, and turns auth on.

        With `graceSeconds` the earlier key goes on working for that long, so that callers can change over.
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
        return Response(KeyAnswer(key=shown), status_code=201)

    @delete(summary="Revoke the API key", status_code=200, responses=write_refusals(404, 412))
    async def revoke(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        delete_secret: NamedDependency[DeleteSecret],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Removes the key and the one before it. Auth stays as it is: where it is on, nobody gets in."""
        await delete_secret(slug_in(slug), AUTH_API_KEY, by=request.auth.actor, expected_versions=versions_in(if_match))
        return Deleted()
