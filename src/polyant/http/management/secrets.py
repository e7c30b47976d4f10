"""/api/instances/{slug}/secrets: the secrets of an instance; values are write-only."""

from collections.abc import Sequence
from typing import Annotated

from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.catalog import Catalog
from polyant.domain.instances import Instance
from polyant.domain.secret_states import SecretState, secret_states
from polyant.domain.secrets import (
    API_KEY_RULE,
    AUTH_API_KEY,
    MAX_SECRET_CHARACTERS,
    MIN_CALLER_KEY_CHARACTERS,
    SECRET_NAME_PATTERN,
    SecretName,
)
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, Deleted, ResponseBody, Timestamp, pattern_schema, slug_in, values_by_name


class SecretOut(ResponseBody, frozen=True, kw_only=True):
    """A secret, without its value."""

    key: Annotated[str, Meta(description="Name of the secret", examples=["openai_api_key"])]
    configured: Annotated[bool, Meta(description="Whether a value is stored")]
    updated_at: Timestamp | None
    origin: Annotated[str, Meta(description="Only origin that the secret is sent to; null if it isn't bound")] | None
    expires_at: Annotated[Timestamp, Meta(description="Time of expiry; null if the secret doesn't expire")] | None


class SecretsResponse(ResponseBody, frozen=True, kw_only=True):
    """The stored secrets, and those that the instance could use."""

    secrets: tuple[SecretOut, ...]


class SecretBody(Body, frozen=True, kw_only=True):
    """A secret and its new value."""

    key: Annotated[str, Meta(extra_json_schema=pattern_schema(SECRET_NAME_PATTERN), examples=["openai_api_key"])]
    value: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_SECRET_CHARACTERS,
            description=f"New value; if the name ends in `_key`, {API_KEY_RULE}; "
            f"`{AUTH_API_KEY}` has at least {MIN_CALLER_KEY_CHARACTERS}",
            examples=["sk-of-the-provider"],
        ),
    ]


Secrets = Annotated[tuple[SecretBody, ...], Meta(max_length=100)]


class PutSecretsBody(Body, frozen=True, kw_only=True):
    """The secrets to store; other secrets keep their values."""

    secrets: Secrets


class SecretsController(Controller):
    """The secrets of one instance."""

    path = "/instances/{slug:str}/secrets"
    tags = ("Secrets",)

    @get(summary="List an instance's secrets", responses=read_errors(404))
    async def list_all(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance], catalog: NamedDependency[Catalog]
    ) -> Response[SecretsResponse]:
        """Returns the stored secrets, and those that the provider, tools and MCP servers could use, without values."""
        return _response(await show_instance(slug_in(slug)), catalog)

    @put(summary="Store secrets", responses=write_errors(404, 412))
    async def store(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PutSecretsBody],
        set_secret: NamedDependency[SetSecret],
        catalog: NamedDependency[Catalog],
        if_match: IfMatch = None,
    ) -> Response[SecretsResponse]:
        """Stores the given secrets, all or none. A provider's API key is bound to the instance's current base URL."""
        instance = await set_secret.set_many(
            slug_in(slug), secret_values(data.secrets), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return _response(instance, catalog)

    @delete("/{key:str}", summary="Delete a secret", status_code=200, responses=write_errors(404, 412))
    async def remove(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        key: FromPath[str],
        delete_secret: NamedDependency[DeleteSecret],
        if_match: IfMatch = None,
    ) -> Deleted:
        """Deletes one secret."""
        await delete_secret(
            slug_in(slug), SecretName(key), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return Deleted()


def _response(instance: Instance, catalog: Catalog) -> Response[SecretsResponse]:
    states = secret_states(instance, catalog.providers, catalog.tools)
    content = SecretsResponse(secrets=tuple(map(_out, states)))
    return Response(content, headers={"ETag": etag_of(instance.version)})


def _out(state: SecretState) -> SecretOut:
    return SecretOut(
        key=state.name,
        configured=state.configured,
        updated_at=state.updated_at,
        origin=state.origin,
        expires_at=state.expires_at,
    )


def secret_values(secrets: Sequence[SecretBody]) -> dict[str, str]:
    """Returns the values by name.

    Raises:
        InvalidInputError: A secret is given more than once.
    """
    return values_by_name(((secret.key, secret.value) for secret in secrets), "Secret")
