"""The command `polyant doctor`."""

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from polyant.arguments import WiringError
from polyant.cli.context import CliContext
from polyant.cli.doctor.check import Check, run_checks
from polyant.cli.doctor.checks import DATA_CHECKS, MACHINE_CHECKS
from polyant.cli.doctor.finding import Finding, faults_of, ok
from polyant.cli.doctor.proxy import PublicAddress, check_proxy, parse_url
from polyant.cli.output import print_json
from polyant.settings import SettingsError, read_settings
from polyant.wiring import open_container


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("doctor", help="check settings, database, keys and providers, and suggest fixes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--url",
        type=_url,
        help="also check the address that clients use, and the headers of the proxies before the server",
    )
    parser.set_defaults(run=_examine)


def _examine(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    findings = asyncio.run(_findings(environ, args.url))
    if args.json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            print(f"{finding.state:<8} {finding.about}: {finding.text}")
    return 1 if any(finding.state == "fault" for finding in findings) else 0


def _url(text: str) -> str:
    try:
        return parse_url(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a URL such as https://assistants.example.com") from None


async def _findings(environ: Mapping[str, str], url: str | None) -> list[Finding]:
    """Returns the results of all checks; a fault that makes later checks pointless ends the list.

    Args:
        environ: The environment.
        url: The address that clients use; None to omit its check.
    """
    findings: list[Finding] = []
    try:
        settings = read_settings(environ)
        findings.append(ok("settings", "are valid"))
        if url is not None:
            await run_checks((Check("proxy", check_proxy),), PublicAddress(settings, url), findings)
        if not await run_checks(MACHINE_CHECKS, settings, findings):
            return findings
    except SettingsError as error:
        return [*findings, *faults_of("settings", error)]
    try:
        async with open_container(settings, environ, create=False) as container:
            await run_checks(DATA_CHECKS, CliContext(settings, container), findings)
    except (SettingsError, WiringError) as error:
        findings += faults_of("adapters" if isinstance(error, WiringError) else "settings", error)
    return findings
