"""Types the shell blocks of the pages for operators on a Debian of its own, and checks what they leave.

The Debian is an overlay of this machine, or of FOLDER (from debootstrap), whose changes are in memory and vanish at
the end. It has a network of its own, in which every port is free; only what installs packages uses the machine's. A
stand-in replaces systemctl. Nothing else differs from what a reader of the pages has.
"""

import argparse
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).parent
PAGES = HERE.parent.parent / "docs" / "operations"
SECTIONS = (
    ("deployment.md", "Install on Debian"),
    ("deployment.md", "Add a proxy"),
    ("deployment.md", "Add hosts"),
    ("upgrade.md", "Upgrade a host"),
    ("keys.md", "Replace the master key: environment"),
)
"""The sections that are typed, in this order."""

ADDRESSES = ("10.0.0.5", "10.0.0.11")
"""The addresses in the pages that this machine has."""

_STAND_INS = "/usr/local/stand-ins"
_OUTSIDE = "/run/outside"
"""The machine's network namespace."""

_MOUNTS = Path("/media")
"""Where everything is mounted, in a namespace of its own: nothing needs to be removed afterwards."""

ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
"""The certificates that this machine trusts."""

_PATH = f"{_STAND_INS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_TYPED_FIRST = f"""\
outside() {{ nsenter --net={_OUTSIDE} "$@"; }}
git() {{ outside /usr/bin/git "$@"; }}
apt-get() {{
    outside /usr/bin/apt-get "$@"
    case "$*" in *postgresql*) new_cluster ;; esac
}}
new_cluster() {{  # of the installation that the page expects: Debian starts it on port 5432
    make-ssl-cert generate-default-snakeoil  # which some images leave out
    pg_lsclusters --no-header | while read -r version name _; do pg_dropcluster --stop "$version" "$name"; done
    pg_createcluster --start "$(ls /usr/lib/postgresql | tail -n 1)" main
}}
"""


def blocks() -> Iterator[str]:
    """Yields the shell blocks of the typed sections, without the indentation of lists."""
    for page, section in SECTIONS:
        found = re.search(rf"(?ms)^## {re.escape(section)}\n(.*?)(?=^## |\Z)", (PAGES / page).read_text())
        assert found, f"{page} has no section {section!r}"
        for block in re.findall(r"(?ms)^( *```sh\n.*?)^ *```$", found[1]):
            yield textwrap.dedent(block).removeprefix("```sh\n")


class Debian:
    """A Debian in memory, which ends with the mount namespace of this process.

    Args:
        lower: The root of the Debian that it starts from; it doesn't change.
    """

    def __init__(self, lower: Path) -> None:
        self.root = _MOUNTS / "root"
        self._network = _MOUNTS / "network"
        _run("mount", "-t", "tmpfs", "none", _MOUNTS)
        for name in ("upper", "work", "root"):
            (_MOUNTS / name).mkdir()
        layers = f"lowerdir={lower},upperdir={_MOUNTS}/upper,workdir={_MOUNTS}/work"
        _run("mount", "-t", "overlay", "-o", layers, "none", self.root)
        _run("mount", "-t", "proc", "none", self.root / "proc")
        for name, mode in {"dev": "755", "run": "755", "tmp": "1777"}.items():
            _run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "none", self.root / name)
        self._add_devices()
        self._connect()
        self.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text())

    def _add_devices(self) -> None:
        dev = self.root / "dev"
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            (dev / name).touch()
            _run("mount", "--bind", f"/dev/{name}", dev / name)
        for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
            (dev / name).symlink_to(f"/proc/self/fd{target}")
        (dev / "shm").mkdir(mode=0o1777)
        (dev / "shm").chmod(0o1777)

    def _connect(self) -> None:
        outside = self.root / _OUTSIDE.lstrip("/")
        outside.touch()
        _run("mount", "--bind", "/proc/self/ns/net", outside)
        self._network.touch()
        _run("unshare", f"--net={self._network}", "ip", "link", "set", "lo", "up")
        for address in ADDRESSES:
            _run("nsenter", f"--net={self._network}", "ip", "address", "add", f"{address}/32", "dev", "lo")
        with (self.root / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 localhost ai.example.com {os.uname().nodename}\n")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Writes a file and the folders above it."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def mode(self, path: str) -> tuple[str, str]:
        """Returns the permissions and the owner of a file."""
        mode, owner = self.run(f"stat --format='%a %U' {path}").split()
        return mode, owner

    def run(self, script: str, *, code: int = 0) -> str:
        """Returns what a script prints in a shell of root; its errors go to this process's.

        Raises:
            AssertionError: The script ends with a different exit code.
        """
        shell = ("nsenter", f"--net={self._network}", "chroot", self.root, "bash", "-euo", "pipefail", "-c")
        command = (*shell, f"cd /root\n{script}")
        done = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}"
        return done.stdout


def _environment() -> Mapping[str, str]:
    """Returns the environment of a login as root, with what package clients need on this machine."""
    clients = (
        "PIP_",
        "UV_CACHE",
        "UV_INDEX",
        "UV_DEFAULT_INDEX",
        "SSL_CERT",
        "REQUESTS_CA",
        "http",
        "HTTP",
        "no_proxy",
        "NO_PROXY",
    )
    kept = {name: value for name, value in os.environ.items() if name.startswith(clients)}
    fixed = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    return {**kept, **fixed}


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def prepare(debian: Debian, repository: Path) -> None:
    """Provides what the pages take for granted: the repository, the certificate, and systemd."""
    _run("cp", "--recursive", repository, debian.root / "srv" / "polyant.git")
    debian.write(
        "/etc/gitconfig",
        '[url "file:///srv/polyant.git"]\n\tinsteadOf = https://git.example.com/polyant.git\n[safe]\n\tdirectory = *\n',
    )
    certificate, key = certificate_for("ai.example.com")
    debian.write("/etc/ssl/ai.example.com.pem", certificate)
    debian.write("/etc/ssl/ai.example.com.key", key, mode=0o600)
    # Trusted now, and after an installation or upgrade of ca-certificates.
    for trusted in (_TRUSTED, "/usr/local/share/ca-certificates/machine.crt"):
        debian.write(trusted, f"{Path(_TRUSTED).read_text()}\n{certificate}")
    debian.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
    debian.write(f"{_STAND_INS}/systemctl", f"#!/usr/bin/python3\n{(HERE / 'systemctl.py').read_text()}", mode=0o755)


def certificate_for(name: str) -> tuple[str, str]:
    """Returns a self-signed certificate for a host name, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False).sign(
        key, hashes.SHA256()
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem).decode(), key.private_bytes(pem, *plain).decode()


def typed() -> str:
    """Returns the script that types the pages."""
    # Of the programs that are called by their paths, those in /opt/uv install packages.
    text = "\n".join(blocks())
    return f"{_TYPED_FIRST}\nset -x\n{re.sub(r'(?m)^/opt/uv/', 'outside /opt/uv/', text)}"


def check(debian: Debian) -> None:
    """Checks what the typed pages leave."""
    assert debian.mode("/etc/polyant") == ("755", "root")
    assert debian.mode("/etc/polyant/environment") == ("600", "root")
    assert debian.mode("/var/lib/polyant") == ("700", "polyant")
    assert debian.mode("/var/lib/polyant/initial-admin-password") == ("600", "polyant")
    assert "/opt/polyant" in debian.run("readlink -f /opt/polyant/.venv/lib/python*/site-packages/polyant")
    assert debian.run("readlink -f /opt/polyant/.venv/bin/python").startswith("/usr/bin/python3")
    assert debian.run("ls /opt/polyant/.venv/lib/python*/site-packages/polyant/__pycache__/bootstrap.*.pyc")
    assert debian.run("stat --format=%U /proc/$(cat /run/systemctl/polyant)") == "polyant\n"
    password = debian.read("/var/lib/polyant/initial-admin-password").strip()
    login = f'{{"email":"admin@localhost","password":"{password}"}}'
    debian.write("/root/login.json", login, mode=0o600)
    debian.run(
        "curl --fail --silent --show-error http://10.0.0.11:4000/api/auth/login --data @/root/login.json "
        "--header 'Content-Type: application/json' --output /dev/null"
    )
    check_dollar_signs(debian)


def check_dollar_signs(debian: Debian) -> None:
    """Checks that the service and the command read a value with `$` as it is written."""
    token = "a$HOME-$$-token-of-$(id)"
    debian.run(f"cat >> /etc/polyant/environment << 'END'\nMETRICS_TOKEN='{token}'\nEND\nsystemctl restart polyant")
    wait = "curl --fail --silent --show-error --retry 30 --retry-delay 1 --retry-connrefused"
    debian.run(f"{wait} http://10.0.0.11:4000/metrics --oauth2-bearer '{token}' --output /dev/null")
    debian.run("polyant doctor > /dev/null")
    debian.run("sed --in-place 's/^METRICS_TOKEN=.*/METRICS_TOKEN=a$HOME-$$-token/' /etc/polyant/environment")
    debian.run("polyant doctor", code=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path, help="a bare repository with the version to install")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the root of a Debian; default: this machine's")
    parser.add_argument("--isolated", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.isolated:
        again = [*ISOLATED, sys.executable, __file__, "--isolated", *sys.argv[1:]]
        sys.exit(subprocess.run(again, check=False).returncode)
    debian = Debian(arguments.root)
    prepare(debian, arguments.repository)
    try:
        sys.stdout.write(debian.run(typed()))
        check(debian)
    finally:
        debian.run("systemctl stop polyant || true")
        log = debian.root / "var/log/polyant.log"
        sys.stderr.write(log.read_text() if log.exists() else "")


if __name__ == "__main__":
    main()
