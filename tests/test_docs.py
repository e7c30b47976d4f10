"""The project's words, held against the program: tables, commands, links, and the examples as they are printed."""

import argparse
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from polyant.cli.help import settings_markdown
from polyant.cli.main import build_parser
from polyant.parts import GROUPS, Parts
from polyant.settings import Settings, variables
from polyant.testing.rate_limiter import RateLimiterContract
from support.app import CHAT, chat_body
from support.process import Server, environment, serving

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ADAPTERS = ROOT / "docs" / "adapters.md"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

SETTINGS_OF_LISTS = {"chat_model": "CHAT_MODELS", "tool": "POLYANT_TOOLS", "turn_observer": "TURN_OBSERVERS"}

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the example is for curl")


def section(page: Path, heading: str) -> str:
    """Returns the text under a heading of the second level."""
    found = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text())
    assert found, f"no section {heading!r} in {page}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def rows(text: str) -> list[list[str]]:
    """Returns the cells of each row of the tables in the text, without their heads."""
    lines = re.findall(r"(?m)^\| (`.*) \|$", text)
    return [line.split(" | ") for line in lines]


# The configuration


def test_configuration_table_is_made_from_the_settings() -> None:
    assert f"<!-- settings -->\n{settings_markdown()}\n<!-- /settings -->" in README.read_text()


# The command line


def commands(
    parser: argparse.ArgumentParser, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Yields each command that does something, with its parser."""
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not nested:
        yield above, parser
    for action in nested:
        for name, below in action.choices.items():
            yield from commands(below, (*above, name))


def quoted_commands() -> Iterator[str]:
    for page in PAGES:
        spans = re.findall(r"`(?:uv run )?polyant ([a-z][^`]*)`", page.read_text())
        lines = [line for block in blocks(page.read_text(), "sh") for line in block.splitlines()]
        yield from (
            f"{page.name}: {command}" for command in [*spans, *re.findall(r"\bpolyant ([a-z].*)", "\n".join(lines))]
        )


@pytest.mark.parametrize("quoted", sorted(set(quoted_commands())))
def test_quoted_command_can_be_parsed(quoted: str) -> None:
    arguments = [word for word in shlex.split(quoted.partition(": ")[2]) if word != "--help"]
    assert build_parser().parse_args(arguments).run


def test_every_command_has_its_row_with_options_that_exist() -> None:
    table = {
        tuple(word for word in first.strip("`").split()[1:] if word.islower()): set(re.findall(r"--[a-z-]+", rest))
        for first, rest in rows(section(README, "Command line"))
    }
    known = {name: set(parser._option_string_actions) for name, parser in commands(build_parser())}
    assert table.keys() == known.keys()
    assert {name: options - known[name] for name, options in table.items() if options - known[name]} == {}


def test_uvicorn_command_names_the_factory() -> None:
    found = re.search(r"uvicorn --factory (\S+):(\S+) --no-proxy-headers", section(README, "Deployment"))
    assert found
    assert callable(getattr(importlib.import_module(found[1]), found[2]))


# Links


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_decision_is_listed() -> None:
    decisions = {f"adr/{path.name}" for path in (ROOT / "docs" / "adr").glob("*.md")}
    assert set(re.findall(r"\((adr/[^)]+)\)", section(ROOT / "docs" / "architecture.md", "Decisions"))) == decisions


# The examples


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A fresh start. Whether demo-bot asks for the example's key by now or not, that key is welcome."""
    with serving(tmp_path_factory.mktemp("readme")) as started:
        yield started


def run_as_printed(server: Server, code: str, *interpreter: str) -> str:
    """Returns what an example prints, with the address replaced by that of the test's server."""
    code = code.replace("http://localhost:4000", server.url).replace("uv run polyant", f"{sys.executable} -m polyant")
    done = subprocess.run(
        [*interpreter, "-c", code],
        cwd=server.folder,
        env=environment(server.folder),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_in_shell(server: Server, code: str) -> str:
    return run_as_printed(server, code, "bash", "-euo", "pipefail")


@needs_curl
def test_curl_example_prints_a_completion(server: Server) -> None:
    example, _ = blocks(section(README, "Talk to it"), "sh")
    answer = json.loads(run_in_shell(server, example))
    assert "Summarize Polyant in one sentence." in answer["choices"][0]["message"]["content"]


@needs_curl
def test_streaming_curl_example_prints_a_stream(server: Server) -> None:
    _, example = blocks(section(README, "Talk to it"), "sh")
    events = run_in_shell(server, example).split("\n\n")
    assert json.loads(events[0].removeprefix("data: "))["choices"][0]["delta"] == {"role": "assistant"}
    assert events[-2:] == ["data: [DONE]", ""]


def test_python_example_prints_the_answer(server: Server) -> None:
    (example,) = blocks(section(README, "Talk to it"), "python")
    assert "You said: Hello!" in run_as_printed(server, example, sys.executable)


@needs_curl
def test_commands_that_set_a_key_let_its_holder_list_the_models(server: Server) -> None:
    set_key, list_models = blocks(section(README, "Ask callers for a key"), "sh")
    assert "authEnabled  yes" in run_in_shell(server, set_key)
    assert [model["id"] for model in json.loads(run_in_shell(server, list_models))["data"]] == ["demo-bot"]


# Adapters of other people


def dotted(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_ports_that_take_adapters_are_those_of_the_table() -> None:
    table = {row[0].strip("`"): row[1:] for row in rows(section(ADAPTERS, "Ports that take adapters"))}
    assert table.keys() == {f"polyant.{group.name}" for group in GROUPS}
    settings = {variable.name for variable in variables().values()}
    for group in GROUPS:
        setting, port, contract = table[f"polyant.{group.name}"]
        assert setting.split("`")[1] == SETTINGS_OF_LISTS.get(group.name, group.name.upper())
        assert setting.split("`")[1] in settings
        assert dotted(port.strip("`")) is group.port
        assert dotted(contract.strip("`")).__name__ == f"{group.port.__name__}Contract"  # type: ignore[attr-defined]


def test_what_adapters_are_given_is_what_is_on_offer() -> None:
    table = {row[0].strip("`") for row in rows(section(ADAPTERS, "What an adapter is given"))}
    assert table == Parts(Settings(), {}, AsyncExitStack(), create_secrets=False).on_offer.keys()


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Writes the example's files where they say they belong."""
    files = re.findall(r"(?ms)^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", section(ADAPTERS, "An example"))
    for name, content in files:
        path = tmp_path / "example" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "example"


def install(example: Path) -> None:
    """Does what an installation leaves of the package's metadata, without asking a registry for a build tool."""
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    metadata = example / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text("".join(groups))


def test_example_fulfils_the_contract(example: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=example,
        env=environment(example, PYTHONPATH=str(example / "src")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= sum(name.startswith("test_") for name in dir(RateLimiterContract))


def test_example_is_found_when_it_is_chosen_and_shares_the_limit_among_workers(example: Path, tmp_path: Path) -> None:
    install(example)
    chosen = {"RATE_LIMITER": "file", "LIMITER_FILE": "limiter.db", "PYTHONPATH": str(example / "src")}
    with serving(tmp_path, "--workers", "2", "--rate-limit", "3/60", **chosen) as server:
        statuses = [chat_status(server.url) for _ in range(12)]
    assert statuses == [200] * 3 + [429] * 9


def chat_status(url: str) -> int:
    """Returns the status of a chat request over a connection of its own, which any worker may accept."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=20)) as connection:
        connection.request("POST", CHAT, chat_body(), {"Content-Type": "application/json"})
        return connection.getresponse().status
