"""polyant instances: creates, lists, shows, changes and deletes instances."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec
from msgspec import UNSET

from polyant.cli import instance_transfer
from polyant.cli.arguments import DEFAULT, or_default, words
from polyant.cli.context import CliContext, run, tools_of
from polyant.cli.mcp_tools import mcp_tools_of
from polyant.cli.output import instance_fields, print_instance, print_json, print_table, state_fields
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import CLI
from polyant.domain.base_urls import correction_of
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import ToolNames
from polyant.domain.instance_states import parse_state_number
from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    MAX_TEMPERATURE,
    InstanceQuery,
    InstanceStatus,
    JsonObject,
    Slug,
    TranscriptReaders,
    parse_slug,
)
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.provider_keys import address_of, moved_key
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.list_states import ListStates
from polyant.domain.use_cases.restore_state import RestoreState
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("instances", help="create, list, show, change and delete instances")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    create = _action(actions, "create", "create an instance", _create)
    _add_fields(create)
    listing = actions.add_parser("list", help="list the instances")
    listing.add_argument("--search", default="", help="text to find in the slug, name or description")
    listing.add_argument("--status", choices=[*InstanceStatus], help="only instances with this status")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    _action(
        actions,
        "show",
        "show an instance, its tools (also those that its MCP servers offer now) and the names of its secrets",
        _show,
    )
    update = _action(actions, "update", "change the given fields of an instance", _update)
    _add_fields(update)
    auth = update.add_mutually_exclusive_group()
    auth.add_argument("--auth", dest="auth_enabled", action="store_true", default=None, help="require an API key")
    auth.add_argument("--no-auth", dest="auth_enabled", action="store_false", help="accept calls without an API key")
    _add_conversations(update)
    images = update.add_mutually_exclusive_group()
    images.add_argument(
        "--image-input", dest="image_input", action="store_true", default=None, help="accept images in messages"
    )
    images.add_argument("--no-image-input", dest="image_input", action="store_false", help="accept only text")
    _add_tools_and_limits(update)
    _add_options(update)
    _action(actions, "enable", "serve a disabled instance again", _enable)
    _action(actions, "disable", "stop serving an instance and keep its data", _disable)
    _action(actions, "history", "list the earlier prompts and settings of an instance", _history)
    restore = _action(actions, "restore", "save earlier prompts and settings of an instance again", _restore)
    restore.add_argument("number", metavar="N", help="number of the state, see `polyant instances history SLUG`")
    instance_transfer.add_to(actions)
    delete = _action(actions, "delete", "delete an instance and all its data", _delete)
    delete.add_argument("--yes", action="store_true", help="skip the confirmation prompt")


def _action(actions: Any, name: str, description: str, call: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=description)
    parser.add_argument("slug", metavar="SLUG", help="slug of the instance")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=call)
    return parser


def _add_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="display name")
    parser.add_argument("--description", help="description")
    parser.add_argument("--provider", help="model provider [see `polyant adapters`]")
    parser.add_argument("--model", help="model name, as the provider calls it")
    parser.add_argument("--base-url", help="base URL of the provider [empty to use the provider's own]")
    parser.add_argument(
        "--temperature",
        type=or_default(float),
        help=f"sampling temperature [0 to {MAX_TEMPERATURE:g}; `default` to use the provider's]",
        metavar="NUMBER",
    )


def _add_conversations(parser: argparse.ArgumentParser) -> None:
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument(
        "--conversations",
        action="store_true",
        default=None,
        help="keep conversations, which callers continue by `chat_id` (requires an API key)",
    )
    switch.add_argument("--no-conversations", dest="conversations", action="store_false", help="keep no conversations")
    parser.add_argument(
        "--history-tokens",
        type=or_default(int),
        metavar="NUMBER",
        help=f"estimated tokens of stored messages in a model call [`default` for {DEFAULT_HISTORY_TOKENS}]",
    )
    parser.add_argument(
        "--history-messages",
        type=or_default(int),
        metavar="NUMBER",
        help=f"stored messages in a model call [`default` for {DEFAULT_HISTORY_MESSAGES}]",
    )
    parser.add_argument(
        "--transcripts", choices=[*TranscriptReaders], help="who may read the texts of conversations in the panel"
    )


def _add_tools_and_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tools",
        metavar="A,B",
        help="tools to enable, see `polyant adapters` [names separated by commas; empty to disable all]",
    )
    for option, kind, description in (
        ("--max-steps", int, "maximum model calls per turn"),
        ("--max-tool-calls", int, "maximum tool calls per turn"),
        ("--turn-seconds", float, "maximum seconds per turn"),
        ("--tool-seconds", float, "maximum seconds per tool call"),
    ):
        parser.add_argument(
            option, type=or_default(kind), metavar="NUMBER", help=f"{description} [`default` to use the server's limit]"
        )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--options",
        nargs=2,
        action="append",
        default=[],
        metavar=("ADAPTER", "JSON"),
        help="options for a chat model, tool or Supervisor [a JSON object, or `null` to remove them; may be repeated]",
    )


def _create(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        new = NewInstance(
            slug=args.slug,
            name=args.name,
            description=args.description or "",
            provider=args.provider or "scripted",
            model=args.model,
            base_url=args.base_url,
            temperature=None if args.temperature == DEFAULT else args.temperature,
        )
        instance = (await (await context.get(CreateInstance))(new, by=CLI, unrestricted=True)).instance
        address = address_of(instance, await context.get(Mapping[str, ProviderInfo]))
        print_instance(instance, (), mcp_tools=(), address=address, as_json=args.json)
        _warn(correction_of(args.base_url))

    return run(work, environ)


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        status = InstanceStatus(args.status) if args.status else None
        page = await (await context.get(InstanceRepo)).list(InstanceQuery(status=status, search=args.search))
        if args.json:
            print_json({"instances": [instance_fields(found) for found in page.instances], "total": page.total})
            return
        rows = [
            (found.slug, found.status, found.provider, found.model, "key" if found.auth_enabled else "open", found.name)
            for found in page.instances
        ]
        print_table(("SLUG", "STATUS", "PROVIDER", "MODEL", "AUTH", "NAME"), rows)

    return run(work, environ)


def _show(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        instance = await (await context.get(ShowInstance))(parse_slug(args.slug))
        address = address_of(instance, await context.get(Mapping[str, ProviderInfo]))
        tools, mcp_tools = await tools_of(context, instance), await mcp_tools_of(context, instance)
        print_instance(instance, tools, mcp_tools=mcp_tools, address=address, as_json=args.json)

    return run(work, environ)


def _update(args: argparse.Namespace, environ: Environ) -> int | None:
    return _patch(args, environ, _patch_of(args))


def _enable(args: argparse.Namespace, environ: Environ) -> int | None:
    return _patch(args, environ, InstancePatch(status=InstanceStatus.ACTIVE))


def _disable(args: argparse.Namespace, environ: Environ) -> int | None:
    return _patch(args, environ, InstancePatch(status=InstanceStatus.DISABLED))


def _patch_of(args: argparse.Namespace) -> InstancePatch:
    def given(value: Any) -> Any:
        return UNSET if value is None else value

    def given_number(value: Any) -> Any:
        return None if value == DEFAULT else given(value)

    return InstancePatch(
        name=given(args.name),
        description=given(args.description),
        provider=given(args.provider),
        model=given(args.model),
        base_url=given(args.base_url) or (UNSET if args.base_url is None else None),
        temperature=given_number(args.temperature),
        auth_enabled=given(args.auth_enabled),
        conversations=given(args.conversations),
        history_tokens=DEFAULT_HISTORY_TOKENS if args.history_tokens == DEFAULT else given(args.history_tokens),
        history_messages=DEFAULT_HISTORY_MESSAGES if args.history_messages == DEFAULT else given(args.history_messages),
        transcripts=UNSET if args.transcripts is None else TranscriptReaders(args.transcripts),
        image_input=given(args.image_input),
        tools=UNSET if args.tools is None else words(args.tools),
        max_steps=given_number(args.max_steps),
        max_tool_calls=given_number(args.max_tool_calls),
        turn_seconds=given_number(args.turn_seconds),
        tool_seconds=given_number(args.tool_seconds),
        options=_options_in(args.options) if args.options else UNSET,
    )


def _options_in(pairs: Sequence[tuple[str, str]]) -> dict[str, JsonObject | None]:
    """Returns the options by adapter.

    Raises:
        InvalidInputError: A text is neither a JSON object nor null.
    """
    options: dict[str, JsonObject | None] = {}
    for name, text in pairs:
        try:
            options[name] = msgspec.json.decode(text, type=dict[str, Any] | None)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InvalidInputError(f"--options {name}: expected a JSON object or null ({error})") from None
    return options


def _patch(args: argparse.Namespace, environ: Environ, patch: InstancePatch) -> int | None:
    async def work(context: CliContext) -> None:
        providers = await context.get(Mapping[str, ProviderInfo])
        update = UpdateInstance(
            edit=await context.get(EditInstance),
            providers=providers,
            tools=await context.get(ToolNames),
            # Built only if needed: it builds every adapter.
            adapter_options=AdapterOptions({}) if patch.options is UNSET else await context.get(AdapterOptions),
            outbound=await context.get(OutboundPolicy),
        )
        instance = await update(parse_slug(args.slug), patch, by=CLI, unrestricted=True)
        address = address_of(instance, providers)
        print_instance(instance, await tools_of(context, instance), address=address, as_json=args.json)
        _warn(correction_of(patch.base_url or None))
        _warn(moved_key(instance, providers))

    return run(work, environ)


def _warn(notice: str | None) -> None:
    if notice is not None:
        print(f"polyant: {notice}", file=sys.stderr)


def _history(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        states = await (await context.get(ListStates))(parse_slug(args.slug))
        if args.json:
            print_json({"states": [state_fields(state) for state in states], "total": len(states)})
            return
        rows = [
            (
                state.number,
                f"{state.replaced_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                state.replaced_by,
                ", ".join(state.changed),
            )
            for state in states
        ]
        print_table(("STATE", "REPLACED (UTC)", "BY", "CHANGED"), rows)

    return run(work, environ)


def _restore(args: argparse.Namespace, environ: Environ) -> int | None:
    slug, number = parse_slug(args.slug), parse_state_number(args.number)

    async def work(context: CliContext) -> None:
        providers = await context.get(Mapping[str, ProviderInfo])
        instance = await (await context.get(RestoreState))(slug, number, by=CLI, unrestricted=True)
        address = address_of(instance, providers)
        print_instance(instance, await tools_of(context, instance), address=address, as_json=args.json)
        _warn(moved_key(instance, providers))

    return run(work, environ)


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    slug = parse_slug(args.slug)

    async def check(context: CliContext) -> None:
        await (await context.get(ShowInstance))(slug)

    run(check, environ)
    if not args.yes and not _confirmed(slug):
        return 1

    async def work(context: CliContext) -> None:
        await (await context.get(DeleteInstance))(slug, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted {slug}.")

    return run(work, environ)


def _confirmed(slug: Slug) -> bool:
    if not sys.stdin.isatty():
        print("polyant: no terminal to ask for confirmation: pass --yes to delete", file=sys.stderr)
        return False
    return input(f"Delete {slug} with its prompts and secrets? Type its slug to confirm: ").strip() == slug
