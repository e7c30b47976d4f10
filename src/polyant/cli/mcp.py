"""polyant mcp: sets, lists, tests and deletes an instance's MCP servers."""

import argparse
import logging
import sys
from collections.abc import Mapping
from typing import Any

from polyant.cli.arguments import words
from polyant.cli.context import CliContext, run
from polyant.cli.output import clipped, count, mcp_check_fields, mcp_server_fields, print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.instances import parse_slug
from polyant.domain.mcp_headers import unusable_headers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName, parse_secret_name
from polyant.domain.use_cases.check_mcp_server import CheckMcpServer, FoundTool, McpServerCheck
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.set_mcp_server import McpServerChange, SetMcpServer
from polyant.domain.use_cases.show_instance import ShowInstance

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("mcp", help="set, list, test and delete an instance's MCP servers")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    put = actions.add_parser("set", help="add an MCP server, or replace the one with that name")
    put.set_defaults(run=_set)
    listing = actions.add_parser("list", help="list an instance's MCP servers")
    listing.set_defaults(run=_list)
    test = actions.add_parser("test", help="connect to an MCP server as a turn would, and list its tools")
    test.set_defaults(run=_test)
    delete = actions.add_parser("delete", help="remove an MCP server")
    delete.set_defaults(run=_delete)
    for action in (put, listing, test, delete):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (put, test, delete):
        action.add_argument("name", metavar="NAME", help="name of the server; it prefixes the names of its tools")
    put.add_argument(
        "url", metavar="URL", help="URL of the server's Streamable HTTP endpoint, e.g. https://mcp.example/mcp"
    )
    put.add_argument(
        "--tools",
        default="",
        metavar="A,B",
        help="tools to enable [names separated by commas; `*` to enable all; default: none]",
    )
    put.add_argument(
        "--header",
        dest="headers",
        action="append",
        default=[],
        metavar="NAME=SECRET",
        help="header to send, and the secret that contains its value [may be repeated]",
    )


def _header(text: str) -> tuple[str, SecretName]:
    name, _, secret = text.partition("=")
    return name, parse_secret_name(secret)


def _set(args: argparse.Namespace, environ: Environ) -> int | None:
    server = McpServer(name=args.name, url=args.url, headers=dict(map(_header, args.headers)), tools=words(args.tools))

    async def work(context: CliContext) -> None:
        set_mcp_server = await context.get(SetMcpServer)
        instance = await set_mcp_server(
            parse_slug(args.slug), McpServerChange(server=server), by=CLI, unrestricted=True
        )
        if args.json:
            print_json(mcp_server_fields(server))
        else:
            print(f"Set the MCP server {server.name} of {args.slug}.")
        for fault in unusable_headers(instance):
            print(f"polyant: {fault}", file=sys.stderr)

    return run(work, environ)


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        servers = (await (await context.get(ShowInstance))(parse_slug(args.slug))).mcp_servers
        if args.json:
            print_json({"mcpServers": [mcp_server_fields(server) for server in servers]})
            return
        rows = [(server.name, ",".join(server.tools), ",".join(server.headers), server.url) for server in servers]
        print_table(("NAME", "TOOLS", "HEADERS", "URL"), [[cell or None for cell in row] for row in rows])

    return run(work, environ)


def _test(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> int | None:
        # The result has the same reasons as these warnings.
        logging.getLogger("polyant.mcp").setLevel(logging.ERROR)
        check = await (await context.get(CheckMcpServer))(parse_slug(args.slug), args.name)
        if args.json:
            print_json(mcp_check_fields(check))
        elif check.problem is not None:
            print(f"polyant: {check.problem}", file=sys.stderr)
        else:
            _print_check(args.name, check)
        return None if check.problem is None else 1

    return run(work, environ)


def _print_check(name: str, check: McpServerCheck) -> None:
    found = count(len(check.tools), "tool")
    print(f"The MCP server {name} has {found}, of which the model is offered {len(check.enabled)}.")
    rows = [(tool.name, _state(tool), tool.offered_as, clipped(tool.description)) for tool in check.tools]
    if rows:
        print_table(("TOOL", "STATE", "OFFERED AS", "DESCRIPTION"), rows)
    for tool in check.unknown_tools:
        print(f"polyant: The server has no tool {tool}, which is enabled", file=sys.stderr)
    for note in check.notes:
        print(f"polyant: The list of tools is incomplete: {note}", file=sys.stderr)


def _state(tool: FoundTool) -> str:
    if tool.skipped is not None:
        return f"skipped: {tool.skipped}"
    return "enabled" if tool.enabled else "not enabled"


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        await (await context.get(DeleteMcpServer))(parse_slug(args.slug), args.name, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted the MCP server {args.name} of {args.slug}.")

    return run(work, environ)
