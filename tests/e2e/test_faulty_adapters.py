"""A faulty adapter causes one line on standard error and exit code 3, with every command."""

from pathlib import Path

import pytest

from support.packages import install
from support.process import POLYANT, UVICORN, run, run_polyant

SOURCE = """
from __future__ import annotations

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.injectables import MasterKeyring
from polyant.domain.ports.chat_model import ProviderInfo

class Mute: ...

class Failing(AesGcmSecretCipher):
    def __init__(self) -> None:
        raise ValueError("no\\nluck")

class Closed(AesGcmSecretCipher):
    def __init__(self) -> None: ...

    async def __aenter__(self):
        raise OSError("the vault is shut")

    async def __aexit__(self, *_): ...

class Unresolved(AesGcmSecretCipher):
    def __init__(self, *, keys: MasterKeys) -> None: ...

class Demanding(AesGcmSecretCipher):
    def __init__(self, *, vault: str) -> None: ...

async def later(*, master_keys: MasterKeyring):
    return AesGcmSecretCipher(master_keys=master_keys)

def text() -> str:
    return "a cipher"

class Poser:
    info = ProviderInfo(name="poet", default_model="haiku", base_url="http://poet.invalid", secret=None)

    def generate(self, request): ...
    async def check(self, base_url, *, public_only=False): ...

NOTHING = None
"""

FAULTS = {
    "mute": "The secret_cipher adapter 'mute' is missing ",
    "failing": "The secret_cipher adapter 'failing' can't be built: ValueError: no luck",
    "closed": "The secret_cipher adapter 'closed' can't be built: OSError: the vault is shut",
    "unresolved": "The secret_cipher adapter 'unresolved': the annotation of its argument 'keys' can't be resolved: Na",
    "demanding": "The secret_cipher adapter 'demanding' requires vault: str, which can't be injected; injectable types",
    "later": "The secret_cipher adapter 'later' is an asynchronous function",
    "text": "The secret_cipher adapter 'text' is missing ",
    "nothing": "The secret_cipher adapter 'nothing' (acme_faults:NOTHING) isn't callable",
    "nobody's": "No installed package provides the secret_cipher adapter 'nobody's'",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("packages")
    ciphers = ("Mute", "Failing", "Closed", "Unresolved", "Demanding", "later", "text", "NOTHING")
    offers = [*(("secret_cipher", name.lower(), name) for name in ciphers), ("chat_model", "poser", "Poser")]
    install(folder, "acme-faults", SOURCE, offers)
    return str(folder)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Polyant has run before."""
    folder = tmp_path_factory.mktemp("migrated")
    assert run_polyant(folder, "migrate").returncode == 0
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_adapter_is_reported_in_one_line_and_changes_nothing(tmp_path: Path, packages: str, name: str) -> None:
    done = run_polyant(tmp_path, "migrate", PYTHONPATH=packages, SECRET_CIPHER=name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1), done.stderr
    assert done.stderr.startswith(f"polyant: {FAULTS[name]}")
    assert not list(tmp_path.iterdir())


def test_model_with_another_name_than_its_entry_point_is_rejected(tmp_path: Path, packages: str) -> None:
    done = run_polyant(tmp_path, "migrate", PYTHONPATH=packages, CHAT_MODELS="poser")
    assert (done.returncode, done.stderr) == (
        3,
        "polyant: The chat_model adapter 'poser' has the name 'poet' in its info\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        (*POLYANT, "serve", "--port", "0"),
        (*POLYANT, "serve", "--port", "0", "--workers", "2"),
        (*POLYANT, "instances", "list"),
        (*UVICORN, "--port", "0"),
    ],
    ids=("serve", "workers", "command", "uvicorn"),
)
@pytest.mark.parametrize("name", ["closed", "demanding"])
def test_every_command_reports_the_faulty_adapter(
    migrated: Path, packages: str, command: tuple[str, ...], name: str
) -> None:
    done = run(migrated, command, PYTHONPATH=packages, SECRET_CIPHER=name)
    lines = [line for line in done.stderr.splitlines() if " INFO uvicorn.error: " not in line]
    assert (done.returncode, done.stdout, len(lines)) == (3, "", 1), done.stderr
    assert FAULTS[name] in lines[0]


def test_doctor_reports_the_faulty_adapter(migrated: Path, packages: str) -> None:
    done = run_polyant(migrated, "doctor", PYTHONPATH=packages, SECRET_CIPHER="failing")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"fault    adapters: {FAULTS['failing']}\n" in done.stdout
