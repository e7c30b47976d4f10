"""Checks the database and the keys."""

from collections.abc import AsyncIterator

from polyant.cli.context import CliContext, check_schema
from polyant.cli.doctor.finding import Finding, ok, warning
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.reseal_secrets import ResealSecrets
from polyant.domain.use_cases.rewrap_data_keys import RewrapDataKeys
from polyant.home import auth_secret_of
from polyant.master_keys import older_key_locations

_ROTATE = "Run `polyant keys rotate-master`"


async def check_database(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether the database responds and its schema is current."""
    await context.get(InstanceRepo)
    await check_schema(context)
    yield ok("database", "is available, and its schema is current")


async def check_encryption_key(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether the master key is the one that encrypted the stored secrets."""
    await (await context.get(CheckMasterKey)).verify()
    yield ok("encryption key", "matches the stored secrets")


async def check_older_keys(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether secrets or conversations still need an older master key."""
    about, places = "older encryption keys", " and ".join(older_key_locations(context.settings))
    sealed = (await (await context.get(ResealSecrets)).survey()).readable
    data_keys = await (await context.get(RewrapDataKeys)).pending()
    if data_keys.unreadable:
        need = f"no key unwraps {data_keys.unreadable} data keys of conversations"
        yield warning(about, need, fix="Provide the key that wrapped them, or delete the conversations")
    if sealed:
        need = f"{sum(sealed.values())} secrets of {len(sealed)} instances need one"
        yield warning(about, need, fix=_ROTATE)
    elif data_keys.keys:
        yield warning(about, f"{data_keys.keys} data keys of conversations need one", fix=_ROTATE)
    elif not await (await context.get(CheckMasterKey)).is_settled():
        yield warning(about, "a key rotation is unfinished", fix=_ROTATE)
    else:
        removable = f": you can remove {places}; keep a copy with older backups" if places else ""
        yield ok(about, f"no secret needs one{removable}")


async def check_auth_secret(context: CliContext) -> AsyncIterator[Finding]:
    """Yields whether the secret that signs sessions exists."""
    auth_secret_of(context.settings, create=False)
    yield ok("auth secret", "exists")
