"""The parts of docs/clients.md that can be checked without running the clients."""

import os

import pytest

from clients.page import PAGE
from clients.registry import CLIENTS, HERE, WRITES_PAGE


@pytest.mark.skipif(WRITES_PAGE in os.environ, reason="the page is about to be written")
def test_page_contains_the_example_of_every_client() -> None:
    page = PAGE.read_text()
    assert [name for name, client in CLIENTS.items() if client.example.read_text().strip() not in page] == []


@pytest.mark.skipif(WRITES_PAGE in os.environ, reason="the page is about to be written")
def test_page_contains_the_example_of_haystack() -> None:
    assert (HERE / "heavy" / "haystack" / "snippet.py").read_text() in PAGE.read_text()


def test_every_client_has_a_test_module() -> None:
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert [name for name in CLIENTS if f'client = "{name}"' not in tests] == []
