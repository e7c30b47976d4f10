"""polyant adapters: lists the installed adapters and shows which are in use."""

import argparse
from collections.abc import Mapping
from typing import Any

from polyant import plugins
from polyant.adapter_groups import GROUPS, chosen_adapters
from polyant.cli.output import print_json, print_table
from polyant.settings import read_settings


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("adapters", help="list the installed adapters and show which are in use")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_list)


def _list(args: argparse.Namespace, environ: Mapping[str, str]) -> None:
    chosen = chosen_adapters(read_settings(environ))
    found = [
        {
            "group": adapter.group,
            "name": adapter.name,
            "package": adapter.package,
            "version": adapter.version,
            "chosen": (adapter.group, adapter.name) in chosen,
        }
        for adapter in plugins.installed_adapters(group.name for group in GROUPS)
    ]
    if args.json:
        print_json({"adapters": found})
    else:
        rows = [(*list(row.values())[:4], "yes" if row["chosen"] else "") for row in found]
        print_table(("GROUP", "NAME", "PACKAGE", "VERSION", "CHOSEN"), rows)
