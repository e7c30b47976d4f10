"""Killed processes lose no acknowledged write, and don't prevent other processes from starting."""

import json
import sys
from pathlib import Path

import httpx

from support.process import run_polyant, serving, starting

ROUNDS = 10
WRITE = """
import asyncio, itertools, sys, uuid
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.testing.factories import InstanceFactory

async def main():
    async with PiccoloDatabase(sys.argv[1]) as database:
        repo = PiccoloInstanceRepo(database=database)
        for number in itertools.count():
            # The factory builds the same instances in each process.
            instance = InstanceFactory.build(id=uuid.uuid4().hex, slug=f"{sys.argv[2]}-{number}")
            await repo.add(instance)
            print(instance.slug, flush=True)

asyncio.run(main())
"""


def test_acknowledged_writes_survive_killed_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/.polyant/polyant.db"
    written: set[str] = set()
    with serving(tmp_path, "--workers", "2") as server:
        for number in range(ROUNDS):
            with starting(tmp_path, (sys.executable, "-c", WRITE, url, f"round-{number}")) as writer:
                writer.stdout.wait_for(rf"round-{number}-{number}\n")
                writer.kill()  # in the middle of the next write
                written |= {*writer.stdout.text.split()}
        server.kill()
    with serving(tmp_path) as server:
        listed = json.loads(run_polyant(tmp_path, "instances", "list", "--json").stdout)
        assert written < {instance["slug"] for instance in listed["instances"]}
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
