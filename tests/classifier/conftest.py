"""The generator that is used where none is named is quick here."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _quick(quick_transformer: None) -> None:
    """Take the shared fixture everywhere."""
