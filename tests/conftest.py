import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

pytest.register_assert_rewrite("polyant.testing", "support")

pytest_plugins = ["support.postgres", "support.databases"]

_TOGETHER = ("tests/clients/", "tests/multi/")
"""Folders whose tests load the machine themselves: each stays in one process, its tests one after another."""


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives every other test to whichever process is free.

    `--dist=loadgroup` would do the same by marks, but does nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in _TOGETHER if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return _Scheduling(config, log)
