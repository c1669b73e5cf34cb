"""In tests committees of comparisons have two quick members, and the test of the ranking takes few draws."""

from collections.abc import Iterator

import pytest

from makeweight.evaluation import training
from makeweight.theory import slope_symmetry_test


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training.TEACHER, "members", ["closed-form", "lr"])
        patch.setitem(slope_symmetry_test.__kwdefaults__, "draws", 49)
        yield
