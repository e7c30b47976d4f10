"""polyant doctor: checks settings, database, keys and providers, and suggests fixes."""

import argparse
import asyncio
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal

import msgspec

from polyant.arguments import WiringError
from polyant.cli.context import CliContext, find_data, schema_fault
from polyant.cli.output import print_json
from polyant.domain.errors import PolyantError, UnavailableError
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.provider_keys import ProviderKeys, base_url_of
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.reseal_secrets import ResealSecrets
from polyant.home import auth_secret_of, database_file_of, encryption_key_file_of
from polyant.master_keys import older_key_locations, older_keys_file_of
from polyant.settings import Settings, SettingsError
from polyant.wiring import open_container

_OTHERS = 0o077


class Finding(msgspec.Struct, frozen=True):
    """The result of one check, with a suggested fix."""

    state: Literal["ok", "warning", "fault"]
    about: str
    description: str = msgspec.field(name="says")


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
            print(f"{finding.state:<8} {finding.about}: {finding.description}")
    return 1 if any(finding.state == "fault" for finding in findings) else 0


async def _findings(environ: Mapping[str, str]) -> list[Finding]:
    """Returns the results of all checks; a fault that makes later checks pointless ends the list."""
    findings: list[Finding] = []
    try:
        settings = find_data(environ)
        findings += [Finding("ok", "settings", "are valid"), *_files(settings)]
        async with open_container(settings, environ, create=False) as container:
            context = CliContext(settings, container)
            findings += [finding async for finding in _store(context)]
            findings += [finding async for finding in _instances(context)]
    except SettingsError as error:
        findings += [Finding("fault", "settings", line) for line in str(error).splitlines()]
    except WiringError as error:
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
            yield Finding("warning", "files", f"other users can access {path.name or path}: run {command}")


async def _store(context: CliContext) -> AsyncIterator[Finding]:
    repo = await context.get(InstanceRepo)
    fault = await schema_fault(context)
    if fault is not None:
        raise UnavailableError(f"the {fault}")
    yield Finding("ok", "database", "is available, and its schema is current")
    await (await context.get(CheckMasterKey)).verify()
    yield Finding("ok", "encryption key", "matches the stored secrets")
    yield await _older_keys(context)
    auth_secret_of(context.settings, create=False)
    yield Finding("ok", "auth secret", "exists")
    total = (await repo.list(InstanceQuery(limit=1))).total
    yield Finding("ok" if total else "warning", "instances", f"{total} stored")


async def _older_keys(context: CliContext) -> Finding:
    about, places = "older encryption keys", " and ".join(older_key_locations(context.settings))
    sealed = (await (await context.get(ResealSecrets)).survey()).readable
    if sealed:
        need = f"{sum(sealed.values())} secrets of {len(sealed)} instances need one"
        return Finding("warning", about, f"{need}: run `polyant keys rotate-master`")
    if not await (await context.get(CheckMasterKey)).is_settled():
        return Finding("warning", about, "a key rotation is unfinished: run `polyant keys rotate-master`")
    removable = f": you can remove {places}; keep a copy with older backups" if places else ""
    return Finding("ok", about, f"no secret needs one{removable}")


async def _instances(context: CliContext) -> AsyncIterator[Finding]:
    repo = await context.get(InstanceRepo)
    reached: dict[tuple[str, str], Finding] = {}
    for summary in (await repo.list(InstanceQuery(status=InstanceStatus.ACTIVE))).instances:
        instance = await repo.get(summary.slug)
        if instance is None:
            continue
        async for finding in _instance(context, instance, reached):
            yield finding


async def _instance(
    context: CliContext, instance: Instance, reached: dict[tuple[str, str], Finding]
) -> AsyncIterator[Finding]:
    about = f"instance {instance.slug}"
    cipher = await context.get(SecretCipher)
    for secret in instance.secrets.values():
        try:
            await cipher.open(secret.sealed, instance.address_of(secret))
        except PolyantError as error:
            yield Finding("fault", about, f"{secret.name}: {error.explanation}")
    if instance.auth_enabled and not instance.has_auth_key:
        yield Finding("warning", about, f"requires an API key but has none: run `polyant keys issue {instance.slug}`")
    model = (await context.get(Mapping[str, ChatModel])).get(instance.provider)
    if model is None:
        yield Finding("fault", about, f"its provider {instance.provider} is not enabled: add it to CHAT_MODELS")
        return
    try:
        await (await context.get(ProviderKeys)).key_for(instance, model.info)
    except PolyantError as error:
        yield Finding("fault", about, error.explanation)
    address = base_url_of(instance, model.info)
    if (model.info.name, address) not in reached:
        reached[model.info.name, address] = await _reach(context, model.info.name, address)
        yield reached[model.info.name, address]


async def _reach(context: CliContext, provider: str, address: str) -> Finding:
    about = f"provider {provider} at {address}"
    try:
        await (await context.get(Mapping[str, ChatModel]))[provider].check(address)
    except PolyantError as error:
        return Finding("fault", about, f"{error.message}: check the address and the network")
    return Finding("ok", about, "can be reached")
