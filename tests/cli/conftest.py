"""A small imbalanced table, and the command line as a function."""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from makeweight.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True, scope="module")
def _quick(quick_comparisons):
    """Generator and comparisons are quick here."""


@pytest.fixture
def run(capsys):
    """Run the command line in this process."""

    def call(*args):
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def table():
    """Forty rows: an identifier, numbers, a category with missing values, two attributes, a rare label."""
    rng = np.random.default_rng(0)
    n = 40
    return pd.DataFrame(
        {
            "id": [f"A{i:03d}" for i in rng.permutation(n)],
            "age": rng.integers(18, 80, n),
            "income": rng.normal(1000, 200, n).round(2),
            "colour": rng.choice(["red", "green", None], n),
            "sex": np.resize(["f", "m"], n),
            "paid": np.repeat(["no", "yes"], [32, 8]),
        }
    )


@pytest.fixture
def csv(table, tmp_path, monkeypatch):
    """The table as a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    return path
