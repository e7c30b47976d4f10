"""Counts events of channels in the Prometheus client's registry."""

from prometheus_client import Counter, Gauge

from polyant.domain.channel_metrics import ChannelMetrics

_EVENTS = Counter("polyant_channel_events", "Events of channels that ended", ("channel", "outcome"))
_LAG = Gauge(
    "polyant_channel_lag_seconds", "Time for which the oldest unclaimed event has been due", multiprocess_mode="livemax"
)
_DEAD_LETTERS = Gauge("polyant_channel_dead_letters", "Dead letters in the store", multiprocess_mode="livemax")


class PrometheusChannelMetrics(ChannelMetrics):
    """Records metrics; all workers share the registry if PROMETHEUS_MULTIPROC_DIR is set."""

    def ended(self, *, channel: str, outcome: str, number: int) -> None:
        _EVENTS.labels(channel, outcome).inc(number)

    def backlog(self, *, lag: float, dead_letters: int) -> None:
        _LAG.set(lag)
        _DEAD_LETTERS.set(dead_letters)
