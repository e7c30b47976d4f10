"""polyant adapters: lists the installed adapters, which are in use, and their settings."""

import argparse
from collections.abc import Mapping
from typing import Any

import msgspec

from polyant import plugins
from polyant.adapter_groups import GROUPS, chosen_adapters
from polyant.adapter_settings import AdapterSetting, describe_settings, settings_struct_of
from polyant.arguments import WiringError
from polyant.cli import new_adapter
from polyant.cli.output import print_json, print_table
from polyant.domain.adapter_options import declared_options
from polyant.domain.instances import JsonObject
from polyant.domain.tools import object_schema
from polyant.settings import read_settings

_GROUPS = {group.name: group for group in GROUPS}


class AdapterRow(msgspec.Struct, kw_only=True):
    """An installed adapter, as the command shows it."""

    group: str
    name: str
    package: str
    version: str
    chosen: bool
    fault: str | None = None
    """Why the adapter can't be imported."""
    settings: tuple[AdapterSetting, ...] = ()
    options: JsonObject | None = None
    """The JSON schema of an instance's options for the adapter; None if it has none."""


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("adapters", help="list the installed adapters, their settings, and which are in use")
    parser.add_argument(
        "--json", action="store_true", help="print JSON, with the JSON schema of each adapter's options for instances"
    )
    parser.set_defaults(run=_list)
    new_adapter.add_to(parser.add_subparsers(metavar="ACTION", help="without an action, the adapters are listed"))


def _list(args: argparse.Namespace, environ: Mapping[str, str]) -> None:
    chosen = chosen_adapters(read_settings(environ))
    rows = [
        _row(adapter, chosen=(adapter.group, adapter.name) in chosen)
        for adapter in plugins.installed_adapters(group.name for group in GROUPS)
    ]
    if args.json:
        print_json({"adapters": rows})
        return
    print_table(
        ("GROUP", "NAME", "PACKAGE", "VERSION", "CHOSEN"),
        [(row.group, row.name, row.package, row.version, _mark(row)) for row in rows],
    )
    faults = [(row.group, row.name, row.fault) for row in rows if row.fault is not None]
    if faults:
        print()
        print_table(("GROUP", "FAULTY", "REASON"), faults)
    settings = [(row.name, setting) for row in rows for setting in row.settings]
    if settings:
        print()
        print_table(("ADAPTER", "VARIABLE", "SET", "ALLOWED", "DEFAULT"), [_cells(*pair, environ) for pair in settings])


def _row(adapter: plugins.InstalledAdapter, *, chosen: bool) -> AdapterRow:
    """Returns the row of an adapter, which is imported; a fault is shown and hides nothing else."""
    row = AdapterRow(
        group=adapter.group, name=adapter.name, package=adapter.package, version=adapter.version, chosen=chosen
    )
    try:
        built_by = plugins.load(_GROUPS[adapter.group], adapter.name)
        kind, options = settings_struct_of(built_by), declared_options(built_by)
        row.settings = () if kind is None else describe_settings(adapter.name, kind)
        row.options = None if options is None else object_schema(options)
    except (WiringError, TypeError) as error:
        row.fault = str(error)
    return row


def _mark(row: AdapterRow) -> str:
    usable = "" if row.fault is None else "faulty"
    return ", ".join(filter(None, ("yes" if row.chosen else "", usable)))


def _cells(adapter: str, setting: AdapterSetting, environ: Mapping[str, str]) -> tuple[str, ...]:
    is_set = "yes" if environ.get(setting.variable, "").strip() else ""
    return (
        adapter,
        setting.variable,
        is_set,
        setting.allowed,
        "required" if setting.default is None else setting.default,
    )
