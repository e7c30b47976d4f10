from pathlib import Path

import pytest

from support.commands import Polyant


def test_package_is_written_with_the_name_in_every_form(polyant: Polyant, tmp_path: Path) -> None:
    done = polyant.succeed("adapters", "new", "rate_limiter", "acme-limits")
    assert done.stdout == "Wrote polyant-acme-limits. Its README.md has the next steps.\n"
    folder = tmp_path / "polyant-acme-limits"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "README.md",
        "pyproject.toml",
        "src/polyant_acme_limits/__init__.py",
        "src/polyant_acme_limits/py.typed",
        "src/polyant_acme_limits/rate_limiter.py",
        "tests/conftest.py",
        "tests/test_rate_limiter.py",
    ]
    project = (folder / "pyproject.toml").read_text()
    assert 'acme-limits = "polyant_acme_limits.rate_limiter:AcmeLimitsRateLimiter"' in project
    assert "POLYANT_ACME_LIMITS_MAX_KEYS" in (folder / "README.md").read_text()


def test_existing_folder_is_kept(polyant: Polyant, tmp_path: Path) -> None:
    polyant.succeed("adapters", "new", "rate_limiter", "acme")
    (tmp_path / "polyant-acme" / "README.md").write_text("mine")
    done = polyant("adapters", "new", "rate_limiter", "acme")
    assert (done.code, done.stderr.split(". ")[1]) == (5, "Choose another name, or remove it\n")
    assert (tmp_path / "polyant-acme" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "Acme", "1st", "a/b", "../up", "a" * 41, "a--b", "a-"])
def test_invalid_name_writes_nothing(polyant: Polyant, tmp_path: Path, name: str) -> None:
    done = polyant("adapters", "new", "rate_limiter", name)
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "The name of an adapter must be 1 to 40 of" in done.stderr


@pytest.mark.parametrize("name", ["a" * 17, "twelve-and-five-x"])
def test_name_that_no_channel_can_have_writes_nothing(polyant: Polyant, tmp_path: Path, name: str) -> None:
    done = polyant("adapters", "new", "channel", name)
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "A channel name must be 1 to 16 characters" in done.stderr


def test_channel_is_named_without_hyphens(polyant: Polyant, tmp_path: Path) -> None:
    polyant.succeed("adapters", "new", "channel", "my-chat")
    folder = tmp_path / "polyant-my-chat"
    assert 'my_chat = "polyant_my_chat.channel:MyChatChannel"' in (folder / "pyproject.toml").read_text()
    assert 'name="my_chat"' in (folder / "src" / "polyant_my_chat" / "channel.py").read_text()
    assert "CHANNELS=telegram,slack,whatsapp,my_chat" in (folder / "README.md").read_text()


def test_unknown_port_is_refused(polyant: Polyant) -> None:
    done = polyant("adapters", "new", "no_port", "acme")
    assert done.code == 2
    assert "rate_limiter" in done.stderr
