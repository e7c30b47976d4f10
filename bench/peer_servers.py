"""LiteLLM's proxy, Portkey's gateway and nginx, set up to pass requests on to the stub."""

import json
import re
import secrets
import subprocess

import msgspec

from bench.installs import PINS, node_modules, program, python_programs
from bench.processes import free_port
from bench.scripts import SCRIPTS
from bench.stage import Stage, Target

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
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it looks for prices on the network when it starts
    }
    started = stage.start(name, *command, ready="/health/liveliness", environ=environ)
    return msgspec.structs.replace(started, key=_KEY)


def litellm_version() -> str:
    """Returns which version the pins install."""
    found = re.search(r"(?m)^litellm==(\S+)", (PINS / "litellm.txt").read_text())
    return found[1] if found else ""


def portkey(stage: Stage) -> Target:
    """Returns Portkey's gateway: one process, without its console; each request says where the provider is."""
    script = node_modules("portkey") / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    started = stage.start(
        "Portkey",
        program("node"),
        str(script),
        "--headless",
        "--port={port}",
        ready="/",
        environ={"NODE_ENV": "production"},
    )
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{stage.url_of(stage.stub)}/v1"}
    return msgspec.structs.replace(started, key="none", headers=headers)


def portkey_version() -> str:
    """Returns which version the pins install."""
    return str(json.loads((PINS / "portkey" / "package.json").read_text())["dependencies"]["@portkey-ai/gateway"])


def nginx(stage: Stage) -> Target:
    """Returns nginx: one worker that passes on what it gets, unbuffered, and writes no log."""
    port = free_port()
    (stage.folder / "nginx.conf").write_text(_NGINX.format(upstream=stage.stub.port, port=port))
    command = (program("nginx"), "-p", str(stage.folder), "-c", "nginx.conf")
    return stage.start("nginx", *command, ready="/stats", port=port)


def nginx_version() -> str:
    """Returns the version of this machine's nginx."""
    said = subprocess.run([program("nginx"), "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]
