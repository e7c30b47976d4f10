"""The cases by name, in the order in which they run."""

from collections.abc import Mapping

from bench.cases.crowds import paced, slow_readers
from bench.cases.growing import channel_delays, conversations, histories, idle_streams, instances, listing, webhooks
from bench.cases.paneling import idle_panel, pages
from bench.cases.relaying import embedded, limiters, non_streaming, streaming, tools, tracing
from bench.cases.sharing import workers
from bench.cases.starting import memory, starts
from bench.command import Case

CASES: Mapping[str, Case] = {
    "non-streaming": non_streaming,
    "streaming": streaming,
    "tools": tools,
    "tracing": tracing,
    "embedded": embedded,
    "limiter": limiters,
    "workers": workers,
    "history": histories,
    "conversations": conversations,
    "webhook": webhooks,
    "channel-delay": channel_delays,
    "instances": instances,
    "models": listing,
    "idle": idle_streams,
    "500-streams": paced(500),
    "1000-streams": paced(1_000),
    "slow-reader": slow_readers,
    "start": starts,
    "memory": memory,
    "panel": pages,
    "panel-idle": idle_panel,
}
