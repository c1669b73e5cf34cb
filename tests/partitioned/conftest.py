"""A table of every kind of column, for all tests of this room."""

import pytest

from partitioned_tables import make_table


@pytest.fixture(scope="session")
def whole():
    return make_table()
