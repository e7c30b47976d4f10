"""LiteLLM's proxy, Portkey's gateway and nginx, configured to forward requests to the stub."""

import json
import re
import secrets
import subprocess

import msgspec

from bench.harness import Harness, Target
from bench.installs import PINS, node_modules, program, python_programs
from bench.processes import free_port
from bench.scripts import SCRIPTS

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


def litellm(harness: Harness, name: str = "LiteLLM") -> Target:
    """Returns LiteLLM's proxy: one worker, no database, a master key, and the models of the stub."""
    config = harness.folder / "litellm.yaml"
    models = (_MODEL.format(model=model, upstream=harness.url_of(harness.stub)) for model in SCRIPTS.values())
    config.write_text("model_list:\n" + "".join(models))
    command = (
        str(python_programs("litellm") / "litellm"),
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
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it downloads prices when it starts
    }
    started = harness.start(name, *command, ready="/health/liveliness", environ=environ)
    return msgspec.structs.replace(started, key=_KEY)


def litellm_version() -> str:
    """Returns the version that the pins install."""
    found = re.search(r"(?m)^litellm==(\S+)", (PINS / "litellm.txt").read_text())
    return found[1] if found else ""


def portkey(harness: Harness) -> Target:
    """Returns Portkey's gateway: one process, without its console; each request's headers name the provider."""
    script = node_modules("portkey") / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    started = harness.start(
        "Portkey",
        program("node"),
        str(script),
        "--headless",
        "--port={port}",
        ready="/",
        environ={"NODE_ENV": "production"},
    )
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{harness.url_of(harness.stub)}/v1"}
    return msgspec.structs.replace(started, key="none", headers=headers)


def portkey_version() -> str:
    """Returns the version that the pins install."""
    return str(json.loads((PINS / "portkey" / "package.json").read_text())["dependencies"]["@portkey-ai/gateway"])


def nginx(harness: Harness) -> Target:
    """Returns nginx: one worker that forwards without buffering and writes no log."""
    port = free_port()
    (harness.folder / "nginx.conf").write_text(_NGINX.format(upstream=harness.stub.port, port=port))
    command = (program("nginx"), "-p", str(harness.folder), "-c", "nginx.conf")
    return harness.start("nginx", *command, ready="/stats", port=port)


def nginx_version() -> str:
    """Returns the version of this machine's nginx."""
    output = subprocess.run([program("nginx"), "-v"], capture_output=True, text=True, check=True).stderr
    return output.strip().rpartition("/")[2]
