"""What all tests share: where the real tables are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the real tables and published results, or skip."""
    folder = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real tables in {folder}; name their folder in MAKEWEIGHT_DATA")
    return folder
