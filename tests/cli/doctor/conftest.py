"""Fixtures for the checks of `polyant doctor`."""

import pytest

from support.commands import Polyant
from support.doctor import Doctor


@pytest.fixture
def findings(polyant: Polyant) -> Doctor:
    """Runs the command and returns the findings that aren't ok."""
    return Doctor(polyant)
