"""The content of stores, for tests that back them up and restore them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.piccolo.archive import PiccoloArchive
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.audit import AuditEntry
from polyant.domain.instances import Instance
from polyant.domain.secrets import SecretText
from polyant.testing.archive import items_of

PASSPHRASE = "correct horse battery"


def stored_in(url: str, *keys: str) -> Sequence[object]:
    """Returns the items in a database: instances with the values of their secrets, users and audit entries."""
    return asyncio.run(_stored_in(url, AesGcmSecretCipher(master_keys=list(map(SecretText, keys)))))


def in_home(home: Path) -> Sequence[object]:
    """Returns the items in an embedded database, without the entry of a restore."""
    keys = (home / "keys" / "encryption.key").read_text().split()
    found = stored_in(f"sqlite:///{home}/polyant.db", *keys)
    return [item for item in found if not isinstance(item, AuditEntry) or item.action != "backup.restore"]


async def _stored_in(url: str, cipher: AesGcmSecretCipher) -> Sequence[object]:
    async with PiccoloDatabase(url) as database:
        items = await items_of(PiccoloArchive(database=database))
    return [await _plain(item, cipher) if isinstance(item, Instance) else item for item in items]


async def _plain(instance: Instance, cipher: AesGcmSecretCipher) -> object:
    secrets = {
        name: (
            (await cipher.open(secret.sealed, instance.address_of(secret))).reveal(),
            (secret.updated_at, secret.origin, secret.expires_at, secret.fingerprint is None),
        )
        for name, secret in instance.secrets.items()
    }
    return msgspec.structs.replace(instance, secrets={}), secrets
