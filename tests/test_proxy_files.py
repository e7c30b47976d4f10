"""Checks the proxies' files in docs/deploy with the programs that read them, where Debian has those."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deployment.typist import certificate_for
from polyant.settings import Settings
from support.process import environment
from support.proxies import DEPLOY, adapted, program, requires

SETTINGS = Settings()
MAX_BODY_MIB = SETTINGS.max_body_bytes // 2**20


def run(folder: Path, name: str, *arguments: str | Path) -> str:
    """Returns the output of a program, which must succeed."""
    done = subprocess.run(
        [program(name), *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@requires("nginx")
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    for file, text in zip((certificate, key), certificate_for("ai.example.com"), strict=True):
        file.write_text(text)
    paths = {"/etc/ssl/ai.example.com.pem": str(certificate), "/etc/ssl/ai.example.com.key": str(key)}
    (tmp_path / "polyant.conf").write_text(adapted("nginx.conf", paths))
    main = f"pid {tmp_path}/pid; events {{}} http {{ include {tmp_path}/polyant.conf; }}"
    (tmp_path / "nginx.conf").write_text(main)
    run(tmp_path, "nginx", "-t", "-q", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf")


def test_nginx_repeats_no_request_that_was_sent() -> None:
    (conditions,) = re.findall(r"proxy_next_upstream (.*);", (DEPLOY / "nginx.conf").read_text())
    assert set(conditions.split()) == {"error", "timeout"}  # of POST and PATCH, these repeat only what wasn't sent


def test_nginx_limits_bodies_as_the_server_does() -> None:
    assert f"client_max_body_size {MAX_BODY_MIB}m;" in (DEPLOY / "nginx.conf").read_text()


@pytest.fixture(scope="module")
def caddy_handlers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The handlers in the Caddyfile by their names, as Caddy reads them."""
    folder = tmp_path_factory.mktemp("caddy")
    run(folder, "caddy", "validate", "--config", DEPLOY / "Caddyfile")
    found: dict[str, Any] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if "handler" in value:
                found[value["handler"]] = value
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                collect(each)

    collect(json.loads(run(folder, "caddy", "adapt", "--config", DEPLOY / "Caddyfile")))
    return found


@requires("caddy")
def test_caddy_limits_bodies_as_the_server_does(caddy_handlers: dict[str, Any]) -> None:
    assert caddy_handlers["request_body"]["max_size"] == SETTINGS.max_body_bytes


@requires("caddy")
def test_caddy_closes_idle_connections_before_the_server_does(caddy_handlers: dict[str, Any]) -> None:
    keep_alive = caddy_handlers["reverse_proxy"]["transport"]["keep_alive"]
    assert keep_alive["idle_timeout"] == 60 * 10**9
    assert SETTINGS.keep_alive_seconds > 60


@requires("caddy")
def test_caddy_repeats_no_request_that_was_sent(caddy_handlers: dict[str, Any]) -> None:
    assert caddy_handlers["reverse_proxy"]["load_balancing"].keys() == {"selection_policy", "try_duration"}


@pytest.fixture(scope="module")
def traefik() -> dict[str, Any]:
    configuration: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "traefik.yml")["http"]
    return configuration


def test_traefik_names_only_what_it_defines(traefik: dict[str, Any]) -> None:
    (router,) = traefik["routers"].values()
    assert router["service"] in traefik["services"]
    assert set(router["middlewares"]) == traefik["middlewares"].keys()
    (service,) = traefik["services"].values()
    assert service["loadBalancer"]["serversTransport"] in traefik["serversTransports"]


def test_traefik_closes_idle_connections_before_the_server_does(traefik: dict[str, Any]) -> None:
    (transport,) = traefik["serversTransports"].values()
    assert transport["forwardingTimeouts"]["idleConnTimeout"] == "60s"


def test_traefik_repeats_no_request_that_was_sent(traefik: dict[str, Any]) -> None:
    (middleware,) = traefik["middlewares"].values()
    # `status` and `retryNonIdempotentMethod` would repeat requests that were sent.
    assert middleware["retry"].keys() == {"attempts", "initialInterval"}
