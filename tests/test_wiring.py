import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import polyant.domain.use_cases
from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.otel.content_switch import VARIABLE
from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.container import Container
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.chat import ChatRequest, StepFinished, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import Environ, HttpToolHosts, ScriptFile, ToolNames
from polyant.domain.instances import Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.secrets import SecretText
from polyant.domain.toolbox import Toolbox
from polyant.domain.turn_recording import TurnRecording
from polyant.domain.use_cases.channels.receive_events import ReceiveEvents
from polyant.domain.use_cases.channels.run_channels import RunChannels
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.run_turn import RunTurn
from polyant.domain.users import StoredSession
from polyant.plugins import AdapterError
from polyant.settings import read_settings
from polyant.testing.factories import InstanceFactory, UserFactory
from polyant.testing.manual_clock import START
from polyant.testing.turn_log import turn_of as record_of
from polyant.testing.turns import CONTEXT
from polyant.wiring import DATABASE, open_container
from support.packages import install

USE_CASES_FOLDER = Path(polyant.domain.use_cases.__file__).parent
BOT = Slug("bot")
STORES = (
    *("INSTANCE_REPO", "INSTANCE_HISTORY", "USER_REPO", "SESSION_REPO", "LOGIN_HISTORY", "AUDIT_LOG", "TURN_LOG"),
    "CHANNEL_CONNECTIONS",
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"POLYANT_HOME": str(tmp_path / "home")}


@asynccontextmanager
async def container_of(environ: dict[str, str], **variables: str) -> AsyncIterator[Container]:
    given = environ | variables
    async with open_container(read_settings(given), given, create=True) as container:
        yield container


def storage_settings(name: str) -> dict[str, str]:
    """Returns the settings that select the named storage adapters."""
    return dict.fromkeys(STORES, name)


@pytest.mark.parametrize("name", ["memory", "piccolo"])
async def test_adapters_of_one_name_share_one_store(environ: dict[str, str], name: str) -> None:
    entry = AuditEntry(at=START, actor="cli", action="a")
    async with container_of(environ, **storage_settings(name)) as container:
        users, sessions = await container.get(UserRepo), await container.get(SessionRepo)
        if name == "piccolo":
            await (await container.get(DATABASE)).migrate()
        user = await users.add(UserFactory.build(), audit=entry)
        await (await container.get(InstanceRepo)).add(InstanceFactory.build(), audit=entry)
        session = StoredSession(token_id="t", user_id=user.id, expires_at=START + timedelta(hours=1))
        await sessions.add(session, user_version=user.version, now=START)
        assert await sessions.user_of("t", now=START) == user
        assert (await (await container.get(AuditLog)).list(AuditQuery())).total == 2


@pytest.mark.parametrize("name, uses_database", [("memory", False), ("piccolo", True)])
async def test_container_reports_whether_the_chosen_adapters_use_the_database(
    environ: dict[str, str], name: str, *, uses_database: bool
) -> None:
    async with container_of(environ, **storage_settings(name)) as container:
        for port in (InstanceRepo, UserRepo, SessionRepo, AuditLog, TurnLog):
            assert container.needs(port, DATABASE) is uses_database
        assert container.needs(CheckMasterKey, DATABASE)


@pytest.mark.parametrize("fail, kind", [("open", FailOpenRateLimiter), ("closed", MemoryRateLimiter)])
async def test_rate_limiter_is_wrapped_according_to_rate_limit_fail(
    environ: dict[str, str], fail: str, kind: type
) -> None:
    async with container_of(environ, RATE_LIMITER="memory", RATE_LIMIT_FAIL=fail) as container:
        assert type(await container.get(RateLimiter)) is kind


async def test_chosen_adapters_and_values_are_resolved_by_type(environ: dict[str, str], tmp_path: Path) -> None:
    (script := tmp_path / "script.json").write_text("[]")
    chosen = {"CHAT_MODELS": "scripted", "SCRIPTED_TURNS": str(script), "HTTP_TOOL_HOSTS": "intranet"}
    async with container_of(environ, **chosen) as container:
        assert list(await container.get(Mapping[str, ChatModel])) == ["scripted"]
        assert list(await container.get(Mapping[str, Tool])) == list(await container.get(ToolNames))
        assert await container.get(ScriptFile) == script
        assert await container.get(HttpToolHosts) == frozenset({"intranet"})
        assert (await container.get(Environ))["CHAT_MODELS"] == "scripted"


PROGRAM = """
import asyncio, os, sys
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.settings import read_settings
from polyant.wiring import open_container

async def main():
    async with open_container(read_settings(os.environ), os.environ, create=False) as container:
        await container.get(InstanceRepo)
    print(*sorted({"piccolo", "aiohttp", "asyncpg", "cryptography", "litestar", "mcp", "uvicorn"} & sys.modules.keys()))

asyncio.run(main())
"""


@pytest.mark.parametrize("name, imported", [("memory", ""), ("piccolo", "asyncpg piccolo")])
def test_only_chosen_adapters_are_imported(environ: dict[str, str], name: str, imported: str) -> None:
    variables = {**environ, "INSTANCE_REPO": name}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == imported


@pytest.mark.parametrize("use_case", sorted(path.stem for path in USE_CASES_FOLDER.glob("*.py") if path.stem[0] != "_"))
async def test_every_use_case_can_be_built_from_its_annotations(environ: dict[str, str], use_case: str) -> None:
    kind = getattr(importlib.import_module(f"polyant.domain.use_cases.{use_case}"), use_case.title().replace("_", ""))
    async with container_of(environ) as container:
        container.register(SessionTokens, lambda: None)  # the server registers its own
        container.check(kind)


async def test_work_of_channels_can_be_built_from_its_annotations(environ: dict[str, str]) -> None:
    async with container_of(environ) as container:
        container.check(RunChannels)
        container.check(ReceiveEvents)


async def test_turns_are_stored_when_the_engine_stops(environ: dict[str, str]) -> None:
    async with container_of(environ) as container:
        await (await container.get(DATABASE)).migrate()
        record = record_of(BOT, at=(await container.get(Clock)).now())
        (await container.get(TurnLog)).note(record)
    async with container_of(environ) as container:
        assert (await (await container.get(TurnLog)).list(BOT, limit=5)).turns == (record,)


async def test_turns_are_kept_for_the_configured_days(environ: dict[str, str]) -> None:
    async with container_of(environ, **storage_settings("memory"), TURN_LOG_DAYS="2") as container:
        now, log = (await container.get(Clock)).now(), await container.get(TurnLog)
        for days in (0, 1, 2, 3):
            log.note(record_of(BOT, at=now - timedelta(days=days)))
        assert (await log.list(BOT, limit=5)).total == 2


OPTIONED = """
import msgspec

from polyant.domain.tools import ToolError


class Options(msgspec.Struct):
    level: int = 0


class OptionedTool:
    name = "scripted"
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
def adapters_with_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = [
        ("tool", "scripted", "OptionedTool"),
        ("tool", "odd", "OddTool"),
        *(("supervisor", name, "OptionedSupervisor") for name in ("scripted", "own")),
    ]
    install(tmp_path, "acme-optioned", OPTIONED, offers)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("adapters_with_options")
async def test_options_cover_chat_models_tools_and_the_supervisor(environ: dict[str, str]) -> None:
    async with container_of(environ, POLYANT_TOOLS="scripted", SUPERVISOR="own") as container:
        options = await container.get(AdapterOptions)
    options.check({"scripted": {"level": 1}, "own": {"level": 2}})
    with pytest.raises(InvalidInputError, match="adapters with options: anthropic, openai, own, scripted"):
        options.check({"tool_loop": {}})
    with pytest.raises(InvalidInputError, match="'calculate' has no options"):
        options.check({"calculate": {}})


@pytest.mark.usefixtures("adapters_with_options")
async def test_adapters_with_the_same_name_cannot_both_have_options(environ: dict[str, str]) -> None:
    async with container_of(environ, POLYANT_TOOLS="scripted", SUPERVISOR="scripted") as container:
        with pytest.raises(AdapterError, match="Two adapters with the name 'scripted' have options"):
            await container.get(AdapterOptions)


@pytest.mark.usefixtures("adapters_with_options")
async def test_non_struct_options_are_refused(environ: dict[str, str]) -> None:
    async with container_of(environ, POLYANT_TOOLS="odd") as container:
        with pytest.raises(AdapterError, match="The adapter 'odd' can't be used: the attribute `options` must be"):
            await container.get(AdapterOptions)


async def test_passwords_are_hashed_with_argon2id(environ: dict[str, str]) -> None:
    async with container_of(environ) as container:
        assert (await (await container.get(PasswordHasher)).hash(SecretText("correct horse"))).startswith("$argon2id$")


WRAPPER = """
from polyant.adapters.otel.content_switch import VARIABLE
from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.domain.toolbox import Toolbox

class Wrapper:
    def __init__(self, *, loop: ToolLoopSupervisor, toolbox: Toolbox) -> None:
        self.loop = loop
        self.toolbox = toolbox

    def run(self, turn):
        return self.loop.run(turn)
"""


async def test_third_party_supervisor_can_wrap_the_built_in_loop(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "acme-wrapper", WRAPPER, [("supervisor", "wrapper", "Wrapper")])
    monkeypatch.syspath_prepend(tmp_path)
    async with container_of(environ, SUPERVISOR="wrapper") as container:
        wrapper: Any = await container.get(Supervisor)
        assert isinstance(wrapper.loop, ToolLoopSupervisor)
        assert isinstance(wrapper.toolbox, Toolbox)


@pytest.mark.parametrize("value", ["NO_CONTENT", "SPAN_ONLY"])
async def test_switch_for_text_in_spans_reaches_the_supervisor(environ: dict[str, str], value: str) -> None:
    bare = InstanceFactory.build(provider="scripted", base_url=None, mcp_servers=(), tools=(), secrets={}, options={})
    request = ChatRequest(model=bare.slug, messages=(UserMessage.of("Hello!"),))
    async with container_of(environ, TURN_OBSERVERS="otel", **{VARIABLE: value}) as container:
        run_turn = await container.get(RunTurn)
        async with run_turn(bare, request, CONTEXT) as run:
            events = [event async for event in run]
    (step,) = [event for event in events if isinstance(event, StepFinished)]
    assert (step.content is not None) is (value == "SPAN_ONLY")


async def test_turn_without_an_observer_that_asks_for_calls_has_no_recorder(environ: dict[str, str]) -> None:
    async with container_of(environ) as container:
        assert not (await container.get(TurnRecording)).is_needed
