"""Committees of comparisons have two quick members in tests."""

from collections.abc import Iterator

import pytest

from makeweight.evaluation import training


@pytest.fixture(autouse=True, scope="module")
def _quick_teacher() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training.TEACHER, "members", ["closed-form", "lr"])
        yield
