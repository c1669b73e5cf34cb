"""What all tests share: where the real tables are."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let an interrupt interrupt, also where the tests were started in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the real tables and published results, or skip."""
    folder = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real tables in {folder}; name their folder in MAKEWEIGHT_DATA")
    return folder


@pytest.fixture(scope="module")
def quick_transformer() -> Iterator[None]:
    """Let the transformer read the real rows in two column orders, where it would in eight or more."""
    from makeweight.generators.transformer import generator

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "DRAWS", (2, 2))
        yield


@pytest.fixture
def quick_committees() -> Iterator[None]:
    """Give committees of the members "auto" two quick ones."""
    from makeweight.classifier import taught
    from makeweight.committee import members

    with pytest.MonkeyPatch.context() as patch:
        for module in (taught, members):
            patch.setattr(module, "auto_members", lambda n_rows: ("closed-form", "lr"))
        yield


@pytest.fixture(scope="module")
def quick_comparisons(quick_transformer: None) -> Iterator[None]:
    """Give committees of comparisons two quick members, and the test of the ranking few draws."""
    from makeweight.evaluation import training
    from makeweight.theory import slope_symmetry_test

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training.TEACHER, "members", ["closed-form", "lr"])
        patch.setitem(slope_symmetry_test.__kwdefaults__, "draws", 49)
        yield
