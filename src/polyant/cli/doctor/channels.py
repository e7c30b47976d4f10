"""Checks the channel connections with their platforms, and looks for dead letters."""

from collections.abc import AsyncIterator

from polyant.cli.channel_output import problem_text
from polyant.cli.context import CliContext
from polyant.cli.doctor.finding import Finding, fault, ok, warning
from polyant.domain.channels import ChannelConnection
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.list_dead_letters import ListDeadLetters


async def check_connections(context: CliContext) -> AsyncIterator[Finding]:
    """Yields the findings of each connection; imports the channels only if an instance has one."""
    connections = await (await context.get(ChannelConnections)).list()
    if not connections:
        return
    check = await context.get(CheckChannel)
    for connection in connections:
        names = f"{connection.slug} {connection.channel}"
        if not connection.has_account:
            yield warning(
                _about(connection), "was imported, without an account", fix=f"Run `polyant channels connect {names}`"
            )
            continue
        if not connection.is_active:
            yield warning(
                _about(connection),
                "is paused, because it was restored from a backup",
                fix=f"Stop the other server, then run `polyant channels connect {names}`",
            )
            continue
        state = await check(connection.slug, connection.channel)
        for problem in state.problems:
            yield fault(
                _about(connection),
                problem,
                fix=f"Run `polyant channels test {names}` after the fix",
            )
        for recorded in connection.problems:
            yield warning(
                _about(connection),
                problem_text(recorded),
                fix=f"Run `polyant channels connect {names}` if it lasts; the next success ends it",
            )
        if not state.problems and not connection.problems:
            yield ok(_about(connection), f"{state.name or state.account} is connected")


async def check_dead_letters(context: CliContext) -> AsyncIterator[Finding]:
    """Yields a warning if there are dead letters."""
    if not await (await context.get(ChannelConnections)).list():
        return
    total = (await (await context.get(ListDeadLetters))(limit=1)).total
    if total:
        yield warning(
            "dead letters",
            f"{total} message{'' if total == 1 else 's'} couldn't be answered",
            fix="Run `polyant channels dead-letters`, then `polyant channels replay ID`",
        )


def _about(connection: ChannelConnection) -> str:
    return f"channel {connection.channel} of {connection.slug}"
