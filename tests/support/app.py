"""The HTTP application on memory adapters and a scripted supervisor."""

from collections import ChainMap
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.rate_limits.default_rate_policy import DefaultRatePolicy
from polyant.adapters.tools.calculate_tool import CalculateTool
from polyant.domain.adapter_health import AdapterHealth, CheckedAdapter
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.instances import Instance, InstanceStatus, Slug, TranscriptReaders
from polyant.domain.limits import TurnBudget
from polyant.domain.media.parts import MediaKind
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.rate_limits import CallerLimits, RateLimits
from polyant.domain.secrets import AUTH_API_KEY, SecretText
from polyant.domain.use_cases.answer_chat import AnswerChat
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.recognise_user import RecogniseUser
from polyant.domain.use_cases.set_secret import seal, with_secret
from polyant.http.app import HttpSettings, OpenInstances, build_app
from polyant.http.injection import Instances
from polyant.http.operator_proof import OperatorProof
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import START, ManualClock
from support.asgi import Exchange, Lifespan, Response, http_scope
from support.management import ManagementHarness
from support.scripted_supervisor import ScriptedSupervisor
from support.sessions import AUTH_SECRET
from support.turn_runner import TurnRunner

T = TypeVar("T")

CHAT = "/v1/chat/completions"
SEEING = ProviderInfo(
    name="seeing",
    default_model="eyes",
    base_url="https://seeing.example",
    secret=None,
    media=frozenset(MediaKind),
    compatible_media=frozenset(MediaKind),
)
"""A provider that takes all media; the scripted Supervisor calls none."""
MASTER_KEY = "0f" * 32


def chat_body(model: str = "demo-bot", text: str = "Hi", **fields: Any) -> bytes:
    """Returns the body of a chat request."""
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": text}], **fields})


class _BuiltApp:
    """A built application that successive tests open with their own service registries."""

    def __init__(self, settings: HttpSettings) -> None:
        self.open_instances: OpenInstances
        self.asgi = build_app(settings, self._open)

    def _open(self) -> AbstractAsyncContextManager[Instances]:
        return self.open_instances()


_idle: dict[HttpSettings, _BuiltApp] = {}
"""Applications not in use, by their settings. Building one takes many times as long as opening it."""


class App:
    """The application on memory adapters, and an ASGI client for it.

    `serving` adds the instance `demo-bot`, which requires no key.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        max_turns: int = 1_000,
        budget: TurnBudget | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.cipher = AesGcmSecretCipher(master_keys=[SecretText(MASTER_KEY)])
        self.supervisor = ScriptedSupervisor()
        self.provided: dict[type, object] = {}
        """Instances that replace those of the application when they are first used."""
        self.images: dict[str, bytes] = {}
        """The images on the web, by URL."""
        observers = {} if settings.metrics_token is None else {"prometheus": _prometheus()}
        self.runner = TurnRunner(
            self.supervisor,
            clock=self.clock,
            max_turns=max_turns,
            budget=budget,
            observers=observers,
            providers=dict.fromkeys(("openai", "anthropic", "scripted", "vendor", "echo"), SEEING),
            images=self.images,
        )
        self.rate_limiter: RateLimiter = MemoryRateLimiter(clock=self.clock)
        self.management = ManagementHarness(self.runner, self.cipher, limiter=self.rate_limiter, hasher=hasher)
        self.repo = self.management.repo
        self.checked_adapters: list[CheckedAdapter] = []
        """The adapters whose health is checked; tests may add some before the first request."""
        self.storage_failure: Exception | None = None
        """The error that the storage check raises, or None if the check succeeds."""
        self._settings = settings
        reused = _idle.pop(settings, None) if settings.metrics_token is None else None
        self._built = reused or _BuiltApp(settings)
        self._built.open_instances = self._open_instances
        self.asgi = self._built.asgi

    def retire(self) -> None:
        """Returns the built application to the pool, for another test."""
        if self._settings.metrics_token is None:  # secrets can't be compared
            _idle[self._settings] = self._built

    async def add(
        self,
        slug: str,
        *,
        key: str | None = None,
        auth_enabled: bool | None = None,
        active: bool = True,
        conversations: bool = False,
        image_input: bool = False,
        created_at: datetime = START,
    ) -> Instance:
        """Stores an instance. An instance with a key requires it unless `auth_enabled` is False."""
        instance = InstanceFactory.build(
            slug=Slug(slug),
            status=InstanceStatus.ACTIVE if active else InstanceStatus.DISABLED,
            auth_enabled=key is not None if auth_enabled is None else auth_enabled,
            conversations=conversations,
            transcripts=TranscriptReaders.SUPERADMINS,
            image_input=image_input,
            created_at=created_at,
            secrets={},
        )
        if key is not None:
            instance = with_secret(
                instance, await seal(self.cipher, instance, AUTH_API_KEY, SecretText(key), now=START)
            )
        return await self.repo.add(instance)

    def start(
        self,
        method: str,
        target: str,
        *,
        body: bytes | tuple[bytes, ...] = b"",
        headers: Mapping[str, str] | None = None,
        client: tuple[str, int] | None = ("203.0.113.7", 50_000),
        server: tuple[str, int | None] | None = ("198.51.100.1", 4000),
        complete: bool = True,
    ) -> Exchange:
        """Starts a request.

        Args:
            method: The HTTP method.
            target: The path and query.
            body: The body, or a tuple of its parts.
            headers: The request headers.
            client: The address and port of the client.
            server: The address and port of the server.
            complete: Whether the body ends after its last part.
        """
        scope = http_scope(method, target, headers=headers or {}, client=client, server=server)
        return Exchange(self.asgi, scope, (body,) if isinstance(body, bytes) else body, complete=complete)

    async def request(self, method: str, target: str, **options: Any) -> Response:
        """Returns the response to a request; the options are those of `start`."""
        return await self.start(method, target, **options).whole()

    async def get(self, target: str, *, bearer: str | None = None, **headers: str) -> Response:
        """Returns the response to a GET request."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request("GET", target, headers={**_authorization(bearer), **given})

    def start_chat(self, *, bearer: str | None = None, client: str = "203.0.113.7", **fields: Any) -> Exchange:
        """Starts a chat request."""
        headers = {"content-type": "application/json", **_authorization(bearer)}
        return self.start("POST", CHAT, body=chat_body(**fields), headers=headers, client=(client, 50_000))

    async def chat(self, *, bearer: str | None = None, client: str = "203.0.113.7", **fields: Any) -> Response:
        """Returns the response to a chat request."""
        return await self.start_chat(bearer=bearer, client=client, **fields).whole()

    async def post(self, body: bytes, *, content_type: str | None = "application/json", **headers: str) -> Response:
        """Returns the response to a chat request with an arbitrary body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request(
            "POST", CHAT, body=body, headers={**({"content-type": content_type} if content_type else {}), **given}
        )

    @asynccontextmanager
    async def _open_instances(self) -> AsyncIterator[Instances]:
        yield _Instances(self.management, ChainMap(self.provided, await self._own_instances()))

    async def _own_instances(self) -> dict[type, object]:
        recognise = await self.management.get(RecogniseUser)
        failed_credentials = FailedCredentialLimit(
            limiter=self.rate_limiter,
            clock=self.clock,
            tokens=self.management.tokens,
            session_tokens=self.management.session_tokens,
        )
        policy = DefaultRatePolicy(RateLimits(address=self._settings.rate_limit))
        limits = CallerLimits(policy=policy, limiter=self.rate_limiter)
        return {
            Clock: self.clock,
            RateLimiter: self.rate_limiter,
            CallerLimits: limits,
            FailedCredentialLimit: failed_credentials,
            OperatorProof: OperatorProof(SecretText(AUTH_SECRET)),
            AnswerChat: AnswerChat(
                repo=self.repo,
                cipher=self.cipher,
                clock=self.clock,
                run_turn=self.runner.run_turn,
                failed_credentials=failed_credentials,
                conversations=self.management.conversations.turns,
                limits=limits,
            ),
            IdentifyCaller: IdentifyCaller(
                repo=self.repo,
                cipher=self.cipher,
                recognise=recognise,
                clock=self.clock,
                failed_credentials=failed_credentials,
            ),
            CheckStorage: FailingCheckStorage(self),
            AdapterHealth: AdapterHealth(adapters=self.checked_adapters, clock=self.clock),
        }


class FailingCheckStorage(CheckStorage):
    """A storage check that raises `App.storage_failure` if the test sets it."""

    def __init__(self, app: App) -> None:
        super().__init__(repo=app.repo)
        self._app = app

    async def __call__(self) -> None:
        if self._app.storage_failure is not None:
            raise self._app.storage_failure
        await super().__call__()


class _Instances(Instances):
    """The application's own instances, and the management harness for all other types."""

    def __init__(self, management: ManagementHarness, own: Mapping[type, Any]) -> None:
        self._management = management
        self._own = own

    async def get(self, kind: type[T]) -> T:
        found: T = self._own[kind] if kind in self._own else await self._management.get(kind)
        return found


@asynccontextmanager
async def serving(
    *,
    max_turns: int = 1_000,
    budget: TurnBudget | None = None,
    adapter_options: AdapterOptions | None = None,
    **settings: Any,
) -> AsyncIterator[App]:
    """Yields a started application, without a rate limit unless the settings give one."""
    app = App(HttpSettings(**{"rate_limit": None, **settings}), max_turns=max_turns, budget=budget)
    if adapter_options is not None:
        app.management.declare(adapter_options)
    await app.add("demo-bot")
    await app.management.add_default_user()
    async with app.runner.observation, Lifespan(app.asgi):
        yield app
    app.retire()


def _prometheus() -> TurnObserver:
    from polyant.adapters.prometheus.turn_observer import PrometheusTurnObserver  # noqa: PLC0415 - few tests need it

    return PrometheusTurnObserver(tools={"calculate": CalculateTool()})


def _authorization(bearer: str | None) -> dict[str, str]:
    return {} if bearer is None else {"authorization": f"Bearer {bearer}"}
