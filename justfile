# The project's recipes. Run them with `uv run just …`, or with `just` if it is installed.

set script-interpreter := ["uv", "run", "python"]

# List the recipes
help:
    @{{ just_executable() }} --list --unsorted

# Install all dependencies into .venv
setup:
    uv sync

# Run the server on this working copy
serve *ARGUMENTS:
    uv run polyant serve {{ ARGUMENTS }}

# Run the tests; ARGUMENTS are those of pytest
test *ARGUMENTS:
    uv run pytest {{ ARGUMENTS }}

# Make small changes to the source and print those that no test detects; --sample N, --seed N, --only PATH
mutants *ARGUMENTS:
    PYTHONPATH=tests uv run python -m mutants {{ ARGUMENTS }}

# Check format, style, types, imports and language
lint: typecheck
    uv run ruff format --check
    uv run ruff check
    uv run lint-imports
    uv run python -m scripts.prose

# Format the code and apply automatic fixes
fmt:
    uv run ruff check --fix
    uv run ruff format

# Check the types
typecheck:
    uv run mypy

# Benchmark the engine against a bare relay and check the targets; --case NAME, --against REV, --long, --write-docs
bench *ARGUMENTS:
    uv run python -m bench {{ ARGUMENTS }}

# Benchmark the engine against nginx, LiteLLM's proxy and Portkey's gateway; installs the latter two first
bench-peers *ARGUMENTS:
    uv run python -m bench.peers {{ ARGUMENTS }}

# Run the engine under mixed load for 30 minutes and check for leaks and wrong responses; --minutes N, --write-docs
soak *ARGUMENTS:
    uv run --group bench python -m bench.soak {{ ARGUMENTS }}

# Deliver 10,000 messages of channels while processes are killed and the database is away, and check every answer
channels-soak *ARGUMENTS:
    CHANNEL_EVENTS=10000 CHANNEL_KILLS=20 CHANNEL_OUTAGE_SECONDS=10 uv run pytest -n 0 -s tests/multi/test_channel_faults.py {{ ARGUMENTS }}

# Install the clients, run them against the server, check the channels with them, and generate docs/clients.md
clients *ARGUMENTS:
    WRITE_CLIENTS_PAGE=yes uv run pytest -n 0 tests/clients tests/adapters/channels/oracles {{ ARGUMENTS }}

# Install Open WebUI and Haystack (1.5 GB) and run them against the server
clients-heavy *ARGUMENTS:
    CI=true uv run pytest -n 0 tests/clients/heavy/check_haystack.py tests/clients/heavy/check_open_webui.py {{ ARGUMENTS }}

# Generate a migration from the changes in adapters/piccolo/tables.py
migration NAME:
    uv run piccolo migrations new polyant --auto --desc={{ quote(NAME) }}

# Generate docs/cli.md and the tables of docs/configuration.md from the source
docs:
    uv run python -m scripts.reference_pages

# Record the public signatures in docs/adapters/public-api.txt, for a release
public-api:
    uv run python -m scripts.public_api

# Draw docs/images/architecture.svg
architecture-picture:
    uv run python -m scripts.architecture_picture

# Take the screenshots of the admin panel in docs/images/panel
screenshots:
    uv run python -m scripts.screenshots

# Resolve all dependencies and pin their versions in pyproject.toml and the environments of tests, bench and examples
[script]
lock:
    import json
    import re
    import subprocess
    import tempfile
    import tomllib
    from collections import Counter
    from pathlib import Path

    pyproject = Path("pyproject.toml")
    unpinned = re.sub(r"(?ms)^(build-)?constraint-dependencies = \[.*?^\]\n", "", pyproject.read_text())
    metadata = tomllib.loads(unpinned)
    minimum_python = metadata["project"]["requires-python"].removeprefix(">=")

    def uv(*arguments, text=None):
        return subprocess.run(["uv", *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True).stdout

    def array(key, exported):
        pins = [line for line in exported.splitlines() if "==" in line]
        versions = Counter(pin.partition("==")[0] for pin in pins)
        # Only packages with several versions need environment markers.
        needed = [pin if versions[pin.partition("==")[0]] > 1 else pin.partition(" ;")[0] for pin in pins]
        return "\n".join([f"{key} = [ # written by `just lock`", *(f"    {json.dumps(pin)}," for pin in needed), "]\n"])

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, pyproject.name).write_text(unpinned)
        here = ("--quiet", "--directory", folder)
        pins_only = ("--no-header", "--no-annotate")
        everything = ("--all-groups", "--all-extras", "--no-emit-project", "--no-hashes")
        runtime = uv("export", *here, *pins_only, *everything)
        building = "\n".join(metadata["build-system"]["requires"])
        universal = ("--universal", "--python-version", minimum_python)
        build = uv("pip", "compile", "-", *here, *pins_only, *universal, text=building)
        Path(folder, "runtime.txt").write_text(runtime)
        beside = ("--constraint", "runtime.txt")  # the examples are installed next to Polyant
        folders = ("tests/clients", "tests/clients/heavy", "tests/adapters/channels/oracles", "bench", "examples")
        for environments in (f"{folder}/environments" for folder in folders):
            for program in Path(environments).glob("*.in"):
                overrides = program.with_suffix(".overrides")
                without = ("--override", str(overrides.absolute())) if overrides.exists() else ()
                extra = beside if environments.startswith("examples") else ()
                pins = uv(
                    "pip", "compile", "-", *here, *pins_only, *universal, *without, *extra, text=program.read_text()
                )
                program.with_suffix(".txt").write_text(pins)

    heading = "[tool.uv]\n"
    before, _, after = unpinned.partition(heading) if heading in unpinned else (f"{unpinned}\n", heading, "")
    arrays = array("constraint-dependencies", runtime) + array("build-constraint-dependencies", build)
    pyproject.write_text(before + heading + arrays + after)
    uv("lock")

# Run everything that CI runs
check: lint test
