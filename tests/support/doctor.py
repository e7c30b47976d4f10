"""The findings of `polyant doctor`."""

import sqlite3
from pathlib import Path
from typing import Any

from support.commands import Polyant


class Doctor:
    """Runs `polyant doctor` in the test's environment.

    The tests depend neither on the free space of this machine nor on a free port 4000.
    """

    def __init__(self, polyant: Polyant) -> None:
        self._polyant = polyant

    def __call__(self, *arguments: str, **variables: str) -> list[tuple[str, str, str]]:
        """Returns the state, subject and text of the findings that aren't ok, and checks the exit code."""
        done = self._polyant("doctor", "--json", *arguments, **{"API_PORT": "0", **variables})
        found: list[dict[str, Any]] = [each for each in done.json["findings"] if each["about"] != "disk"]
        assert done.code == (1 if any(each["state"] == "fault" for each in found) else 0)
        assert all(each["fix"] is None for each in found if each["state"] == "ok")
        texts = [(each, ". ".join(filter(None, (each["says"], each["fix"])))) for each in found]
        return [(each["state"], each["about"], text) for each, text in texts if each["state"] != "ok"]


def execute(home: Path, statement: str) -> None:
    """Changes the embedded database."""
    with sqlite3.connect(home / "polyant.db") as database:
        database.execute(statement)
    database.close()
