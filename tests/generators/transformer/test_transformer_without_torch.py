"""The default generator where there is no torch, and the same bytes whatever the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

BLOCK = """
import sys


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, NoTorch())
"""
EVERYTHING = """
import numpy as np
from makeweight.committee import Committee
from makeweight.errors import MissingDependency
from makeweight.generators.contract import example_table
from makeweight.generators.registry import available, resolve
from makeweight.sampler import balance

table = example_table(120)
for name in ("transformer", "auto"):
    rows = balance(table.frame, target="y", generator=name, random_state=0).frame
    assert rows["y"].value_counts().nunique() == 1
generator = resolve("transformer").fit(table, rng=np.random.default_rng(0))
assert np.isfinite(generator.log_prob(table.frame)).all()
assert np.allclose(generator.predict_proba(table.frame).sum(1), 1)
holes = table.frame.assign(size=table.frame["size"].where(np.arange(len(table)) % 3 > 0))
assert not generator.impute(holes, rng=np.random.default_rng(0))["size"].isna().any()
assert next(info.usable for info in available() if info.name == "transformer")
X, y = table.frame.drop(columns="y"), table.frame["y"]
committee = Committee(["lr", "network"], cv=2, repeats=1, random_state=0).fit(X, y)
assert np.isfinite(committee.member_losses_).all()
for options in ({"adapt": 5}, {"device": "cuda"}):
    try:
        resolve("transformer", options).fit(table, rng=np.random.default_rng(0))
    except MissingDependency as error:
        print(error.hint)
assert "torch" not in sys.modules
"""
ROWS = """
import hashlib

import numpy as np
from makeweight.generators.registry import resolve
from makeweight.generators.contract import example_table

table = example_table(300)
generator = resolve("transformer").fit(table, rng=np.random.default_rng(0))
rows = generator.propose(("rare",), 400, rng=np.random.default_rng(1))
print(hashlib.sha256(rows.to_csv().encode() + generator.log_prob(table.frame).tobytes()).hexdigest())
"""


def output(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_without_torch_everything_but_training_works():
    assert output(BLOCK + EVERYTHING).splitlines() == ['pip install "makeweight[train]"'] * 2


def test_pretraining_without_torch_names_what_to_install():
    code = BLOCK + "from makeweight.__main__ import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "pretrain", "--hours", "1", "-o", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'pip install "makeweight[train]"' in done.stderr


def test_rows_are_the_same_bytes_whatever_the_number_of_threads():
    assert len({output(ROWS, OMP_NUM_THREADS=threads) for threads in ("1", "2", "5")}) == 1
