from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretText
from polyant.domain.users import StoredSession
from polyant.parts import Parts, open_parts
from polyant.plugins import AdapterError
from polyant.settings import read_settings
from polyant.testing.factories import InstanceFactory, UserFactory
from polyant.testing.manual_clock import START
from polyant.testing.turn_log import turn_of
from support.packages import install

BOT = Slug("bot")
STORES = ("INSTANCE_REPO", "USER_REPO", "SESSION_REPO", "AUDIT_LOG", "TURN_LOG")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"POLYANT_HOME": str(tmp_path / "home")}


@asynccontextmanager
async def parts_of(environ: dict[str, str], **variables: str) -> AsyncIterator[Parts]:
    given = environ | variables
    async with open_parts(read_settings(given), given, create=True) as parts:
        yield parts


def kept_by(name: str) -> dict[str, str]:
    """Returns the settings by which the adapters of that name keep everything."""
    return dict.fromkeys(STORES, name)


@pytest.mark.parametrize("name", ["memory", "piccolo"])
async def test_adapters_of_one_name_share_one_store(environ: dict[str, str], name: str) -> None:
    entry = AuditEntry(at=START, actor="cli", action="a")
    async with parts_of(environ, **kept_by(name)) as parts:
        users, sessions = await parts.user_repo(), await parts.session_repo()
        if name == "piccolo":
            await (await parts.database()).migrate()
        user = await users.add(UserFactory.build(), audit=entry)
        await (await parts.repo()).add(InstanceFactory.build(), audit=entry)
        session = StoredSession(token_id="t", user_id=user.id, expires_at=START + timedelta(hours=1))
        await sessions.add(session, user_version=user.version, now=START)
        assert await sessions.user_of("t", now=START) == user
        assert (await (await parts.audit_log()).list(AuditQuery())).total == 2


async def test_engine_that_keeps_everything_in_memory_has_no_database(environ: dict[str, str]) -> None:
    async with parts_of(environ, **kept_by("memory")) as parts:
        for part in (parts.repo, parts.user_repo, parts.session_repo, parts.audit_log, parts.turn_log):
            await part()
        assert "database" not in parts.made


async def test_turns_are_stored_when_the_engine_stops(environ: dict[str, str]) -> None:
    async with parts_of(environ) as parts:
        await (await parts.database()).migrate()
        record = turn_of(BOT, at=(await parts.clock()).now())
        (await parts.turn_log()).note(record)
    async with parts_of(environ) as parts:
        assert (await (await parts.turn_log()).list(BOT, limit=5)).turns == (record,)


async def test_turns_are_kept_for_the_days_set(environ: dict[str, str]) -> None:
    async with parts_of(environ, **kept_by("memory"), TURN_LOG_DAYS="2") as parts:
        now, log = (await parts.clock()).now(), await parts.turn_log()
        for days in (0, 1, 2, 3):
            log.note(turn_of(BOT, at=now - timedelta(days=days)))
        assert (await log.list(BOT, limit=5)).total == 2


OPTIONED = """
import msgspec

from polyant.domain.tools import ToolError


class Options(msgspec.Struct):
    level: int = 0


class OptionedTool:
    name = "openai"
    description = "Has the name of a provider."
    arguments = Options
    secrets = ()
    options = Options

    async def run(self, arguments, context): ...


class OddTool(OptionedTool):
    name = "odd"
    options = {"level": 0}


class OptionedSupervisor:
    options = Options

    async def run(self, turn): ...
"""


@pytest.fixture
def optioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = [
        ("tool", "openai", "OptionedTool"),
        ("tool", "odd", "OddTool"),
        *(("supervisor", name, "OptionedSupervisor") for name in ("openai", "own")),
    ]
    install(tmp_path, "acme-optioned", OPTIONED, offers)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("optioned")
async def test_options_are_those_of_chat_models_tools_and_the_supervisor(environ: dict[str, str]) -> None:
    async with parts_of(environ, POLYANT_TOOLS="openai", SUPERVISOR="own") as parts:
        options = await parts.adapter_options()
    options.check({"openai": {"level": 1}, "own": {"level": 2}})
    with pytest.raises(InvalidInputError, match="those with options are openai, own"):
        options.check({"tool_loop": {}})
    with pytest.raises(InvalidInputError, match="'anthropic' has no options"):
        options.check({"anthropic": {}})


@pytest.mark.usefixtures("optioned")
async def test_two_adapters_of_one_name_cannot_both_have_options(environ: dict[str, str]) -> None:
    async with parts_of(environ, POLYANT_TOOLS="openai", SUPERVISOR="openai") as parts:
        with pytest.raises(AdapterError, match="Two adapters called 'openai' have options"):
            await parts.adapter_options()


@pytest.mark.usefixtures("optioned")
async def test_options_that_are_no_struct_are_refused(environ: dict[str, str]) -> None:
    async with parts_of(environ, POLYANT_TOOLS="odd") as parts:
        with pytest.raises(AdapterError, match="The adapter 'odd' can't be used: the attribute `options` must be"):
            await parts.adapter_options()


async def test_passwords_are_hashed_with_argon2id(environ: dict[str, str]) -> None:
    async with parts_of(environ) as parts:
        assert (await (await parts.password_hasher()).hash(SecretText("correct horse"))).startswith("$argon2id$")
