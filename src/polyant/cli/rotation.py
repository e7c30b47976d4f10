"""polyant keys rotate-master: replaces the master key; servers may be running at the same time."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

from polyant.cli.context import CliContext, run
from polyant.cli.output import count, print_json
from polyant.cli.terminal import unescaped
from polyant.domain.audit import CLI
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.injectables import MasterKeyring
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.use_cases.check_master_key import CheckMasterKey
from polyant.domain.use_cases.reseal_secrets import Resealed, ResealSecrets, SecretPlace
from polyant.master_keys import older_key_locations, replace_key_file
from polyant.settings import SettingsError

_HOW_TO = """\
All secrets are encrypted with ENCRYPTION_KEY, and ENCRYPTION_KEY_PREVIOUS is not set. To replace the key:
1. generate a new one: python3 -c 'import secrets; print(secrets.token_hex(32))'
2. set ENCRYPTION_KEY to the new key and ENCRYPTION_KEY_PREVIOUS to the old one, for all servers and commands
3. restart the servers, one after another; store no secret until the last one has restarted
4. run `polyant keys rotate-master`"""

_BAR_CELLS = 30


def add_to(actions: Any) -> None:
    """Adds the action to `polyant keys`."""
    rotate = actions.add_parser(
        "rotate-master", help="replace the master key and re-encrypt every secret with the new one"
    )
    rotate.add_argument("--json", action="store_true", help="print JSON")
    rotate.set_defaults(run=_rotate)


def _rotate(args: argparse.Namespace, environ: Mapping[str, str]) -> int | None:
    async def work(context: CliContext) -> int:
        reseal = await context.get(ResealSecrets)
        with ProgressBar() as bar:
            resealed = await reseal(bar.draw, by=CLI)
        _print(resealed, older_key_locations(context.settings), as_json=args.json)
        return 1 if resealed.unreadable or resealed.unreadable_data_keys else 0

    run(_provide_key, environ)
    try:
        # A new container, so that a cipher that reads its keys only once uses the new key.
        return run(work, environ)
    except (KeyboardInterrupt, StorageUnavailableError):
        print("polyant: not finished: run `polyant keys rotate-master` again to resume", file=sys.stderr)
        raise


async def _provide_key(context: CliContext) -> None:
    """Provides a new master key, unless an unfinished rotation has already introduced one.

    Raises:
        SettingsError: The operator has to provide the key; the message lists the steps.
    """
    if not context.container.needs(SecretCipher, MasterKeyring):  # the cipher has keys of its own
        return
    check = await context.get(CheckMasterKey)
    await check.keep()
    current = next(iter(await context.get(MasterKeyring)))
    if not await check.is_settled():
        return
    if context.settings.encryption_key is None:
        replace_key_file(context.settings, current)
    elif not context.settings.encryption_key_previous:
        raise SettingsError(_HOW_TO)


def _print(resealed: Resealed, older_keys: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(resealed)
        return
    print(
        f"Re-encrypted {count(resealed.secrets, 'secret')} of {count(resealed.instances, 'instance')}; "
        f"{len(resealed.unreadable)} could not be decrypted."
    )
    if resealed.data_keys:
        print(f"Wrapped {count(resealed.data_keys, 'data key')} of conversations with the new master key.")
    if resealed.unreadable_data_keys:
        print(
            f"polyant: no key unwraps {count(resealed.unreadable_data_keys, 'data key')}: the conversations can't be "
            "read: delete them or provide the key that wrapped them",
            file=sys.stderr,
        )
    for place in resealed.unreadable:
        print(f"polyant: {_unreadable_message(place)}", file=sys.stderr)
    if older_keys:
        names = " and ".join(older_keys)
        print(f"Remove {names} once `polyant doctor` reports that no secret needs it; keep a copy with older backups.")


def _unreadable_message(place: SecretPlace) -> str:
    return (
        f"no key decrypts the secret {place.name} of instance '{place.instance}': "
        f"set it again (polyant secrets set {place.instance} {place.name}) or provide the key that encrypted it"
    )


class ProgressBar:
    """Draws a progress bar if standard error is a terminal."""

    def __init__(self) -> None:
        self._is_drawing = False

    def __enter__(self) -> Self:
        """Returns the bar; nothing is drawn yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the line of an unfinished bar."""
        if self._is_drawing:
            print(file=sys.stderr)

    def draw(self, number: int, done: int, total: int) -> None:
        """Draws the progress of a round; each round has its own line.

        Args:
            number: The number of the round.
            done: The number of finished instances.
            total: The number of instances.
        """
        if not sys.stderr.isatty():
            return
        cells = _BAR_CELLS * done // total if total else _BAR_CELLS
        self._is_drawing = done < total
        bar = f"\rRound {number} [{'#' * cells:.<{_BAR_CELLS}}] {done}/{total} instances"
        print(bar, end="" if self._is_drawing else "\n", file=unescaped(sys.stderr), flush=True)
