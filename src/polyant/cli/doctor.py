"""polyant doctor: checks everything the server needs and says what to do."""

import argparse
import asyncio
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal

import msgspec

from polyant.cli.backstage import SCHEMA_FAULTS, find_data, resealing
from polyant.cli.output import print_json
from polyant.domain.errors import PolyantError, UnavailableError
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus
from polyant.domain.provider_keys import base_url_of
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.home import auth_secret_of, database_file_of, encryption_key_file_of
from polyant.master_keys import older_keys_file_of, places_of_older_keys
from polyant.parts import Parts, open_parts
from polyant.plugins import AdapterError
from polyant.settings import Settings, SettingsError

_OTHERS = 0o077


class Finding(msgspec.Struct, frozen=True):
    """What one check found, and what is to be done about it."""

    state: Literal["ok", "warning", "fault"]
    about: str
    says: str


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("doctor", help="check settings, database, keys and providers, and suggest fixes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_examine)


def _examine(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    findings = asyncio.run(_findings(environ))
    if args.json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            print(f"{finding.state:<8} {finding.about}: {finding.says}")
    return 1 if any(finding.state == "fault" for finding in findings) else 0


async def _findings(environ: Mapping[str, str]) -> list[Finding]:
    """Returns what was found; a fault that makes later checks senseless ends the list."""
    findings: list[Finding] = []
    try:
        settings = find_data(environ)
        findings += [Finding("ok", "settings", "can be used"), *_files(settings)]
        async with open_parts(settings, environ, create=False) as parts:
            findings += [finding async for finding in _store(parts)]
            findings += [finding async for finding in _instances(parts)]
    except SettingsError as error:
        findings += [Finding("fault", "settings", line) for line in str(error).splitlines()]
    except AdapterError as error:
        findings.append(Finding("fault", "adapters", str(error)))
    except PolyantError as error:
        findings.append(Finding("fault", "store", error.explanation))
    return findings


def _files(settings: Settings) -> Iterator[Finding]:
    file = database_file_of(settings)
    keys = settings.home / "keys"
    key_files = (encryption_key_file_of(settings), older_keys_file_of(settings), keys / "auth.secret")
    for path in filter(None, (file, settings.home, keys, *key_files)):
        if path.exists() and path.stat().st_mode & _OTHERS:
            command = f"chmod go= {shlex.quote(str(path.absolute()))}"
            yield Finding("warning", "files", f"others on this machine can get at {path.name or path}: {command}")


async def _store(parts: Parts) -> AsyncIterator[Finding]:
    repo = await parts.repo()
    if "database" in parts.made:
        state = await (await parts.database()).schema()
        if state != "current":
            raise UnavailableError(f"the database {SCHEMA_FAULTS[state]}")
    yield Finding("ok", "database", "answers, and its schema is this program's")
    await CheckMasterKey(cipher=await parts.cipher(), key_check=await parts.key_check()).verify()
    yield Finding("ok", "encryption key", "is the one that sealed the stored secrets")
    yield await _older_keys(parts)
    auth_secret_of(parts.settings, create=False)
    yield Finding("ok", "auth secret", "is there")
    total = (await repo.list(InstanceQuery(limit=1))).total
    yield Finding("ok" if total else "warning", "instances", f"{total} stored")


async def _older_keys(parts: Parts) -> Finding:
    about, places = "older encryption keys", " and ".join(places_of_older_keys(parts.settings))
    sealed = (await (await resealing(parts)).survey()).readable
    if sealed:
        says = f"{sum(sealed.values())} secrets of {len(sealed)} instances need one: polyant keys rotate-master"
        return Finding("warning", about, says)
    if not await CheckMasterKey(cipher=await parts.cipher(), key_check=await parts.key_check()).is_settled():
        return Finding("warning", about, "a new key has not replaced the last one yet: polyant keys rotate-master")
    may_go = f": {places} may go; keep a copy with older backups" if places else ""
    return Finding("ok", about, f"no secret needs one{may_go}")


async def _instances(parts: Parts) -> AsyncIterator[Finding]:
    repo = await parts.repo()
    reached: dict[tuple[str, str], Finding] = {}
    for summary in (await repo.list(InstanceQuery(status=InstanceStatus.ACTIVE))).instances:
        instance = await repo.get(summary.slug)
        if instance is None:
            continue
        async for finding in _instance(parts, instance, reached):
            yield finding


async def _instance(
    parts: Parts, instance: Instance, reached: dict[tuple[str, str], Finding]
) -> AsyncIterator[Finding]:
    about = f"instance {instance.slug}"
    cipher = await parts.cipher()
    for secret in instance.secrets.values():
        try:
            await cipher.open(secret.sealed, instance.address_of(secret))
        except PolyantError as error:
            yield Finding("fault", about, f"{secret.name}: {error.explanation}")
    if instance.auth_enabled and not instance.has_auth_key:
        yield Finding("warning", about, f"asks for a key and has none: polyant keys issue {instance.slug}")
    model = (await parts.chat_models()).get(instance.provider)
    if model is None:
        yield Finding("fault", about, f"its provider {instance.provider} is not enabled: list it in CHAT_MODELS")
        return
    try:
        await (await parts.provider_keys()).key_for(instance, model.info)
    except PolyantError as error:
        yield Finding("fault", about, error.explanation)
    address = base_url_of(instance, model.info)
    if (model.info.name, address) not in reached:
        reached[model.info.name, address] = await _reach(parts, model.info.name, address)
        yield reached[model.info.name, address]


async def _reach(parts: Parts, provider: str, address: str) -> Finding:
    about = f"provider {provider} at {address}"
    try:
        await (await parts.chat_models())[provider].check(address)
    except PolyantError as error:
        return Finding("fault", about, f"{error.message}: is the address right, and the network open?")
    return Finding("ok", about, "can be reached")
