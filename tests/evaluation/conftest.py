"""Comparisons are quick here."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _quick(quick_comparisons: None) -> None:
    """Take the shared fixture everywhere."""
