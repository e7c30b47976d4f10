import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.types import ASGIApp
from uvicorn.server import ServerState

from polyant.bootstrap import create_app
from polyant.http.connections import pool_of
from polyant.http.error_bodies import ErrorFormat
from support.app import chat_body
from support.asgi import Exchange, Lifespan, Response, http_scope
from support.loggers import restored_loggers

JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    with restored_loggers():
        yield


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a server that keeps everything but its keys in memory."""
    return {"POLYANT_HOME": str(tmp_path / "home"), "INSTANCE_REPO": "memory", "KEY_CHECK": "memory"}


async def ask(app: ASGIApp, body: bytes = chat_body(), **headers: str) -> Response:
    scope = http_scope(
        "POST",
        "/v1/chat/completions",
        headers={**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        client=("203.0.113.7", 50_000),
        server=("127.0.0.1", 4000),
    )
    return await Exchange(app, scope, (body,)).whole()


async def test_application_configured_by_the_environment_responds(environ: dict[str, str]) -> None:
    app = create_app(environ)
    async with Lifespan(app):
        answer = await ask(app)
    assert "You said: Hi" in answer.json["choices"][0]["message"]["content"]
    assert answer.json["usage"]["total_tokens"] == 0


def test_misspelt_settings_of_adapters_are_logged(environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    create_app({**environ, "POLYANT_TOOL": "price"})
    (line,) = capfd.readouterr().err.splitlines()
    expected = "POLYANT_TOOL is set, but no installed adapter has this setting. Did you mean POLYANT_TOOLS?"
    assert line.endswith(f"WARNING polyant: {expected}")


async def test_http_settings_are_applied(environ: dict[str, str]) -> None:
    choice = {
        "RATE_LIMIT": "2/60",
        "TRUST_PROXY": "1",
        "CORS_ORIGINS": "https://app.example",
        "ALLOWED_HOSTS": "chat.example",
        "MAX_BODY_BYTES": "1024",
        "REPORT_USAGE": "true",
    }
    app = create_app({**environ, **choice})
    async with Lifespan(app):
        answer = await ask(app, host="chat.example", origin="https://app.example", x_forwarded_for="198.51.100.9")
        large = await ask(app, b" " * 1_025, x_forwarded_for="198.51.100.9")
        refused = await ask(app, x_forwarded_for="198.51.100.9")
        other = await ask(app, x_forwarded_for="198.51.100.10")
        foreign = await ask(app, host="evil.example")
    assert answer.header("access-control-allow-origin") == "https://app.example"
    assert answer.header("x-ratelimit-limit") == "2"
    assert answer.json["usage"]["total_tokens"] > 0
    assert [reply.status for reply in (answer, large, refused, other, foreign)] == [200, 413, 429, 200, 403]


async def test_error_format_applies_to_the_application_and_to_the_protocol(environ: dict[str, str]) -> None:
    app = create_app({**environ, "ERROR_FORMAT": "openai"})
    async with Lifespan(app):
        answer = await ask(app, b"{")
    assert answer.json["error"]["type"] == "invalid_request_error"
    pool = pool_of(ServerState(), app, asyncio.get_running_loop())
    assert pool.limits.error_format is ErrorFormat.OPENAI


async def test_rate_limit_can_be_turned_off(environ: dict[str, str]) -> None:
    app = create_app({**environ, "RATE_LIMIT": "off"})
    async with Lifespan(app):
        answers = [await ask(app) for _ in range(30)]
    assert {answer.status for answer in answers} == {200}
    assert "x-ratelimit-limit" not in answers[0].names


def test_invalid_settings_stop_the_worker_permanently(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        create_app({"API_PORT": "no", "LOG_FORMAT": "xml"})
    assert ended.value.code == 3
    assert capsys.readouterr().err.splitlines() == [
        'polyant: API_PORT must be a whole number from 0 to 65535, not "no"',
        'polyant: LOG_FORMAT must be text or json, not "xml"',
    ]


IDLE = """
import asyncio, os, sys
from polyant.bootstrap import create_app

async def main():
    arriving, leaving = asyncio.Queue(), asyncio.Queue()
    app = create_app(os.environ)
    running = asyncio.create_task(app({"type": "lifespan", "state": {}}, arriving.get, leaving.put))
    arriving.put_nowait({"type": "lifespan.startup"})
    assert (await leaving.get())["type"] == "lifespan.startup.complete"
    await asyncio.sleep(0.1)
    print(*sorted(name for name in sys.modules if name.startswith(sys.argv[1:][0]) or name.startswith(sys.argv[2])))
    arriving.put_nowait({"type": "lifespan.shutdown"})
    await running

asyncio.run(main())
"""


def test_nothing_of_channels_is_imported_without_a_connection(environ: dict[str, str]) -> None:
    """Except the use case that opens accounts, which the composition root registers."""
    modules = ("polyant.adapters.channels", "polyant.domain.use_cases.channels")
    done = subprocess.run(
        [sys.executable, "-c", IDLE, *modules], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [modules[1], f"{modules[1]}.open_account"]
