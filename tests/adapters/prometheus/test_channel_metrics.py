from pathlib import Path

from prometheus_client import REGISTRY

from polyant.adapters.prometheus.channel_metrics import PrometheusChannelMetrics
from polyant.domain.use_cases.channels.end_events import EndEvents
from polyant.settings import read_settings
from polyant.wiring import open_container


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_events_are_counted_by_channel_and_outcome() -> None:
    metrics, labels = PrometheusChannelMetrics(), {"channel": "telegram", "outcome": "answered"}
    before = sample("polyant_channel_events_total", **labels)
    metrics.ended(channel="telegram", outcome="answered", number=3)
    assert sample("polyant_channel_events_total", **labels) - before == 3
    metrics.backlog(lag=2.5, dead_letters=4)
    assert sample("polyant_channel_lag_seconds") == 2.5
    assert sample("polyant_channel_dead_letters") == 4


async def test_channels_are_measured_only_with_a_metrics_token(tmp_path: Path) -> None:
    environ = {"POLYANT_HOME": str(tmp_path)}
    for token, kind in (("", "NoChannelMetrics"), ("a-token-for-the-scraper", "PrometheusChannelMetrics")):
        given = {**environ, "METRICS_TOKEN": token}
        async with open_container(read_settings(given), given, create=True) as container:
            assert type((await container.get(EndEvents))._metrics).__name__ == kind
