"""The startup message of `polyant serve`."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from polyant import __version__
from polyant.domain.instances import InstanceSummary
from polyant.home import database_file_of
from polyant.settings import FIRST_EMAIL, ServeRole, Settings


class StartupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The data that the startup message shows."""

    model: InstanceSummary | None
    """The instance to try first."""
    open_slugs: tuple[str, ...]
    """The active instances that require no API key."""
    origin: str
    """The scheme, host and port at which this machine reaches the server."""
    options: Mapping[str, str]
    """The environment variables set by options; other commands need them, too."""
    password_file: Path | None = None
    """The file with the generated password of the first user."""


def banner(settings: Settings, info: StartupInfo) -> str:
    """Returns the startup message: addresses, places of data and keys, and first steps."""
    if settings.serve_role is ServeRole.CHANNELS:
        return _channels_banner(settings, info)
    base = f"{info.origin}/v1"
    model, command, file = info.model, _command(settings, info.options), info.password_file
    lines = [
        f"Polyant {__version__} is ready.",
        "",
        f"  Base URL   {base}",
        *([f"  Panel      {info.origin}/"] if settings.serves_panel else []),
        *([f"  Model      {model.slug} ({_model_description(model)})"] if model else []),
        f"  Data       {_data_location(settings)}",
        f"  Keys       {_key_location(settings)}",
        *([f"  Password   of {settings.initial_admin_email or FIRST_EMAIL} in {file}"] if file else []),
        "",
        *(_first_steps(base, model, command) if model else _no_instance(command)),
        "",
    ]
    return "\n".join(lines)


def _channels_banner(settings: Settings, info: StartupInfo) -> str:
    lines = [
        f"Polyant {__version__} is ready to answer channels.",
        "",
        f"  Health     {info.origin}/health/ready",
        f"  Webhooks   {info.origin}/channels/…",
        f"  Data       {_data_location(settings)}",
        f"  Keys       {_key_location(settings)}",
        "",
        "Processes with SERVE_ROLE=api serve /v1, /api and the panel.",
        "",
    ]
    return "\n".join(lines)


def banner_fields(settings: Settings, info: StartupInfo) -> dict[str, object]:
    """Returns the data of the startup message as fields of a log record."""
    return {
        "version": __version__,
        "role": settings.serve_role.value,
        "base_url": None if settings.serve_role is ServeRole.CHANNELS else f"{info.origin}/v1",
        "panel": f"{info.origin}/" if settings.serves_panel else None,
        "model": info.model.slug if info.model else None,
        "data": _data_location(settings),
        "keys": _key_location(settings),
        "password_file": str(info.password_file) if info.password_file else None,
    }


def _data_location(settings: Settings) -> str:
    return str(database_file_of(settings) or "the PostgreSQL database in DATABASE_URL")


def _model_description(model: InstanceSummary) -> str:
    if model.provider == "scripted":
        return "a built-in demo that echoes your message"
    return f"{model.provider}: {model.model}"


def _key_location(settings: Settings) -> str:
    if settings.encryption_key and settings.auth_secret:
        return "from the environment"
    return str(settings.home.absolute() / "keys")


def _first_steps(base: str, model: InstanceSummary, command: str) -> list[str]:
    key = " -H 'Authorization: Bearer YOUR-KEY'" if model.auth_enabled else ""
    return [
        "Send a message:",
        "",
        f"  curl {base}/chat/completions -H 'Content-Type: application/json'{key} \\",
        f"""    -d '{{"model": "{model.slug}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'""",
        "",
        "GET /v1/models requires an API key. This command issues one; from then on, the instance requires it, too:",
        "",
        f"  {command} keys issue {model.slug}",
    ]


def _no_instance(command: str) -> list[str]:
    return ["There is no active instance. This command creates one:", "", f"  {command} instances create SLUG"]


def _command(settings: Settings, options: Mapping[str, str]) -> str:
    """Returns the command that runs polyant with the same data."""
    values = {"POLYANT_HOME": str(settings.home.absolute()), "DATABASE_URL": options.get("DATABASE_URL", "")}
    assignments = [f"{name}={shlex.quote(value)}" for name, value in values.items() if name in options]
    runner = ["uv", "run"] if "UV" in os.environ else []  # uv sets UV for the commands that it runs
    return " ".join([*assignments, *runner, "polyant"])
