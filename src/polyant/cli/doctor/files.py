"""Checks the permissions of the files in POLYANT_HOME."""

import shlex
from collections.abc import AsyncIterator

from polyant.cli.doctor.finding import Finding, warning
from polyant.home import database_file_of, encryption_key_file_of
from polyant.master_keys import older_keys_file_of
from polyant.settings import Settings

_OTHERS = 0o077


async def check_permissions(settings: Settings) -> AsyncIterator[Finding]:
    """Yields a warning for each file and folder that other users can access."""
    keys = settings.home / "keys"
    key_files = (encryption_key_file_of(settings), older_keys_file_of(settings), keys / "auth.secret")
    for path in filter(None, (database_file_of(settings), settings.home, keys, *key_files)):
        if path.exists() and path.stat().st_mode & _OTHERS:
            command = f"chmod go= {shlex.quote(str(path.absolute()))}"
            yield warning("files", f"other users can access {path.name or path}", fix=f"Run `{command}`")
