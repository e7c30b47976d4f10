"""Factories for instances and users, seeded so that every run generates the same ones; requires polyfactory."""

import functools
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from polyfactory.factories.msgspec_factory import MsgspecFactory
from polyfactory.field_meta import FieldMeta

from polyant.domain.instances import Instance, InstanceId, InstanceStatus, Slug, TranscriptReaders
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SealedSecret, SecretName
from polyant.domain.users import Email, Role, User, UserId

_LETTERS = "aZ 09éÀßЖ中🙂'\"%_!\\{}$"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_MICROSECONDS_A_YEAR = 365 * 24 * 60 * 60 * 1_000_000


StructT = TypeVar("StructT", bound=msgspec.Struct)


class _Factory(MsgspecFactory[StructT]):
    """A factory that reads the fields of its struct only once."""

    __is_base_factory__ = True

    @classmethod
    @functools.cache
    def get_model_fields(cls) -> list[FieldMeta]:
        return super().get_model_fields()


class SealedSecretFactory(_Factory[SealedSecret]):
    """Creates stored API keys for callers; they can't be decrypted."""

    __random_seed__ = 1

    name = AUTH_API_KEY
    origin = None
    expires_at = None

    @classmethod
    def sealed(cls) -> str:
        return f"sealed:{cls.__random__.randbytes(32).hex()}"

    @classmethod
    def fingerprint(cls) -> str:
        return cls.__random__.randbytes(32).hex()

    @classmethod
    def updated_at(cls) -> datetime:
        return _BEGIN + timedelta(microseconds=cls.__random__.randrange(_MICROSECONDS_A_YEAR))


class InstanceFactory(_Factory[Instance]):
    """Creates valid active instances that were never stored and have a value in every field but `skills`."""

    __random_seed__ = 2

    status = InstanceStatus.ACTIVE
    version = 0
    tools = ("current_time", "calculate")
    skills = ()
    mcp_servers = (
        McpServer(name="files", url="http://localhost:8100/mcp", tools=("*",)),
        McpServer(
            name="crm",
            url="https://crm.example/mcp?tenant=7",
            headers={"Authorization": SecretName("crm_token"), "X-Tenant": SecretName("crm_tenant")},
            tools=("find", "create"),
        ),
    )

    @classmethod
    def id(cls) -> InstanceId:
        return InstanceId(cls.__random__.randbytes(16).hex())

    @classmethod
    def slug(cls) -> Slug:
        middle = cls.__random__.choices("abc019_.-", k=cls.__random__.randrange(50))
        return Slug(f"a{''.join(middle)}{cls.__random__.randbytes(4).hex()}")

    @classmethod
    def name(cls) -> str:
        return f"Assistant {cls._text(20)}."

    @classmethod
    def description(cls) -> str:
        return cls._text(200)

    @classmethod
    def provider(cls) -> str:
        return cls.__random__.choice(["scripted", "openai", "anthropic"])

    @classmethod
    def model(cls) -> str:
        return f"model-{cls.__random__.randrange(100)}"

    @classmethod
    def base_url(cls) -> str | None:
        return cls.__random__.choice([None, "http://127.0.0.1:8000/v1"])

    @classmethod
    def approved_addresses(cls) -> frozenset[str]:
        return frozenset({cls.mcp_servers[0].url})

    @classmethod
    def temperature(cls) -> float | None:
        return cls.__random__.choice([None, cls.__random__.uniform(0, 2)])

    @classmethod
    def auth_enabled(cls) -> bool:
        return cls.__random__.choice([False, True])

    @classmethod
    def conversations(cls) -> bool:
        return cls.__random__.choice([False, True])

    @classmethod
    def history_tokens(cls) -> int:
        return cls.__random__.randint(100, 1_000_000)

    @classmethod
    def history_messages(cls) -> int:
        return cls.__random__.randint(2, 1_000)

    @classmethod
    def transcripts(cls) -> TranscriptReaders:
        return TranscriptReaders(cls.__random__.choice([*TranscriptReaders]))

    @classmethod
    def limits(cls) -> TurnLimits:
        return TurnLimits(
            max_steps=cls.__random__.choice([None, cls.__random__.randint(1, 100)]),
            max_tool_calls=cls.__random__.choice([None, cls.__random__.randint(0, 1_000)]),
            turn_seconds=cls.__random__.choice([None, cls.__random__.uniform(0.1, 3_600)]),
            tool_seconds=cls.__random__.choice([None, cls.__random__.uniform(0.1, 3_600)]),
        )

    @classmethod
    def created_at(cls) -> datetime:
        return _BEGIN + timedelta(microseconds=cls.__random__.randrange(_MICROSECONDS_A_YEAR))

    @classmethod
    def updated_at(cls) -> datetime:
        return cls.created_at()

    @classmethod
    def sections(cls) -> dict[SectionKey, str]:
        return {key: cls._text(300) for key in SectionKey}

    @classmethod
    def options(cls) -> dict[str, dict[str, Any]]:
        everything = {"effort": "low", "numbers": [0, -1.5, 10**15], "nested": {'é\0"': [True, None, {}]}}
        return {"openai": everything, "http_request": {}}

    @classmethod
    def secrets(cls) -> dict[SecretName, SealedSecret]:
        provider_key = SecretName("openai_api_key")
        return {
            AUTH_API_KEY: SealedSecretFactory.build(),
            PREVIOUS_AUTH_API_KEY: SealedSecretFactory.build(
                name=PREVIOUS_AUTH_API_KEY, expires_at=SealedSecretFactory.updated_at()
            ),
            provider_key: SealedSecretFactory.build(
                name=provider_key, fingerprint=None, origin="https://api.openai.com:443"
            ),
        }

    @classmethod
    def _text(cls, maximum: int) -> str:
        return "".join(cls.__random__.choices(_LETTERS, k=cls.__random__.randrange(maximum)))


class UserFactory(_Factory[User]):
    """Creates users who may manage instances and were never stored."""

    __random_seed__ = 3

    role = Role.USER
    disabled = False
    version = 0

    @classmethod
    def id(cls) -> UserId:
        return UserId(cls.__random__.randbytes(16).hex())

    @classmethod
    def email(cls) -> Email:
        return Email(f"user.{cls.__random__.randbytes(6).hex()}@example.com")

    @classmethod
    def password_hash(cls) -> str:
        return f"$made-up$v=1${cls.__random__.randbytes(32).hex()}"

    @classmethod
    def created_at(cls) -> datetime:
        return _BEGIN + timedelta(microseconds=cls.__random__.randrange(_MICROSECONDS_A_YEAR))

    @classmethod
    def updated_at(cls) -> datetime:
        return cls.created_at()
