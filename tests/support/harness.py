"""The instance use cases on memory adapters, with a repo that simulates concurrent writes."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, Any, Literal

import msgspec

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import CLI, AuditEntry, Change
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.injectables import OutboundOrigins, ToolNames
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceStatus, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.secrets import SealedSecret, SecretName, SecretText
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.use_cases.create_instance import CreatedInstance, CreateInstance, NewInstance
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.delete_secret import DeleteSecret
from polyant.domain.use_cases.edit_instance import EditInstance, InstanceEdit
from polyant.domain.use_cases.issue_key import IssueKey
from polyant.domain.use_cases.set_mcp_server import McpServerChange, SetMcpServer
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.set_skill import SetSkill
from polyant.domain.use_cases.update_instance import UpdateInstance
from polyant.http.session_tokens import JwtSessionTokens
from polyant.testing.manual_clock import ManualClock
from support.coroutines import result_of
from support.sessions import AUTH_SECRET

ECHO = ProviderInfo(name="echo", default_model="parrot", base_url="http://echo.invalid", secret=None)
VENDOR = ProviderInfo(
    name="vendor",
    default_model="small",
    base_url="https://api.vendor.example/v1",
    secret=SecretName("vendor_api_key"),
    response_format=True,
    environment_variable="VENDOR_API_KEY",
)


class Thinking(msgspec.Struct, frozen=True, rename="camel"):
    """Options of the provider `vendor`."""

    max_tokens: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    effort: Literal["low", "high"] = "low"


ALLOWED_ORIGINS = OutboundOrigins(frozenset({"http://ollama:11434"}))
ADAPTER_OPTIONS = AdapterOptions({"echo": None, "vendor": Thinking, "calculate": None})


class RacedInstanceRepo(MemoryInstanceRepo):
    """An instance repo in which a concurrent write precedes each of the next `races` saves."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        super().__init__(memory=self.memory)
        self.races = 0

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        if self.races:
            self.races -= 1
            stored = await self.get(instance.slug)
            assert stored is not None
            await super().save(msgspec.structs.replace(stored, description=f"{stored.description}x"))
        return await super().save(instance, audit=audit, replaced=replaced, skill_files=skill_files)


@dataclass(kw_only=True)
class UseCaseHarness:
    """The instance use cases on memory adapters, called as the command line calls them."""

    repo: RacedInstanceRepo = field(default_factory=RacedInstanceRepo)
    clock: ManualClock = field(default_factory=ManualClock)
    cipher: AesGcmSecretCipher = field(default_factory=lambda: AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)]))
    tokens: SystemTokenSource = field(default_factory=SystemTokenSource)
    providers: Mapping[str, ProviderInfo] = field(default_factory=lambda: {"echo": ECHO, "vendor": VENDOR})

    @cached_property
    def failed_credentials(self) -> FailedCredentialLimit:
        return FailedCredentialLimit(
            limiter=MemoryRateLimiter(clock=self.clock),
            clock=self.clock,
            tokens=self.tokens,
            session_tokens=JwtSessionTokens(SecretText(AUTH_SECRET)),
        )

    async def create(self, slug: str, **fields: Any) -> Instance:
        return (await self.create_with_key(slug, **fields)).instance

    async def create_with_key(self, slug: str, **fields: Any) -> CreatedInstance:
        create = CreateInstance(
            repo=self.repo,
            skill_files=self.skill_files,
            clock=self.clock,
            tokens=self.tokens,
            cipher=self.cipher,
            providers=self.providers,
            outbound=self.outbound,
        )
        return await create(NewInstance(slug=slug, **fields), by=CLI, unrestricted=True)

    @property
    def skill_files(self) -> MemorySkillFiles:
        return MemorySkillFiles(memory=self.repo.memory)

    @property
    def set_skill(self) -> partial[Coroutine[Any, Any, Instance]]:
        return partial(SetSkill(edit=self.edit, files=self.skill_files), by=CLI)

    @property
    def history(self) -> MemoryInstanceHistory:
        return MemoryInstanceHistory(memory=self.repo.memory)

    @property
    def outbound(self) -> OutboundPolicy:
        return OutboundPolicy(providers=self.providers, origins=ALLOWED_ORIGINS)

    @property
    def edit(self) -> EditInstance:
        return EditInstance(repo=self.repo, clock=self.clock)

    @property
    def update(self) -> partial[Coroutine[Any, Any, Instance]]:
        update = UpdateInstance(
            edit=self.edit,
            providers=self.providers,
            tools=ToolNames(("calculate", "current_time")),
            adapter_options=ADAPTER_OPTIONS,
            outbound=self.outbound,
        )
        return partial(update, by=CLI, unrestricted=True)

    @property
    def issue_key(self) -> partial[Coroutine[Any, Any, SecretText]]:
        return partial(IssueKey(edit=self.edit, cipher=self.cipher, tokens=self.tokens), by=CLI)

    @property
    def set_secret(self) -> partial[Coroutine[Any, Any, SealedSecret]]:
        return partial(SetSecret(edit=self.edit, cipher=self.cipher, providers=self.providers), by=CLI)

    @property
    def set_mcp_server(self) -> Callable[..., Coroutine[Any, Any, Instance]]:
        use_case = SetMcpServer(edit=self.edit, outbound=self.outbound, cipher=self.cipher, providers=self.providers)

        async def set_mcp_server(slug: Slug, server: McpServer, **change: Any) -> Instance:
            return await use_case(slug, McpServerChange(server=server, **change), by=CLI, unrestricted=True)

        return set_mcp_server

    @property
    def delete_mcp_server(self) -> partial[Coroutine[Any, Any, Instance]]:
        return partial(DeleteMcpServer(edit=self.edit), by=CLI)

    @property
    def delete_secret(self) -> partial[Coroutine[Any, Any, Instance]]:
        return partial(DeleteSecret(edit=self.edit), by=CLI)

    async def add_instance(self, slug: str, *, active: bool = True, provider: str = "echo") -> Slug:
        """Stores an instance and advances the clock, so that each instance has a later creation time."""
        instance = await self.create(slug, provider=provider)
        if not active:
            await self.apply_edit(instance.slug, disabled)
        self.clock.advance(1)
        return instance.slug

    async def apply_edit(
        self, slug: Slug, edit: InstanceEdit, *, expected_versions: set[int] | None = None
    ) -> Instance:
        """Returns the stored instance after an edit with the command line as its actor."""
        return await self.edit(slug, edit, Change(CLI, "instance.update"), expected_versions=expected_versions)

    async def load(self, slug: Slug) -> Instance:
        found = await self.repo.get(slug)
        assert found is not None
        return found

    def plaintext(self, instance: Instance, name: str) -> str:
        """Returns the plaintext of a stored secret."""
        secret = instance.secrets[SecretName(name)]
        return result_of(self.cipher.open(secret.sealed, instance.address_of(secret))).reveal()


def disabled(instance: Instance, _: object) -> Instance:
    return msgspec.structs.replace(instance, status=InstanceStatus.DISABLED)
