from pathlib import Path

import pytest

pytest.register_assert_rewrite("polyant.testing", "support")

pytest_plugins = ["support.postgres", "support.databases"]

_ONE_BY_ONE = {"clients", "multi"}
"""Folders whose tests load the machine themselves: each stays in one process, its tests one after another."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in _ONE_BY_ONE:
            item.add_marker(pytest.mark.xdist_group(folder))
