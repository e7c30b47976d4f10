"""The master key is rotated under load, by a command that is interrupted, killed and run again."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.adapters.piccolo.tables import SecretRow
from polyant.domain.instances import Instance, InstanceQuery, Slug
from polyant.domain.secrets import AUTH_API_KEY, SecretText
from polyant.domain.use_cases.set_secret import seal, with_secret
from polyant.testing.factories import InstanceFactory
from support.patience import PATIENCE
from support.process import Server, eventually, run_polyant, serving, starting

INSTANCES = 40
CALLERS_KEY = "sk-of-the-callers"
SECRET = "a secret of more than thirty-two characters"
OLD, NEW = "0f" * 32, "a1" * 32
REACHED = "reached\n"
PACED = """
import asyncio, sys
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.cli.main import main

save, left = PiccoloInstanceRepo.save, int(sys.argv[1])

async def paced(*arguments, **options):
    global left
    left -= 1
    if left == -1:
        print("reached", file=sys.stderr, flush=True)  # the test may now interrupt this save
    if left < -1:
        await asyncio.Event().wait()
    return await save(*arguments, **options)

PiccoloInstanceRepo.save = paced
main(["keys", "rotate-master"])
"""
NOT_FINISHED = "polyant: not finished: run `polyant keys rotate-master` again to resume\n"


@dataclass
class Store:
    """A database with many instances, and the environment of the rotation."""

    folder: Path
    database: PiccoloDatabase
    variables: dict[str, str]
    old: str

    @property
    def repo(self) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=self.database)

    async def instances(self) -> list[Instance]:
        found = [await self.repo.get(summary.slug) for summary in (await self.repo.list(InstanceQuery())).instances]
        return [instance for instance in found if instance is not None]

    async def re_encrypted(self) -> int:
        """Returns the number of secrets that are no longer encrypted with the old key."""
        old = AesGcmSecretCipher(master_keys=[SecretText(self.old)])
        table = self.database.bind(SecretRow)
        rows = await self.database.read(table.select(table.sealed).run)
        old_id = await old.key_id()
        return len([row for row in rows if await old.key_id_of(row["sealed"]) != old_id])

    async def interrupted(self, number: signal.Signals, *, after: int) -> tuple[int, str]:
        """Runs a rotation and sends it a signal during the save after the first `after` ones.

        Returns:
            The exit code and the standard error.
        """
        command = (sys.executable, "-c", PACED, str(after))
        with starting(self.folder, command, **self.variables) as rotation:
            await asyncio.to_thread(rotation.stderr.wait_for, REACHED)
            rotation.send(number)
            code = await asyncio.to_thread(rotation.wait)
        assert rotation.stdout.text == ""
        return code, rotation.stderr.text.removeprefix(REACHED)

    async def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(run_polyant, self.folder, *arguments, **{**self.variables, **variables})

    async def start_with(self, key: str) -> subprocess.CompletedProcess[str]:
        """Runs a migration with only this key and returns the result."""
        return await self.run("migrate", ENCRYPTION_KEY=key, ENCRYPTION_KEY_PREVIOUS="")


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """The store on SQLite with keys in files, and on PostgreSQL with old and new key in the environment."""
    variables = {"DATABASE_URL": database_url, "AUTH_SECRET": SECRET, "RATE_LIMIT": "off"}
    given = {} if database_url.startswith("sqlite") else {"ENCRYPTION_KEY": OLD}
    migration = await asyncio.to_thread(run_polyant, tmp_path, "migrate", **variables, **given)
    assert migration.returncode == 0, migration.stderr
    old = given.get("ENCRYPTION_KEY") or (tmp_path / ".polyant/keys/encryption.key").read_text().strip()
    replacing = {"ENCRYPTION_KEY": NEW, "ENCRYPTION_KEY_PREVIOUS": OLD} if given else {}
    async with PiccoloDatabase(database_url) as database:
        store = Store(tmp_path, database, {**variables, **replacing}, old)
        await fill(store.repo, AesGcmSecretCipher(master_keys=[SecretText(old)]))
        yield store


async def fill(repo: PiccoloInstanceRepo, cipher: AesGcmSecretCipher) -> None:
    for number in range(INSTANCES):
        plain = InstanceFactory.build(
            slug=Slug(f"bot-{number:03}"), provider="scripted", base_url=None, auth_enabled=True, secrets={}
        )
        key = SecretText(CALLERS_KEY if number == 0 else f"sk-of-{number:03}")
        await repo.add(with_secret(plain, await seal(cipher, plain, AUTH_API_KEY, key, now=plain.created_at)))


class Callers(threading.Thread):
    """Calls one instance and lists the models in a loop."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.answers: list[str] = []
        self._server = server
        self._stopped = threading.Event()

    def run(self) -> None:
        body = {"model": "bot-000", "messages": [{"role": "user", "content": "Hello!"}]}
        headers = {"Authorization": f"Bearer {CALLERS_KEY}"}
        with httpx.Client(base_url=self._server.base_url, headers=headers) as client:
            while not self._stopped.is_set():
                for request in (
                    client.build_request("POST", "/chat/completions", json=body),
                    client.build_request("GET", "/models"),
                ):
                    answer = client.send(request)
                    self.answers.append("ok" if answer.status_code == 200 else answer.text)
                self._stopped.wait(0.005)  # leaves CPU time to the other processes

    def wait_for_answers(self, count: int) -> None:
        """Returns when there are at least that many responses."""
        eventually(lambda: len(self.answers) >= count, expected=True)

    def stop(self) -> None:
        self._stopped.set()
        self.join(PATIENCE)
        assert not self.is_alive()


@contextmanager
def calling(server: Server) -> Iterator[Callers]:
    callers = Callers(server)
    callers.start()
    try:
        yield callers
    finally:
        callers.stop()


async def test_rotation_under_load_survives_interruption_and_kill(store: Store) -> None:
    with serving(store.folder, **store.variables) as server, calling(server) as callers:
        code, output = await store.interrupted(signal.SIGINT, after=10)
        assert (code, output) == (130, NOT_FINISHED)
        first = await store.re_encrypted()
        assert first in {10, 11}
        assert (await store.interrupted(signal.SIGKILL, after=10))[0] == -signal.SIGKILL
        second = await store.re_encrypted()
        assert second - first in {10, 11}

        new = await current_key(store)
        assert "The master key is not the key" in (await store.start_with(store.old)).stderr
        assert "not every stored secret is encrypted with the new one" in (await store.start_with(new)).stderr

        done = await store.run("keys", "rotate-master", "--json")
        assert msgspec.json.decode(done.stdout) == {
            "secrets": INSTANCES - second,
            "instances": INSTANCES - second,
            "unreadable": [],
            "dataKeys": 0,
            "unreadableDataKeys": 0,
        }
        assert await current_key(store) == new
        await asyncio.to_thread(callers.wait_for_answers, len(callers.answers) + 10)
    assert set(callers.answers) == {"ok"}

    assert "The master key is not the key" in (await store.start_with(store.old)).stderr
    assert (await store.start_with(new)).returncode == 0
    cipher = AesGcmSecretCipher(master_keys=[SecretText(new)])
    secrets = [(instance, instance.secrets[AUTH_API_KEY]) for instance in await store.instances() if instance.secrets]
    opened = {(await cipher.open(secret.sealed, instance.address_of(secret))).reveal() for instance, secret in secrets}
    assert opened == {CALLERS_KEY, *(f"sk-of-{number:03}" for number in range(1, INSTANCES))}


async def current_key(store: Store) -> str:
    given = store.variables.get("ENCRYPTION_KEY")
    return given or (store.folder / ".polyant/keys/encryption.key").read_text().strip()
