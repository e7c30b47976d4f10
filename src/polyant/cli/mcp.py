"""polyant mcp: sets, lists and deletes an instance's MCP servers."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from polyant.cli.arguments import words
from polyant.cli.context import CliContext, run
from polyant.cli.output import mcp_server_fields, print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.instances import parse_slug
from polyant.domain.mcp_headers import unusable_headers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.secrets import SecretName, parse_secret_name
from polyant.domain.use_cases.delete_mcp_server import DeleteMcpServer
from polyant.domain.use_cases.set_mcp_server import SetMcpServer
from polyant.domain.use_cases.show_instance import ShowInstance

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("mcp", help="set, list and delete an instance's MCP servers")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    put = actions.add_parser("set", help="add an MCP server, or replace the one with that name")
    put.set_defaults(run=_set)
    listing = actions.add_parser("list", help="list an instance's MCP servers")
    listing.set_defaults(run=_list)
    delete = actions.add_parser("delete", help="remove an MCP server")
    delete.set_defaults(run=_delete)
    for action in (put, listing, delete):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (put, delete):
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
        instance = await (await context.get(SetMcpServer))(parse_slug(args.slug), server, by=CLI, unrestricted=True)
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


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        await (await context.get(DeleteMcpServer))(parse_slug(args.slug), args.name, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted the MCP server {args.name} of {args.slug}.")

    return run(work, environ)
