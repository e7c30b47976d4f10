"""A stand-in for systemctl on machines without systemd: starts a unit's ExecStart as systemd would.

It runs on the Python of a bare Debian, so it imports nothing but the standard library. It honours the settings that
decide whether a service can start: its user, environment, folders and limits, and which of the file system it sees.
Other services are left to their init scripts.
"""

import contextlib
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

UNITS = Path("/etc/systemd/system")
STATE = Path("/run/systemctl")
LOGS = Path("/var/log")

_ASSIGNMENT = re.compile(
    r"""
    [ \t]* (?: [#;] (?:\\.|[^\\\n])* | (?P<name>\w+) [ \t]* = [ \t]* (?P<value> (?: '[^']*' | "(?:\\.|[^\\"])*" | \\. | [^'"\\\n] )* ) )? (?:\n|\Z)
    """,  # noqa: E501 - one expression
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^\\"])*)"|\\(?P<escaped>.)|(?P<plain>[^'"\\]+)""", re.DOTALL
)

Unit = Mapping[str, list[str]]


def parse_environment(text: str) -> dict[str, str]:
    """Returns the variables of an EnvironmentFile as systemd reads them: `$` is never expanded.

    Raises:
        ValueError: A line is no assignment.
    """
    found = {}
    position = 0
    while position < len(text):
        matched = _ASSIGNMENT.match(text, position)
        if matched is None:
            raise ValueError(f"line {text.count(chr(10), 0, position) + 1} is no assignment")
        position = matched.end()
        if matched["name"]:
            found[matched["name"]] = _unquoted(matched["value"])
    return found


def _unquoted(text: str) -> str:
    value = ""
    kept = 0  # up to where spaces at the end belong to the value
    for piece in _PIECE.finditer(text):
        if piece["plain"] is not None:
            value += piece["plain"]
            kept = max(kept, len(value.rstrip()))
            continue
        if piece["single"] is not None:
            value += piece["single"]
        elif piece["double"] is not None:
            value += re.sub(r'\\(["\\`$])|\\\n', lambda escape: escape[1] or "", piece["double"])
        else:
            value += "" if piece["escaped"] == "\n" else piece["escaped"]
        kept = len(value)
    return value[:kept]


def parse_unit(text: str) -> Unit:
    """Returns the values of each setting in the section [Service]; an empty value resets its setting."""
    settings: dict[str, list[str]] = {}
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif stripped and stripped[0] not in "#;" and section == "[Service]":
            name, _, value = stripped.partition("=")
            settings[name.strip()] = [*settings.get(name.strip(), []), value.strip()] if value.strip() else []
    return settings


def command_of(unit: Unit) -> list[str]:
    """Returns the command that starts the unit's ExecStart with its user, limits and view of the file system."""
    user, group = _last(unit, "User", "root"), _last(unit, "Group", "root")
    rights = ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"]
    if _last(unit, "NoNewPrivileges", "") == "true":
        rights.append("--no-new-privs")
    if unit.get("CapabilityBoundingSet") == []:
        rights += ["--bounding-set=-all", "--inh-caps=-all"]
    start = shlex.split(_last(unit, "ExecStart", ""))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # only a privileged systemd can exceed it
    steps = [
        *_mounts(unit),
        f"umask {_last(unit, 'UMask', '0022')}",
        f"ulimit -n {min(hard, int(_last(unit, 'LimitNOFILE', '1024')))}",
        f"cd {shlex.quote(_last(unit, 'WorkingDirectory', '/'))}",
        f"exec {shlex.join([*rights, *start])}",
    ]
    return ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]


def _mounts(unit: Unit) -> list[str]:
    """Returns the commands that restrict the file system; they run in a mount namespace of the service."""
    steps = []
    if _last(unit, "ProtectSystem", "") == "strict":
        steps += [f"mount --bind {folder} {folder}" for folder in _state_folders(unit)]
        steps += ["mount -o remount,bind,ro /"]
    if _last(unit, "ProtectHome", "") == "true":
        steps += [f"mount -t tmpfs -o mode=000,ro none {folder}" for folder in ("/root", "/home")]
    if _last(unit, "PrivateTmp", "") == "true":
        steps += [f"mount -t tmpfs -o mode=1777 none {folder}" for folder in ("/tmp", "/var/tmp")]
    return steps


def _state_folders(unit: Unit) -> list[Path]:
    return [Path("/var/lib", name) for line in unit.get("StateDirectory", []) for name in line.split()]


def _last(unit: Unit, name: str, default: str) -> str:
    return (unit.get(name) or [default])[-1]


def start(name: str) -> None:
    """Starts a unit that isn't running."""
    unit = parse_unit((UNITS / f"{name}.service").read_text())
    user, group = _last(unit, "User", "root"), _last(unit, "Group", "root")
    for folder in _state_folders(unit):
        mode = _last(unit, "StateDirectoryMode", "0755")
        subprocess.run(["install", "-d", "-o", user, "-g", group, "-m", mode, folder], check=True)
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "USER": user}
    environment["HOME"] = os.path.expanduser(f"~{user}")  # noqa: PTH111 - Path.expanduser needs a path
    for file in unit.get("EnvironmentFile", []):
        if not file.startswith("-") or Path(file[1:]).exists():
            environment |= parse_environment(Path(file.removeprefix("-")).read_text())
    STATE.mkdir(exist_ok=True)
    with (LOGS / f"{name}.log").open("a") as log:
        process = subprocess.Popen(
            command_of(unit), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (STATE / name).write_text(str(process.pid))


def stop(name: str) -> None:
    """Stops a unit if it is running, and returns once its process has ended."""
    file = STATE / name
    if not file.exists():
        return
    process = int(file.read_text())
    file.unlink()
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
    while Path(f"/proc/{process}").exists() and _state_of(process) != "Z":
        time.sleep(0.05)


def _state_of(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def main(arguments: list[str]) -> int:
    action, *names = [argument for argument in arguments if not argument.startswith("--")]
    if action == "daemon-reload":
        return 0
    for name in names:
        if not (UNITS / f"{name}.service").exists():
            return subprocess.run(["service", name, action.replace("enable", "start")], check=False).returncode
        if action in {"stop", "restart"}:
            stop(name)
        if action in {"start", "enable", "restart"}:
            start(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
