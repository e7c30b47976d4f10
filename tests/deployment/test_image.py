"""The files for containers: what the image is built from, its health check, and the Compose file.

No container is started: CI has no engine for them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from polyant.cli.server import _SECONDS_TO_CLOSE
from polyant.settings import Settings, read_settings
from support.process import SECRETS, Server, environment, serving
from support.proxies import DEPLOY, adapted, free_ports, program, requires

ROOT = DEPLOY.parent.parent
IGNORED = (ROOT / ".dockerignore").read_text()
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE: Mapping[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
SERVICES: Mapping[str, Any] = COMPOSE["services"]
ENV_FILE = {"POSTGRES_PASSWORD": "0123456789abcdef", **SECRETS, "DOMAIN": "ai.example.com"}


def test_wheel_can_be_built_from_what_is_not_ignored(tmp_path: Path) -> None:
    for name in re.findall(r"(?m)^!(.+)$", IGNORED):
        assert (ROOT / name).exists()
        subprocess.run(["cp", "--recursive", ROOT / name, tmp_path], check=True)
    subprocess.run(["uv", "build", "--wheel", "--out-dir", "dist"], cwd=tmp_path, check=True, capture_output=True)
    assert len(list((tmp_path / "dist").glob("polyant-*.whl"))) == 1


def test_local_data_is_not_sent_to_the_build() -> None:
    patterns = [line for line in IGNORED.splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert not {"!.env", "!.polyant", "!.git", "!docs"} & set(patterns)


def health_checks() -> list[list[str]]:
    """Returns the health checks of the Containerfile and of the Compose file."""
    found = re.search(r"(?ms)^HEALTHCHECK .*? CMD (\[.*?\])$", CONTAINERFILE.replace("\\\n", ""))
    assert found
    declared, (kind, *composed) = json.loads(found[1]), SERVICES["server"]["healthcheck"]["test"]
    assert kind == "CMD"
    return [declared, composed]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(tmp_path_factory.mktemp("image")) as server:
        yield server


@pytest.mark.parametrize("check", health_checks(), ids=["Containerfile", "compose.yaml"])
def test_health_check_asks_the_port_in_the_environment(server: Server, tmp_path: Path, check: list[str]) -> None:
    def code(port: str) -> int:
        variables = environment(tmp_path, API_PORT=port)
        return subprocess.run([sys.executable, *check[1:]], env=variables, capture_output=True, check=False).returncode

    assert check[0] == "python"
    assert code(server.url.rpartition(":")[2]) == 0
    assert code(str(free_ports(1)[0])) != 0


def test_image_has_a_port_of_its_own() -> None:
    assert re.search(r"(?m)^    API_PORT=4000 \\$", CONTAINERFILE)


def test_compose_file_follows_the_schema() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(DEPLOY / "compose.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_server_accepts_the_variables_of_the_compose_file() -> None:
    variables = {name: interpolated(value) for name, value in SERVICES["server"]["environment"].items()}
    settings = read_settings(variables)
    assert settings.uses_postgresql
    assert settings.trust_proxy == 1
    assert settings.encryption_key is not None
    assert settings.auth_secret is not None


@pytest.mark.parametrize("name", sorted(ENV_FILE))
def test_missing_variable_stops_the_start(name: str) -> None:
    assert f"${{{name}:?must be set in .env}}" in (DEPLOY / "compose.yaml").read_text()


def interpolated(text: str) -> str:
    """Returns a value of the Compose file with the variables of an .env file."""
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: ENV_FILE[found[1]], text)


def test_services_start_in_order_and_each_is_checked() -> None:
    assert all("healthcheck" in service for service in SERVICES.values())
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    healthy = {"condition": "service_healthy"}
    assert waits == {"database": {}, "server": {"database": healthy}, "proxy": {"server": healthy}}


def test_only_the_proxy_can_be_reached() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert SERVICES["database"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_server_has_time_to_stop() -> None:
    seconds = int(SERVICES["server"]["stop_grace_period"].removesuffix("s"))
    assert seconds > Settings().shutdown_seconds + _SECONDS_TO_CLOSE


@requires("caddy")
def test_proxy_serves_the_domain_from_the_server(tmp_path: Path) -> None:
    variables = {name: interpolated(value) for name, value in SERVICES["proxy"]["environment"].items()}
    command = [program("caddy"), "adapt", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, env=environment(tmp_path, **variables), capture_output=True, text=True, check=True)
    assert '"host":["ai.example.com"]' in done.stdout
    assert re.findall(r'"dial":"([^"]+)"', done.stdout) == ["server:4000"]


def test_files_of_the_compose_file_exist() -> None:
    assert (DEPLOY / SERVICES["server"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / SERVICES["server"]["build"]["dockerfile"]).is_file()
    assert adapted("Caddyfile", {"{$UPSTREAMS:": ""})
