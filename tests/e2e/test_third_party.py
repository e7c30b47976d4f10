"""A server with third-party adapters, selected only by settings."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.packages import install
from support.process import Server, eventually, run_polyant, serving

SOURCE = '''
import pathlib

import msgspec

from polyant.domain.chat import ModelFinished, TextDelta
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceSummary
from polyant.domain.limits import LimitState
from polyant.domain.ports.chat_model import ProviderInfo

FILE = pathlib.Path("instances.json")


class FileInstanceRepo:
    """Keeps instances in one JSON file."""

    def _read(self):
        return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Instance]) if FILE.exists() else {}

    async def get(self, slug):
        return self._read().get(slug)

    async def list(self, query):
        names = InstanceSummary.__struct_fields__
        found = [i for i in self._read().values() if query.status in (None, i.status)]  # whatever the key
        return InstancePage(tuple(InstanceSummary(**{n: getattr(i, n) for n in names}) for i in found), len(found))

    async def add(self, instance, *, audit=None, skill_files=()):
        return await self.save(instance)

    async def save(self, instance, *, audit=None, replaced=None, skill_files=()):
        stored = msgspec.structs.replace(instance, version=instance.version + 1)
        FILE.write_bytes(msgspec.json.encode({**self._read(), stored.slug: stored}))
        return stored

    async def delete(self, slug, *, audit=None): ...

    async def changes_since(self, revision):
        instances = self._read()
        return InstanceChanges(sum(i.version for i in instances.values()), frozenset(instances))


class FileKeyCheck:
    async def read(self):
        return pathlib.Path("check").read_text() if pathlib.Path("check").exists() else None

    async def keep(self, sealed):
        if await self.read() is None:
            pathlib.Path("check").write_text(sealed)
        return await self.read()

    async def replace(self, expected, sealed): ...


class OneCallSettings(msgspec.Struct):
    broken_file: str
    refusal_seconds: int = 77


class OneCall:
    """Lets each client call once, for as long as it is open."""

    settings = OneCallSettings

    def __init__(self, *, chosen: OneCallSettings):
        self.seen = None
        self.chosen = chosen

    async def health(self):
        if pathlib.Path(self.chosen.broken_file).exists():
            raise UnavailableError("The limiter is broken", hint="Remove the file")

    async def __aenter__(self):
        self.seen = set()
        return self

    async def __aexit__(self, *_):
        print("limiter closed", flush=True)

    async def hit(self, key, limit):
        allowed = key not in self.seen
        self.seen.add(key)
        seconds = self.chosen.refusal_seconds
        return LimitState(allowed=allowed, limit=1, remaining=0, retry_after=seconds, reset_after=77)

    async def peek(self, key, limit):
        return LimitState(allowed=key not in self.seen, limit=1, remaining=0, retry_after=77, reset_after=77)


class Poet:
    info = ProviderInfo(name="poet", default_model="haiku", base_url="http://poet.invalid", secret=None)

    async def generate(self, request):
        yield TextDelta("An old silent pond")
        yield ModelFinished()

    async def check(self, base_url, *, public_only=False): ...

    async def health(self):
        if pathlib.Path("silent").exists():
            raise UnavailableError("The poet is silent")
'''

CHOICE = {
    "INSTANCE_REPO": "file",
    "KEY_CHECK": "file",
    "RATE_LIMITER": "one_call",
    "CHAT_MODELS": "poet",
    "POLYANT_ONE_CALL_BROKEN_FILE": "broken",
    "POLYANT_ONE_CALL_REFUSAL_SECONDS": "78",
    **dict.fromkeys(
        (
            *("INSTANCE_HISTORY", "USER_REPO", "SESSION_REPO", "LOGIN_HISTORY", "AUDIT_LOG", "TURN_LOG"),
            *("CHANNEL_CONNECTIONS", "CONVERSATION_STORE", "SKILL_FILES", "MEDIA_STORE"),
        ),
        "memory",
    ),
}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    packages = tmp_path_factory.mktemp("packages")
    offers = [
        ("instance_repo", "file", "FileInstanceRepo"),
        ("key_check", "file", "FileKeyCheck"),
        ("rate_limiter", "one_call", "OneCall"),
        ("chat_model", "poet", "Poet"),
    ]
    install(packages, "acme-polyant", SOURCE, offers)
    return {"PYTHONPATH": str(packages), **CHOICE}


@pytest.fixture(scope="module")
def server(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("third-party"), **variables) as server:
        yield server
        server.stop()
    assert server.stdout.text.endswith("limiter closed\n")


def test_server_uses_all_third_party_adapters(server: Server) -> None:
    assert re.search(r"Model +demo-bot \(poet: haiku\)", server.stdout.text)
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    first, second = (httpx.post(f"{server.base_url}/chat/completions", json=body) for _ in range(2))
    assert first.json()["choices"][0]["message"]["content"] == "An old silent pond"
    assert (second.status_code, second.headers["Retry-After"]) == (429, "78")


def test_commands_use_the_third_party_adapters(server: Server, variables: dict[str, str]) -> None:
    issued = run_polyant(server.folder, "keys", "issue", "demo-bot", **variables)
    assert issued.returncode == 0, issued.stderr
    headers = {"Authorization": f"Bearer {issued.stdout.strip()}"}
    listed = run_polyant(server.folder, "adapters", **variables).stdout
    assert re.search(r"rate_limiter +one_call +acme-polyant +1\.2\.3 +yes", listed)
    assert "demo-bot" in (server.folder / "instances.json").read_text()
    assert issued.stdout.strip() not in (server.folder / "instances.json").read_text()
    assert httpx.get(f"{server.base_url}/models", headers=headers).status_code == 200


def test_only_adapters_that_every_turn_needs_make_the_server_unready(server: Server, variables: dict[str, str]) -> None:
    def ready() -> tuple[int, object, object]:
        response = httpx.get(f"{server.url}/health/ready")
        body = response.json()
        return response.status_code, body.get("status") or body["message"], body.get("degraded")

    def doctor() -> list[str]:
        lines = run_polyant(server.folder, "doctor", **variables).stdout.splitlines()
        return [line for line in lines if "one_call" in line or "poet" in line.split(":")[0]]

    assert ready() == (200, "ok", None)
    assert doctor()[:3] == [
        (
            "ok       rate_limiter one_call: has valid settings: POLYANT_ONE_CALL_BROKEN_FILE, "
            "POLYANT_ONE_CALL_REFUSAL_SECONDS"
        ),
        "ok       chat_model poet: works",
        "ok       rate_limiter one_call: works",
    ]
    (server.folder / "silent").touch()
    eventually(ready, (200, "degraded", ["chat_model poet"]))
    (server.folder / "broken").touch()
    eventually(ready, (503, "The rate limiter is unavailable", None))
    silent, broken = doctor()[1:3]
    assert broken.startswith("fault    rate_limiter one_call: doesn't work, so no turn can run: The limiter is broken.")
    assert silent.startswith("warning  chat_model poet: doesn't work: The poet is silent.")
    (server.folder / "silent").unlink()
    (server.folder / "broken").unlink()
    eventually(ready, (200, "ok", None))


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"POLYANT_ONE_CALL_BROKEN_FILE": ""}, "POLYANT_ONE_CALL_BROKEN_FILE must be set to a text"),
        ({"POLYANT_ONE_CALL_REFUSAL_SECONDS": "soon"}, "POLYANT_ONE_CALL_REFUSAL_SECONDS must be a whole number"),
    ],
)
def test_server_with_invalid_settings_of_an_adapter_does_not_start(
    variables: dict[str, str], tmp_path: Path, changed: dict[str, str], fault: str
) -> None:
    refused = run_polyant(tmp_path, "serve", "--port", "0", **{**variables, **changed})
    message = f"polyant: The rate_limiter adapter 'one_call' can't be used: {fault}\n"
    assert (refused.returncode, refused.stderr) == (3, message)


def test_default_database_is_not_created(server: Server) -> None:
    assert not list(server.folder.rglob("*.db"))


def test_server_with_an_incomplete_limiter_does_not_start(tmp_path: Path) -> None:
    install(tmp_path, "acme-mute", "class Mute: ...", [("rate_limiter", "mute", "Mute")])
    refused = run_polyant(tmp_path, "serve", "--port", "0", PYTHONPATH=str(tmp_path), RATE_LIMITER="mute")
    message = "polyant: The rate_limiter adapter 'mute' is missing hit, peek, which RateLimiter requires\n"
    assert (refused.returncode, refused.stderr) == (3, message)
    assert not (tmp_path / ".polyant").exists()
