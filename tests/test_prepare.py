from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from polyant.domain.instances import Instance, Slug
from polyant.domain.use_cases.check_master_key import WrongMasterKeyError
from polyant.parts import Parts, open_parts
from polyant.plugins import AdapterError
from polyant.prepare import prepare
from polyant.settings import SettingsError, read_settings

DEMO = Slug("demo-bot")
ADAPTERS = [
    *("INSTANCE_REPO", "KEY_CHECK", "SECRET_CIPHER", "RATE_LIMITER", "SUPERVISOR"),
    *("CHAT_MODELS", "POLYANT_TOOLS"),
]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"POLYANT_HOME": str(tmp_path / "home")}


@asynccontextmanager
async def prepared(environ: dict[str, str], **variables: str) -> AsyncIterator[Parts]:
    given = {**environ, **variables}
    async with open_parts(read_settings(given), given, create=True) as parts:
        await prepare(parts)
        yield parts


async def demo_of(parts: Parts) -> Instance | None:
    return await (await parts.repo()).get(DEMO)


def is_home_made(environ: dict[str, str]) -> bool:
    return Path(environ["POLYANT_HOME"]).exists()


async def test_first_instance_is_the_built_in_demonstration(environ: dict[str, str]) -> None:
    async with prepared(environ) as parts:
        demo = await demo_of(parts)
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
async def test_first_instance_is_of_the_vendor_whose_key_is_given(
    environ: dict[str, str], variables: dict[str, str], provider: str
) -> None:
    async with prepared(environ, **variables) as parts:
        demo = await demo_of(parts)
        assert demo is not None
        assert demo.provider == provider
        assert demo.model == (await parts.providers())[provider].default_model
        assert demo.secrets == {}  # the operator's key stays in the environment


async def test_deleted_demonstration_stays_deleted(environ: dict[str, str]) -> None:
    async with prepared(environ) as parts:
        await (await parts.repo()).delete(DEMO)
    async with prepared(environ) as parts:
        assert await demo_of(parts) is None


async def test_another_key_is_refused(environ: dict[str, str]) -> None:
    async with prepared(environ):
        pass
    with pytest.raises(WrongMasterKeyError):
        async with prepared(environ, ENCRYPTION_KEY="0f" * 32):
            pass


@pytest.mark.parametrize("variable", ADAPTERS)
async def test_unknown_adapter_is_refused_before_anything_is_made(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(AdapterError, match="No installed package offers"):
        async with prepared(environ, **{variable: "nobody's"}):
            pass
    assert not is_home_made(environ)


@pytest.mark.parametrize("variables", [{"ANTHROPIC_API_KEY": "two words"}, {"SCRIPTED_TURNS": __file__}])
async def test_setting_that_an_adapter_refuses_leaves_no_trace(
    environ: dict[str, str], variables: dict[str, str]
) -> None:
    with pytest.raises(SettingsError):
        async with prepared(environ, **variables):
            pass
    assert not is_home_made(environ)
