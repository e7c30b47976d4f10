"""polyant users: creates, lists, disables and deletes users, and sets their passwords."""

import argparse
from collections.abc import Mapping
from typing import Any

from polyant.cli.context import CliContext, run
from polyant.cli.output import print_json, print_table
from polyant.cli.secrets import read_value
from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownUserError, UserExistsError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.domain.use_cases.update_user import UpdateUser, UserPatch
from polyant.domain.users import Role, User, check_password, parse_email

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("users", help="manage the users of the management API")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = _action(
        actions, "create", "create a user; the password comes from a prompt or from standard input", _create
    )
    create.add_argument(
        "--role",
        choices=[*Role],
        default=Role.USER,
        help="role of the user; a superadmin also manages users [default: %(default)s]",
    )
    listing = actions.add_parser("list", help="list the users")
    listing.add_argument("--search", default="", help="text to find in the email address")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    _action(
        actions,
        "set-password",
        "set a user's password, from a prompt or from standard input, and end the user's sessions",
        _set_password,
    )
    _action(actions, "disable", "block a user and end the user's sessions", _disable)
    _action(actions, "enable", "unblock a user", _enable)
    _action(actions, "delete", "delete a user and end the user's sessions", _delete)


def _action(actions: Any, name: str, description: str, call: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=description)
    parser.add_argument("email", metavar="EMAIL", help="email address of the user")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=call)
    return parser


def _create(args: argparse.Namespace, environ: Environ) -> int | None:
    email = parse_email(args.email)

    async def check(context: CliContext) -> None:
        if await (await context.get(UserRepo)).find(email) is not None:
            raise UserExistsError(email)

    run(check, environ)
    password = _read_password()

    async def work(context: CliContext) -> None:
        user = await (await context.get(CreateUser))(email, password, role=Role(args.role), by=CLI)
        _print(user, args, f"Created {user.email}.")

    return run(work, environ)


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        page = await (await context.get(UserRepo)).list(search=args.search)
        if args.json:
            print_json({"users": list(map(_fields, page.users)), "total": page.total})
        else:
            rows = [(user.email, user.role, "disabled" if user.disabled else "active") for user in page.users]
            print_table(("EMAIL", "ROLE", "STATE"), rows)

    return run(work, environ)


def _set_password(args: argparse.Namespace, environ: Environ) -> int | None:
    async def check(context: CliContext) -> None:
        await _find(context, args.email)

    run(check, environ)
    return _update(args, environ, UserPatch(password=_read_password()), "Set the password of {}.")


def _disable(args: argparse.Namespace, environ: Environ) -> int | None:
    return _update(args, environ, UserPatch(disabled=True), "Disabled {}.")


def _enable(args: argparse.Namespace, environ: Environ) -> int | None:
    return _update(args, environ, UserPatch(disabled=False), "Enabled {}.")


def _update(args: argparse.Namespace, environ: Environ, patch: UserPatch, message: str) -> int | None:
    async def work(context: CliContext) -> None:
        update = await context.get(UpdateUser)
        user = await update((await _find(context, args.email)).id, patch, by=CLI)
        _print(user, args, message.format(user.email))

    return run(work, environ)


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        user = await _find(context, args.email)
        await (await context.get(DeleteUser))(user.id, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted {user.email}.")

    return run(work, environ)


async def _find(context: CliContext, email: str) -> User:
    user = await (await context.get(UserRepo)).find(parse_email(email))
    if user is None:
        raise UnknownUserError(email)
    return user


def _read_password() -> SecretText:
    """Returns the password; call it outside the event loop, so that Ctrl-C ends the prompt."""
    return SecretText(check_password(read_value("Password: ")))


def _print(user: User, args: argparse.Namespace, message: str) -> None:
    if args.json:
        print_json(_fields(user))
    else:
        print(message)


def _fields(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "role": user.role,
        "disabled": user.disabled,
        "createdAt": user.created_at,
        "updatedAt": user.updated_at,
    }
