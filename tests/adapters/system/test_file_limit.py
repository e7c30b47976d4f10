import resource
from collections.abc import Iterator

import pytest

from polyant.adapters.system.file_limit import raise_file_limit


@pytest.fixture
def maximum() -> Iterator[int]:
    """The hard limit; the soft limit is set to 256."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_limit_is_raised_to_the_maximum(maximum: int) -> None:
    raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (maximum, maximum)


@pytest.mark.parametrize("refusal", [ValueError, OSError])
def test_refused_change_leaves_the_limit(
    maximum: int, monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    with monkeypatch.context() as context:
        context.setattr(resource, "setrlimit", refuse)
        raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, maximum)
