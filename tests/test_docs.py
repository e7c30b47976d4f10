"""Checks the documentation against the program: tables, commands, links and printed examples."""

import ast
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from polyant.adapter_groups import GROUPS
from polyant.settings import Settings, variables
from polyant.testing.rate_limiter import RateLimiterContract
from polyant.wiring import open_container
from support.app import CHAT, chat_body
from support.commands import shared_parser
from support.patience import PATIENCE
from support.printed_files import write_printed_files
from support.process import Server, environment, run_polyant, serving
from support.shell import polyant_command

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ADAPTERS = ROOT / "docs" / "adapters"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
INSTANCES = ROOT / "docs" / "instances.md"
DEPLOYMENT = ROOT / "docs" / "operations" / "deployment.md"
KEYS = ROOT / "docs" / "operations" / "keys.md"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
GUIDES = [path for path in PAGES if path.parent.name != "adr" and path != README]

SETTINGS_OF_LISTS = {
    "channel": "CHANNELS",
    "chat_model": "CHAT_MODELS",
    "tool": "POLYANT_TOOLS",
    "turn_observer": "TURN_OBSERVERS",
}

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the example is for curl")


def section(page: Path, heading: str) -> str:
    """Returns the text under a heading of the second level."""
    found = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text())
    assert found, f"{page} has no section {heading!r}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def rows(text: str) -> list[list[str]]:
    """Returns the cells of each table row in the text, without the header rows."""
    lines = re.findall(r"(?m)^\| (`.*) \|$", text)
    return [line.split(" | ") for line in lines]


# Modules and ports


def table_of(heading: str) -> dict[str, list[str]]:
    """Returns the rows of a table of docs/architecture.md by their first cell."""
    return {row[0].strip("`"): row[1:] for row in rows(section(ARCHITECTURE, heading))}


def names_in(cell: str) -> set[str]:
    """Returns the names in code font, except those in parentheses."""
    return set(re.findall(r"`([^`]+)`", re.sub(r"\(.*?\)", "", cell)))


def test_table_lists_exactly_the_modules() -> None:
    source = ROOT / "src" / "polyant"
    modules = {path.name for path in source.glob("*.py")} - {"__init__.py"}
    packages = {f"{path.relative_to(source)}/" for path in source.rglob("*") if (path / "__init__.py").exists()}
    known = {package for package in packages if package.count("/") == 1} | {"domain/ports/", "domain/use_cases/"}
    assert table_of("Modules").keys() == modules | known


def imports_of(path: Path) -> set[str]:
    """Returns the internal modules and packages that a module imports; adapters count by package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "polyant":
            parts = [*node.module.split(".")[1:], *(alias.name for alias in node.names)]
            found.add("/".join(parts[: 2 if parts[0] == "adapters" else 1]))
    return found


@pytest.mark.parametrize("module", ["settings.py", "plugins.py", "home.py", "logs.py"])
def test_module_imports_only_what_the_table_allows(module: str) -> None:
    assert imports_of(ROOT / "src" / "polyant" / module) <= names_in(table_of("Modules")[module][1])


def entry_points() -> dict[str, set[str]]:
    """Returns the names of the adapters in pyproject.toml for each port."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        group.removeprefix("polyant.").title().replace("_", ""): set(names)
        for group, names in project["entry-points"].items()
        if group.startswith("polyant.")
    }


def test_table_lists_exactly_the_ports() -> None:
    files = (ROOT / "src" / "polyant" / "domain" / "ports").glob("*.py")
    ports = {path.stem.title().replace("_", "") for path in files if path.stem != "__init__"}
    assert table_of("Ports").keys() == ports
    assert entry_points().keys() <= ports


@pytest.mark.parametrize("port", sorted(table_of("Ports")))
def test_table_lists_exactly_the_adapters_with_entry_points(port: str) -> None:
    cell = table_of("Ports")[port][1]
    if port in entry_points():
        assert names_in(cell) == entry_points()[port]
    else:
        assert cell.startswith("none to choose: ")


# The command line


def quoted_commands() -> Iterator[str]:
    for page in PAGES:
        spans = re.findall(r"`(?:uv run )?polyant ([a-z][^`]*)`", page.read_text())
        lines = [line for block in blocks(page.read_text(), "sh") for line in block.splitlines()]
        yield from (
            f"{page.name}: {command}"
            for command in [*spans, *re.findall(r"(?<![=\w])polyant ([a-z].*)", "\n".join(lines))]
        )


@pytest.mark.parametrize("quoted", sorted(set(quoted_commands())))
def test_quoted_command_can_be_parsed(quoted: str) -> None:
    command = quoted.partition(": ")[2].removesuffix(" &")  # a page may start it in the background
    arguments = [word for word in shlex.split(command) if word != "--help"]
    assert shared_parser().parse_args(arguments).run


def test_uvicorn_command_names_the_factory() -> None:
    found = re.search(r"uvicorn --factory (\S+):(\S+) --no-proxy-headers", DEPLOYMENT.read_text())
    assert found
    assert callable(getattr(importlib.import_module(found[1]), found[2]))


# Page structure


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_opens_with_its_audience(page: Path) -> None:
    assert re.match(r"# [^\n]+\n\nFor (developers|operators)", page.read_text())


# Links


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def paths_in_source() -> Iterator[tuple[str, str]]:
    """Yields each page path named in a project file, with the file."""
    for name in ("justfile", ".ci/run", "docs/deploy/polyant.service", "docs/deploy/Containerfile"):
        yield from ((name, path) for path in re.findall(r"\bdocs/[\w/.-]+\w", (ROOT / name).read_text()))
    for folder in ("src", "bench", "scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            for path in re.findall(r"(?<![\w/])docs/[\w/-]+\.(?:md|svg)", file.read_text()):
                yield str(file.relative_to(ROOT)), path


@pytest.mark.parametrize(("file", "path"), sorted(set(paths_in_source())))
def test_page_named_in_a_file_exists(file: str, path: str) -> None:
    assert (ROOT / path).exists()


def test_every_decision_is_listed() -> None:
    decisions = {f"adr/{path.name}" for path in (ROOT / "docs" / "adr").glob("*.md")}
    assert set(re.findall(r"\((adr/[^)]+)\)", section(ARCHITECTURE, "Decisions"))) == decisions


# The examples


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server after a fresh start; `demo-bot` accepts the example's key, whether or not it requires one."""
    with serving(tmp_path_factory.mktemp("readme")) as started:
        yield started


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the data of a fresh start, without a server."""
    done = run_polyant(tmp_path, "migrate")
    assert done.returncode == 0, done.stderr
    return tmp_path


def run_as_printed(folder: Path, code: str, *interpreter: str, url: str = "", given: str = "") -> str:
    """Returns the output of an example that runs against the test's server."""
    with polyant_command() as polyant:
        done = subprocess.run(
            [*interpreter, "-c", code.replace("http://localhost:4000", url).replace("uv run polyant", polyant)],
            cwd=folder,
            env=environment(folder),
            input=given,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_in_shell(folder: Path, code: str, *, url: str = "", given: str = "") -> str:
    return run_as_printed(folder, code, "bash", "-euo", "pipefail", url=url, given=given)


@needs_curl
def test_curl_example_prints_a_completion(server: Server) -> None:
    example, _ = blocks(section(README, "First calls"), "sh")
    answer = json.loads(run_in_shell(server.folder, example, url=server.url))
    assert "Summarize Polyant in one sentence." in answer["choices"][0]["message"]["content"]


@needs_curl
def test_streaming_curl_example_prints_a_stream(server: Server) -> None:
    _, example = blocks(section(README, "First calls"), "sh")
    events = run_in_shell(server.folder, example, url=server.url).split("\n\n")
    assert json.loads(events[0].removeprefix("data: "))["choices"][0]["delta"] == {"role": "assistant"}
    assert events[-2:] == ["data: [DONE]", ""]


def test_python_example_prints_the_answer(server: Server) -> None:
    (example,) = blocks(section(README, "First calls"), "python")
    assert "You said: Hello!" in run_as_printed(server.folder, example, sys.executable, url=server.url)


@needs_curl
def test_key_set_by_the_commands_can_list_the_models(server: Server) -> None:
    set_key, list_models = blocks(section(INSTANCES, "Require an API key"), "sh")
    assert "authEnabled  yes" in run_in_shell(server.folder, set_key)
    models = json.loads(run_in_shell(server.folder, list_models, url=server.url))["data"]
    assert [model["id"] for model in models] == ["demo-bot"]


def test_commands_choose_a_model(data: Path) -> None:
    openai, other = blocks(section(README, "First real model"), "sh")
    assert "Stored openai_api_key of demo-bot" in run_in_shell(data, openai, given="sk-of-the-provider")
    assert re.search(r"model +llama3\.2\n", run_in_shell(data, other))


def test_commands_configure_an_instance(data: Path) -> None:
    create, *_, tools, mcp, limits = blocks(INSTANCES.read_text(), "sh")
    assert re.search(r"slug +support\n", run_in_shell(data, create))
    assert "current_time, calculate" in run_in_shell(data, tools)
    assert "Set the MCP server crm of demo-bot" in run_in_shell(data, mcp, given="Bearer of-the-server")
    assert "maxSteps 5" in run_in_shell(data, limits)


def test_commands_replace_keys(data: Path) -> None:
    rotate, _, issue = blocks(KEYS.read_text(), "sh")  # the second one needs an installation: tests/deployment types it
    assert "Re-encrypted" in run_in_shell(data, rotate)
    assert run_in_shell(data, issue).startswith("sk-")


# Third-party adapters


def dotted(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_table_lists_exactly_the_pluggable_ports() -> None:
    table = {row[0].strip("`"): row[1:] for row in rows(section(ADAPTERS / "README.md", "Ports that take adapters"))}
    assert table.keys() == {f"polyant.{group.name}" for group in GROUPS}
    settings = {variable.name for variable in variables().values()}
    for group in GROUPS:
        setting, port, contract, page = table[f"polyant.{group.name}"]
        assert setting.split("`")[1] == SETTINGS_OF_LISTS.get(group.name, group.setting.upper())
        assert setting.split("`")[1] in settings
        assert dotted(port.strip("`")) is group.port
        assert dotted(contract.strip("`")).__name__ == f"{group.port.__name__}Contract"  # type: ignore[attr-defined]
        name, _, anchor = page.rpartition("(")[2].rstrip(")").partition("#")
        text = (ADAPTERS / name).read_text()
        assert f"`{group.port.__name__}`" in text
        if anchor:  # a page of several ports has a section for each
            assert anchor == group.port.__name__.lower()
            own = text.partition(f"\n### {group.port.__name__}\n")[2].partition("\n#")[0]
            for needed in (f"`{setting.split('`')[1]}`", f"`{group.port.__name__}Contract`", f"new {group.name} NAME"):
                assert needed in own


async def test_table_lists_exactly_the_injectable_types() -> None:
    table = [row[0].strip("`") for row in rows(section(ADAPTERS / "packaging.md", "Constructor arguments"))]
    async with open_container(Settings(), {}, create=False) as container:
        assert sorted(table) == container.injectables


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The folder of the example, with its files at the paths they state."""
    write_printed_files(ADAPTERS / "rate-limiters.md", tmp_path / "example")
    return tmp_path / "example"


def install(example: Path) -> None:
    """Writes the package metadata that an installation would write, without a build tool."""
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
        [sys.executable, "-m", "pytest", "-q", *("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:faker")],
        cwd=example,
        env=environment(example, PYTHONPATH=str(example / "src")),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= sum(name.startswith("test_") for name in dir(RateLimiterContract))


def test_example_is_loaded_and_shares_the_limit_among_workers(example: Path, tmp_path: Path) -> None:
    install(example)
    chosen = {"RATE_LIMITER": "file", "POLYANT_FILE_PATH": "limiter.db", "PYTHONPATH": str(example / "src")}
    with serving(tmp_path, "--workers", "2", "--rate-limit", "3/60", **chosen) as server:
        statuses = [chat_status(server.url) for _ in range(12)]
    assert statuses == [200] * 3 + [429] * 9


def chat_status(url: str) -> int:
    """Returns the status of a chat request over a new connection, which any worker may accept."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request("POST", CHAT, chat_body(), {"Content-Type": "application/json"})
        return connection.getresponse().status


def test_readme_counts_the_tested_clients() -> None:
    table = (ROOT / "docs" / "clients.md").read_text().partition("\n## Tested clients\n")[2].partition("\n### ")[0]
    count = len(re.findall(r"(?m)^\| \[", table))
    assert f"tested with [{count} clients](docs/clients.md)" in (ROOT / "README.md").read_text()
