import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from polyant.cli.context import CliContext
from polyant.domain.audit import AuditQuery
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.check_master_key import WrongMasterKeyError
from polyant.domain.users import Role, User
from polyant.plugins import AdapterError
from polyant.prepare import create_first_user, prepare
from polyant.settings import SettingsError, read_settings
from polyant.wiring import open_container

DEMO = Slug("demo-bot")
ADAPTERS = [
    *("INSTANCE_REPO", "INSTANCE_HISTORY", "KEY_CHECK", "SECRET_CIPHER", "RATE_LIMITER", "RATE_POLICY", "SUPERVISOR"),
    *("CHANNELS", "CHAT_MODELS", "POLYANT_TOOLS", "TOOL_SERVERS"),
    *("USER_REPO", "SESSION_REPO", "LOGIN_HISTORY", "AUDIT_LOG", "TURN_LOG", "PASSWORD_HASHER"),
    "CHANNEL_CONNECTIONS",
]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"POLYANT_HOME": str(tmp_path / "home")}


@asynccontextmanager
async def prepared(environ: dict[str, str], **variables: str) -> AsyncIterator[CliContext]:
    given = {**environ, **variables}
    settings = read_settings(given)
    async with open_container(settings, given, create=True) as container:
        await prepare(container, settings)
        yield CliContext(settings, container)


async def demo_of(context: CliContext) -> Instance | None:
    return await (await context.get(InstanceRepo)).get(DEMO)


def has_home_folder(environ: dict[str, str]) -> bool:
    return Path(environ["POLYANT_HOME"]).exists()


async def test_first_instance_is_the_built_in_demonstration(environ: dict[str, str]) -> None:
    async with prepared(environ) as context:
        demo = await demo_of(context)
    assert demo is not None
    assert (demo.name, demo.provider, demo.auth_enabled, demo.is_active) == ("Demo Bot", "scripted", False, True)


@pytest.mark.parametrize(
    "variables, provider",
    [
        ({"OPENAI_API_KEY": "sk-not-a-real-key"}, "openai"),
        ({"ANTHROPIC_API_KEY": "sk-not-a-real-key"}, "anthropic"),
        ({"OPENAI_API_KEY": " "}, "scripted"),
        ({"OPENAI_API_KEY": "sk-not-a-real-key", "CHAT_MODELS": "scripted"}, "scripted"),
        ({"CHAT_MODELS": "openai"}, "openai"),
    ],
)
async def test_first_instance_uses_the_provider_whose_key_is_set(
    environ: dict[str, str], variables: dict[str, str], provider: str
) -> None:
    async with prepared(environ, **variables) as context:
        demo = await demo_of(context)
        assert demo is not None
        assert demo.provider == provider
        assert demo.model == (await context.get(Mapping[str, ProviderInfo]))[provider].default_model
        assert demo.secrets == {}  # the operator's key stays in the environment


async def test_deleted_demonstration_stays_deleted(environ: dict[str, str]) -> None:
    async with prepared(environ) as context:
        await (await context.get(InstanceRepo)).delete(DEMO)
    async with prepared(environ) as context:
        assert await demo_of(context) is None


async def test_another_key_is_refused(environ: dict[str, str]) -> None:
    async with prepared(environ):
        pass
    with pytest.raises(WrongMasterKeyError):
        async with prepared(environ, ENCRYPTION_KEY="0f" * 32):
            pass


@pytest.mark.parametrize("variable", ADAPTERS)
async def test_unknown_adapter_is_refused_before_anything_is_created(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(AdapterError, match="No installed package provides"):
        async with prepared(environ, **{variable: "nobody's"}):
            pass
    assert not has_home_folder(environ)


@pytest.mark.parametrize("variables", [{"ANTHROPIC_API_KEY": "two words"}, {"SCRIPTED_TURNS": __file__}])
async def test_setting_refused_by_an_adapter_creates_nothing(
    environ: dict[str, str], variables: dict[str, str]
) -> None:
    with pytest.raises((SettingsError, AdapterError)):
        async with prepared(environ, **variables):
            pass
    assert not has_home_folder(environ)


# The first user

FILE = "initial-admin-password"
GIVEN = {"INITIAL_ADMIN_EMAIL": "Ada@Example.com", "INITIAL_ADMIN_PASSWORD": "correct horse battery staple"}


async def only_user_of(context: CliContext) -> User:
    (user,) = (await (await context.get(UserRepo)).list()).users
    return user


async def can_log_in(context: CliContext, user: User, password: str) -> bool:
    return await (await context.get(PasswordHasher)).verify(SecretText(password), user.password_hash)


async def test_first_user_has_a_random_password_in_a_private_file(
    environ: dict[str, str],
) -> None:
    file = Path(environ["POLYANT_HOME"]) / FILE
    async with prepared(environ) as context:
        user = await only_user_of(context)
        assert (user.email, user.role) == ("admin@localhost", Role.SUPERADMIN)
        assert await can_log_in(context, user, file.read_text().strip())
        (entry,) = (await (await context.get(AuditLog)).list(AuditQuery(action="user"))).entries
        assert (entry.actor, entry.action, entry.user) == ("server", "user.create", "admin@localhost")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_first_user_comes_from_the_settings_and_no_password_is_written(environ: dict[str, str]) -> None:
    async with prepared(environ, **GIVEN) as context:
        user = await only_user_of(context)
        assert user.email == "ada@example.com"
        assert await can_log_in(context, user, GIVEN["INITIAL_ADMIN_PASSWORD"])
    assert not (Path(environ["POLYANT_HOME"]) / FILE).exists()


async def test_existing_user_is_unchanged_and_no_other_is_created(environ: dict[str, str]) -> None:
    file = Path(environ["POLYANT_HOME"]) / FILE
    async with prepared(environ):
        password = file.read_text()
    async with prepared(environ, **GIVEN) as context:
        assert (await only_user_of(context)).email == "admin@localhost"
    assert file.read_text() == password


async def test_existing_password_file_is_kept(environ: dict[str, str]) -> None:
    """The file is left from a start that was killed before it created the user."""
    file = Path(environ["POLYANT_HOME"]) / FILE
    file.parent.mkdir()
    file.write_text("a password of before\n")
    async with prepared(environ) as context:
        assert await can_log_in(context, await only_user_of(context), "a password of before")
    assert file.read_text() == "a password of before\n"


async def test_startup_continues_without_a_user_if_the_password_cannot_be_stored(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    (Path(environ["POLYANT_HOME"]) / FILE).mkdir(parents=True)
    async with prepared(environ) as context:
        assert (await (await context.get(UserRepo)).list()).total == 0
    assert "run `polyant users create EMAIL` to create one" in caplog.text


async def test_concurrent_first_starts_create_one_user(environ: dict[str, str], tmp_path: Path) -> None:
    """A second start on another machine does not keep a password file that is invalid."""
    elsewhere = {"POLYANT_HOME": str(tmp_path / "elsewhere"), "DATABASE_URL": f"sqlite:///{tmp_path}/home/polyant.db"}
    async with prepared(environ) as context:
        keys = tmp_path / "home" / "keys"
        given = {"ENCRYPTION_KEY": (keys / "encryption.key").read_text(), **elsewhere}
        async with open_container(read_settings(given), given, create=True) as second:
            await create_first_user(second, read_settings(given))
        assert await can_log_in(context, await only_user_of(context), (tmp_path / "home" / FILE).read_text().strip())
        async with open_container(read_settings(environ), environ, create=True) as third:
            await create_first_user(third, read_settings(environ))
    assert not (tmp_path / "elsewhere" / FILE).exists()
    assert (tmp_path / "home" / FILE).exists()
