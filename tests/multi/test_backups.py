"""Backups while a server writes, and backups and restores that are killed."""

import asyncio
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from polyant.adapters.piccolo.archive import PiccoloArchive
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.audit import AuditEntry
from polyant.domain.instances import Instance
from polyant.testing.archive import items_of
from support.backups import PASSPHRASE, stored_in
from support.process import SECRETS, Server, eventually, run_polyant, serving, starting

BACKUPS = 5
WRITERS = 3
INITIAL_PASSWORD = "a password of the first administrator"
TARGET_KEY = "f" * 64
REACHED = "reached\n"
PACED = """
import asyncio, sys
from polyant.adapters.piccolo import archive_reader, archive_writer
from polyant.cli.main import main

async def stop():
    print("reached", file=sys.stderr, flush=True)  # the test may now kill this process
    await asyncio.Event().wait()

insert = archive_writer._insert

async def paced_items(self, snapshot):
    async for item in items(self, snapshot):
        yield item
        await stop()

async def paced_insert(table, rows):
    await insert(table, rows)
    if table._meta.tablename == "users":
        await stop()

items = archive_reader.ArchiveReader.items
archive_reader.ArchiveReader.items = paced_items
archive_writer._insert = paced_insert
main(sys.argv[1:])
"""


@pytest.fixture
def variables(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, **SECRETS, "RATE_LIMIT": "off", "INITIAL_ADMIN_PASSWORD": INITIAL_PASSWORD}


class Writer(threading.Thread):
    """Creates an instance and then changes it until stopped; each write also stores an audit entry."""

    def __init__(self, server: Server, token: str, slug: str) -> None:
        super().__init__()
        self.writes = 0
        self._client = httpx.Client(base_url=f"{server.url}/api", headers={"Authorization": f"Bearer {token}"})
        self._slug = slug
        self._stopped = threading.Event()

    def run(self) -> None:
        with self._client as client:
            assert client.post("/instances", json={"slug": self._slug, "name": "Bot"}).status_code == 201
            while not self._stopped.is_set():
                change = {"description": f"write {self.writes}"}
                assert client.patch(f"/instances/{self._slug}", json=change).status_code == 200
                self.writes += 1

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@contextmanager
def writing(server: Server) -> Iterator[list[Writer]]:
    login = {"email": "admin@localhost", "password": INITIAL_PASSWORD}
    token = httpx.post(f"{server.url}/api/auth/login", json=login).json()["token"]
    writers = [Writer(server, token, f"written-{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()


def writes_of(writers: list[Writer]) -> int:
    return sum(writer.writes for writer in writers)


def restored(folder: Path, file: Path) -> list[object]:
    """Returns the items of the backup, from a new embedded database."""
    url = f"sqlite:///{folder}/{file.name}.db"
    done = run_polyant(
        folder, "restore", str(file), given=PASSPHRASE, DATABASE_URL=url, **{**SECRETS, "ENCRYPTION_KEY": TARGET_KEY}
    )
    assert done.returncode == 0, done.stderr
    return list(stored_in(url, TARGET_KEY))


def test_backups_of_a_server_that_writes_are_consistent(tmp_path: Path, variables: dict[str, str]) -> None:
    """Each version of an instance has an audit entry, which the same transaction stores."""
    files = [tmp_path / f"backup-{number}" for number in range(BACKUPS)]
    with serving(tmp_path, **variables) as server, writing(server) as writers:
        for file in files:
            done = run_polyant(tmp_path, "backup", str(file), given=PASSPHRASE, **variables)
            assert done.returncode == 0, done.stderr
            before = writes_of(writers)
            while writes_of(writers) == before:
                assert all(writer.is_alive() for writer in writers)
    versions: list[int] = []
    for file in files:
        items = restored(tmp_path, file)
        entries = Counter(item.instance for item in items if isinstance(item, AuditEntry) and item.instance)
        found = {item[0].slug: item[0].version for item in items if isinstance(item, tuple)}
        assert found == entries
        versions.append(sum(found.values()))
    assert versions == sorted(set(versions))


def killed(folder: Path, *arguments: str, **variables: str) -> None:
    """Runs a command and kills it in the middle of its work."""
    Path(folder, "passphrase").write_text(PASSPHRASE)
    command = (sys.executable, "-c", PACED, *arguments, "--passphrase-file", "passphrase")
    with starting(folder, command, **variables) as process:
        process.stderr.wait_for(REACHED)
        process.send(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def test_killed_backup_leaves_no_file_with_its_name(tmp_path: Path, variables: dict[str, str]) -> None:
    assert run_polyant(tmp_path, "migrate", **variables).returncode == 0
    killed(tmp_path, "backup", "out", **variables)
    assert not (tmp_path / "out").exists()
    [draft] = tmp_path.glob(".polyant-backup-*")
    assert draft.stat().st_mode & 0o777 == 0o600
    done = run_polyant(tmp_path, "backup", "out", given=PASSPHRASE, **variables)
    assert done.returncode == 0, done.stderr


def test_killed_restore_stores_nothing_and_can_be_repeated(
    tmp_path: Path, variables: dict[str, str], database_url: str
) -> None:
    home = tmp_path / "source"
    home.mkdir()
    for arguments in (("migrate",), ("instances", "create", "bot"), ("backup", "../out")):
        done = run_polyant(home, *arguments, given=PASSPHRASE)
        assert done.returncode == 0, done.stderr
    killed(tmp_path, "restore", "out", **variables)

    async def items() -> list[object]:
        async with PiccoloDatabase(database_url) as database:
            return list(await items_of(PiccoloArchive(database=database)))

    assert asyncio.run(items()) == []
    done = run_polyant(tmp_path, "restore", "out", given=PASSPHRASE, **variables)
    assert done.returncode == 0, done.stderr
    assert [type(item) for item in asyncio.run(items())].count(Instance) == 2


def test_running_server_serves_restored_data(tmp_path: Path, variables: dict[str, str]) -> None:
    """The server has only its initial data; its caches notice the restore, and its sessions end."""
    home = tmp_path / "source"
    home.mkdir()
    for arguments in (("migrate",), ("instances", "create", "bot"), ("instances", "disable", "demo-bot")):
        assert run_polyant(home, *arguments).returncode == 0
    key = run_polyant(home, "keys", "issue", "bot").stdout.strip()
    assert run_polyant(home, "backup", "../out", given=PASSPHRASE).returncode == 0
    with serving(tmp_path, "--workers", "2", **variables) as server:

        def answer(slug: str) -> int:
            message = {"model": slug, "messages": [{"role": "user", "content": "hi"}]}
            headers = {"Authorization": f"Bearer {key}"}
            return httpx.post(f"{server.base_url}/chat/completions", json=message, headers=headers).status_code

        assert (answer("demo-bot"), answer("bot")) == (200, 401)
        done = run_polyant(tmp_path, "restore", "out", given=PASSPHRASE, **variables)
        assert done.returncode == 0, done.stderr
        eventually(lambda: [(answer("demo-bot"), answer("bot")) for _ in range(4)], [(401, 200)] * 4)
