"""Writes the generated parts of docs/configuration.md and docs/cli.md. Run it with `just docs`."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from polyant.cli.help import EXIT_CODES, SettingRow, setting_rows
from polyant.cli.main import build_parser

ROOT = Path(__file__).parent.parent

SETTING_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Server": (
        *("API_HOST", "API_PORT", "TRUST_PROXY", "ALLOWED_HOSTS", "CORS_ORIGINS", "MAX_BODY_BYTES"),
        *("PUBLIC_URL", "PANEL"),
        *("SERVE_ROLE", "ERROR_FORMAT", "REPORT_USAGE", "SHUTDOWN_SECONDS", "DRAIN_SECONDS"),
        *("REQUEST_SECONDS", "STALL_SECONDS", "KEEP_ALIVE_SECONDS", "MAX_CONNECTIONS"),
    ),
    "Data and keys": (
        *("POLYANT_HOME", "DATABASE_URL", "DATABASE_POOL_SIZE", "ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS"),
        *("AUTH_SECRET", "INITIAL_ADMIN_EMAIL", "INITIAL_ADMIN_PASSWORD"),
    ),
    "Limits": (
        "RATE_LIMIT",
        "CHANNEL_USER_RATE_LIMIT",
        "CHANNEL_INSTANCE_RATE_LIMIT",
        "RATE_LIMIT_FAIL",
        "MAX_CONCURRENT_TURNS",
        "TURN_SECONDS",
        "MEDIA_BYTES",
    ),
    "Streams and provider timeouts": (
        *("HEARTBEAT_SECONDS", "STREAM_HEAD_SECONDS", "CONNECT_SECONDS", "FIRST_TOKEN_SECONDS", "IDLE_SECONDS"),
    ),
    "Model providers": (
        *("CHAT_MODELS", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "PROVIDER_HOSTS", "SCRIPTED_TURNS"),
        *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        *("TRANSCRIBER_URL", "TRANSCRIBER_MODEL", "TRANSCRIBER_API_KEY"),
    ),
    "Tools and prompts": (
        *("POLYANT_TOOLS", "HTTP_TOOL_HOSTS", "OUTBOUND_ORIGINS", "DATETIME_TIMEZONE", "DATETIME_LOCALE"),
    ),
    "Channels": ("CHANNELS",),
    "Conversations": ("CONVERSATION_DAYS", "LEASE_SECONDS"),
    "Logs and metrics": ("LOG_FORMAT", "METRICS_TOKEN", "TURN_LOG_DAYS"),
    "Adapters": (
        *("INSTANCE_REPO", "INSTANCE_HISTORY", "SKILL_FILES", "USER_REPO", "SESSION_REPO", "LOGIN_HISTORY"),
        *("AUDIT_LOG", "ARCHIVE", "CHANNEL_CONNECTIONS", "TURN_LOG", "CONVERSATION_STORE"),
        *(
            "KEY_CHECK",
            "TURN_OBSERVERS",
            "RATE_LIMITER",
            "RATE_POLICY",
            "SECRET_CIPHER",
            "PASSWORD_HASHER",
            "SUPERVISOR",
            "TOOL_SERVERS",
            "IMAGE_FETCHER",
            "MEDIA_STORE",
            "MEDIA_FOLDER",
            "TRANSCRIBER",
            "DOCUMENT_READER",
        ),
    ),
}
"""The sections of docs/configuration.md, each with its variables in order."""


def settings_markdown() -> str:
    """Returns all settings as Markdown, one table for each group.

    Raises:
        ValueError: A variable has no group, or a group names a variable that doesn't exist.
    """
    rows = {row.name: row for row in setting_rows()}
    grouped = [name for names in SETTING_GROUPS.values() for name in names]
    if sorted(grouped) != sorted(rows):
        raise ValueError(f"Give each variable one group in SETTING_GROUPS: {sorted({*grouped} ^ {*rows})}")
    sections = [
        "\n".join([f"## {title}", "", *_settings_table(rows[name] for name in names)])
        for title, names in SETTING_GROUPS.items()
    ]
    return "\n\n".join(sections)


def commands_markdown() -> str:
    """Returns the exit codes and all commands as Markdown, one section for each command."""
    sections = [_command_markdown(name, text, parser) for name, text, parser in commands(build_parser())]
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    exit_codes = "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *codes])
    return "\n\n".join([exit_codes, *sections])


def commands(parser: argparse.ArgumentParser, text: str = "") -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yields the full name, description and parser of each command that can be run."""
    nested = next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)  # noqa: SLF001 - argparse has no public way to list commands
    if nested is None or not nested.required:
        yield parser.prog, text, parser
    if nested is None:
        return
    texts = {choice.dest: choice.help or "" for choice in nested._choices_actions}  # noqa: SLF001 - as above
    for name, below in nested.choices.items():
        yield from commands(below, texts[name])


def replace_between(page: str, mark: str, text: str) -> str:
    """Returns the page with the text between `<!-- mark -->` and `<!-- /mark -->` replaced.

    Raises:
        ValueError: The page doesn't contain exactly one pair of these marks.
    """
    marks = re.compile(rf"(?s)(<!-- {mark} -->\n).*?(<!-- /{mark} -->)")
    replaced, count = marks.subn(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"The page needs one pair of marks: <!-- {mark} --> and <!-- /{mark} -->")
    return replaced


def pages() -> dict[Path, str]:
    """Returns the current content of each page with generated parts."""
    generated = {"configuration.md": ("settings", settings_markdown()), "cli.md": ("commands", commands_markdown())}
    paths = {ROOT / "docs" / name: parts for name, parts in generated.items()}
    return {path: replace_between(path.read_text(), mark, text) for path, (mark, text) in paths.items()}


def _settings_table(rows: Iterator[SettingRow]) -> Iterator[str]:
    yield "| variable | description | allowed values | default |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| `{row.name}` | {row.description} | {row.allowed} | {row.default} |"


def _command_markdown(name: str, text: str, parser: argparse.ArgumentParser) -> str:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    lines = [f"## {name}", "", f"{text[:1].upper()}{text[1:]}.", "", "```text", usage, "```"]
    rows = [row for action in parser._actions if (row := _argument_row(parser, action))]  # noqa: SLF001 - as above
    if rows:
        lines += ["", "| argument | description | allowed values / default |", "|---|---|---|", *rows]
    if parser.epilog:
        lines += ["", parser.epilog]
    return "\n".join(lines)


def _argument_row(parser: argparse.ArgumentParser, action: argparse.Action) -> str | None:
    if isinstance(action, argparse._HelpAction):  # noqa: SLF001 - as above
        return None
    formatter = parser._get_formatter()  # noqa: SLF001 - expands %(default)s as --help does
    text, _, allowed = formatter._expand_help(action).removesuffix("]").partition(" [")  # noqa: SLF001 - as above
    name = action.option_strings[0] if action.option_strings else str(action.metavar)
    metavar = action.metavar or action.dest.upper()
    words = metavar if isinstance(metavar, str) else " ".join(metavar)
    value = f" {words}" if action.option_strings and action.nargs != 0 else ""
    choices = _alternatives([f"`{choice}`" for choice in action.choices or ()])
    shown = "" if action.choices else value
    return f"| `{name}{shown}` | {text} | {'; '.join(filter(None, (choices, allowed)))} |"


def _alternatives(values: Sequence[str]) -> str:
    *others, last = values or ("",)
    return f"{', '.join(others)} or {last}" if others else last


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
