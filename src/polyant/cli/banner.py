"""What `polyant serve` says once it serves."""

import os
import shlex
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from polyant import __version__
from polyant.domain.instances import InstanceSummary
from polyant.home import database_file_of
from polyant.settings import FIRST_EMAIL, Settings

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say."""

    model: InstanceSummary | None
    """The instance to try first."""
    open_slugs: tuple[str, ...]
    """The instances that ask nobody for a key."""
    port: int
    options: Mapping[str, str]
    """The variables that were set by options, which another command has to be told too."""
    password_file: Path | None = None
    """Where the password stands that was made for the first user."""


def banner(settings: Settings, facts: Facts) -> str:
    """Returns what a person needs to know to begin."""
    base = _base_url(settings.host, facts.port)
    model, command, file = facts.model, _command(settings, facts.options), facts.password_file
    lines = [
        f"Polyant {__version__} is ready.",
        "",
        f"  Base URL   {base}",
        *([f"  Model      {model.slug} ({_nature_of(model)})"] if model else []),
        f"  Data       {database_file_of(settings) or 'the PostgreSQL database of DATABASE_URL'}",
        f"  Keys       {_places_of_keys(settings)}",
        *([f"  Password   of {settings.initial_admin_email or FIRST_EMAIL} in {file}"] if file else []),
        "",
        *(_first_steps(base, model, command) if model else _no_instance(command)),
        "",
    ]
    return "\n".join(lines)


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base_url(host: str, port: int) -> str:
    if is_loopback(host) or host in _EVERY_ADDRESS:
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def _nature_of(model: InstanceSummary) -> str:
    if model.provider == "scripted":
        return "a built-in demonstration that echoes what you say"
    return f"{model.provider}: {model.model}"


def _places_of_keys(settings: Settings) -> str:
    if settings.encryption_key and settings.auth_secret:
        return "from the environment"
    return str(settings.home.absolute() / "keys")


def _first_steps(base: str, model: InstanceSummary, command: str) -> list[str]:
    key = " -H 'Authorization: Bearer YOUR-KEY'" if model.auth_enabled else ""
    return [
        "Talk to it:",
        "",
        f"  curl {base}/chat/completions -H 'Content-Type: application/json'{key} \\",
        f"""    -d '{{"model": "{model.slug}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'""",
        "",
        "GET /v1/models asks for an API key. This makes one, and from then on the instance asks for it too:",
        "",
        f"  {command} keys issue {model.slug}",
    ]


def _no_instance(command: str) -> list[str]:
    return ["There is no active instance. This makes one:", "", f"  {command} instances create SLUG"]


def _command(settings: Settings, options: Mapping[str, str]) -> str:
    """Returns how this person calls polyant, so that it finds the same data."""
    places = {"POLYANT_HOME": str(settings.home.absolute()), "DATABASE_URL": options.get("DATABASE_URL", "")}
    told = [f"{name}={shlex.quote(place)}" for name, place in places.items() if name in options]
    runner = ["uv", "run"] if "UV" in os.environ else []  # uv tells the commands that it runs where it is itself
    return " ".join([*told, *runner, "polyant"])
