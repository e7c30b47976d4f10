"""LiteLLM's proxy and nginx, set up to pass requests on to the stub."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.processes import ROOT, free_port
from bench.scripts import SCRIPTS
from bench.stage import Stage, Target

_PINS = ROOT / "bench" / "environments" / "litellm.txt"
_ENVIRONMENT = ROOT / ".bench" / "litellm"
_KEY = f"sk-{secrets.token_hex(16)}"
_MODEL = """\
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{upstream}/v1", api_key: none}}
"""
_NGINX = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream stub {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://stub;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


def litellm(stage: Stage, name: str = "LiteLLM") -> Target:
    """Returns LiteLLM's proxy: one worker, no database, a master key, and the models of the stub."""
    config = stage.folder / "litellm.yaml"
    models = (_MODEL.format(model=model, upstream=stage.url_of(stage.stub)) for model in SCRIPTS.values())
    config.write_text("model_list:\n" + "".join(models))
    command = (
        str(_program()),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
        "--num_workers",
        "1",
    )
    environ = {
        "LITELLM_MASTER_KEY": _KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it looks for prices on the network when it starts
    }
    started = stage.start(name, *command, ready="/health/liveliness", environ=environ)
    return msgspec.structs.replace(started, key=_KEY)


def litellm_version() -> str:
    """Returns which version the pins install."""
    found = re.search(r"(?m)^litellm==(\S+)", _PINS.read_text())
    return found[1] if found else ""


def nginx(stage: Stage) -> Target:
    """Returns nginx: one worker that passes on what it gets, unbuffered, and writes no log."""
    port = free_port()
    (stage.folder / "nginx.conf").write_text(_NGINX.format(upstream=stage.stub.port, port=port))
    command = (_nginx_program(), "-p", str(stage.folder), "-c", "nginx.conf")
    return stage.start("nginx", *command, ready="/stats", port=port)


def nginx_version() -> str:
    """Returns the version of this machine's nginx."""
    said = subprocess.run([_nginx_program(), "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]


def _nginx_program() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SystemExit("bench: there is no nginx here; on Debian and Ubuntu `apt-get install nginx-light` brings it")
    return found


def _program() -> Path:
    """Returns LiteLLM's command, from an environment that is made anew when the pins change."""
    installed = _ENVIRONMENT / "installed.txt"
    if not installed.exists() or installed.read_text() != _PINS.read_text():
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv is None:
            raise SystemExit("bench: there is no uv here to install LiteLLM with")
        print("Installing LiteLLM …", file=sys.stderr)
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(_ENVIRONMENT))
        python = str(_ENVIRONMENT / "bin" / "python")
        _run(uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(_PINS))
        shutil.copyfile(_PINS, installed)
    return _ENVIRONMENT / "bin" / "litellm"


def _run(*command: str) -> None:
    """Runs a command outside the project, whose own pins are not for this environment."""
    subprocess.run(command, cwd=ROOT.anchor, check=True)
