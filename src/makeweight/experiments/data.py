"""The tables of the published experiments: generated from their recipe, read from a folder, or fetched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.errors import FileProblem, OptionError, nearest

__all__ = ["data_folder"]


@dataclass(frozen=True)
class Columns:
    """Label and spurious attribute of a published table, and where the public table is, if anywhere."""

    label: str
    spurious: str
    openml: tuple[str, int] | None = None


COLUMNS = {
    "craft": Columns("Target", "X6"),
    "gender": Columns("gender", "long_hair"),
    "adult": Columns("class", "sex", ("adult", 2)),
    "diabetes130": Columns("readmitted", "gender", ("Diabetes130US", 1)),
}
PARTS = ("seed", "train0", "train1", "train_pos", "train_neg", "test")
SEED_CELL = 50
#: Cells of spurious attribute x label: those where both are low or both are high, and the others.
AGREE, DISAGREE = ("00", "11"), ("01", "10")


@dataclass(frozen=True, eq=False)
class Parts:
    """A table as the published experiments split it.

    `seed` has 50 rows per cell of label x spurious attribute. `train0` and `train1` are the withheld training rows by
    label; `train_pos` and `train_neg` the same rows, by whether the label agrees with the spurious attribute; `train`
    all of them.
    """

    columns: Columns
    seed: pd.DataFrame
    train0: pd.DataFrame
    train1: pd.DataFrame
    train_pos: pd.DataFrame
    train_neg: pd.DataFrame
    test: pd.DataFrame
    train: pd.DataFrame

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all rows."""
        return fingerprint(getattr(self, name) for name in PARTS)


def fingerprint(frames: Iterable[pd.DataFrame]) -> str:
    """Return a hash of the values and column names of some tables."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(repr([*frame.columns]).encode())
        digest.update(np.ascontiguousarray(frame.to_numpy(dtype=np.float64)).tobytes())
    return digest.hexdigest()[:16]


def data_folder(folder: str | Path | None = None) -> Path:
    """Return the folder with the stored tables: the one named, that in MAKEWEIGHT_DATA, or ../shared/data."""
    return Path(folder or os.environ.get("MAKEWEIGHT_DATA") or Path("..") / "shared" / "data")


def craft(n: int = 8000, *, seed: int = 42) -> pd.DataFrame:
    """Return the simulated Craft table of shape (n, 10), value for value the published one.

    `seed` is of numpy's legacy generator, whose stream is the published one.

    Source: the public code of arXiv 2406.03628.

    >>> craft().iloc[0, :3].tolist()
    [0.5, -0.0, 0.7]
    """
    rng = np.random.RandomState(seed)
    x1, x2 = (np.round(rng.randn(n), 1) for _ in range(2))
    x3 = np.round(0.5 * x1 + 0.3 * x2 + rng.normal(0, 0.5, n), 1)
    x4 = np.round(rng.randn(n) * x1, 1)
    x5 = np.round(rng.randn(n) + 0.5 * x3, 1)
    x6 = rng.choice([-1, 1], size=n)
    x7 = np.round(rng.randn(n), 1)
    x8, x9 = np.round(x2 * x3, 1), np.round(x1 * x2, 1)
    score = 1.5 + 0.7 * x1 - 0.6 * x2 + 0.8 * x3 + 0.4 * x9 + rng.normal(0, 1, n)
    features = dict(zip([f"X{j}" for j in range(1, 10)], (x1, x2, x3, x4, x5, x6, x7, x8, x9), strict=True))
    return pd.DataFrame({**features, "Target": (score > np.median(score)).astype(int)})


def cells(frame: pd.DataFrame, columns: Columns) -> pd.Series[str]:
    """Return spurious attribute and label of every row as two digits; the lower attribute is 0."""
    attribute = frame[columns.spurious]
    high = (attribute != attribute.min()).astype(int).astype(str)
    codes: pd.Series[str] = high + frame[columns.label].astype(int).astype(str)
    return codes


def sides(frame: pd.DataFrame, columns: Columns, task: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the rare side and of the common side, shuffled as published.

    The sides are the labels (task ``imbalance``), or whether label and attribute agree (``spurious``).
    """
    of_row = cells(frame, columns)
    chosen = (("01", "11"), ("00", "10")) if task == "imbalance" else (AGREE, DISAGREE)
    rare, common = (
        pd.concat([frame[of_row == a], frame[of_row == b]]).sample(frac=1, random_state=seed) for a, b in chosen
    )
    return rare, common


def split(frame: pd.DataFrame, columns: Columns) -> Parts:
    """Return a table of numeric codes split as published: 70:30, then 50 seed rows per cell, then the rest by side."""
    shuffled = frame.sample(frac=1, random_state=42).reset_index(drop=True)
    cut = int(0.7 * len(shuffled))
    use, test = shuffled.iloc[:cut], shuffled.iloc[cut:].reset_index(drop=True)
    of_row = cells(use, columns)
    seed = pd.concat([use[of_row == cell].sample(SEED_CELL, random_state=1) for cell in ("00", "01", "10", "11")])
    left = use.drop(seed.index)
    train1, train0 = sides(left, columns, "imbalance", 1)
    train_pos, train_neg = sides(left, columns, "spurious", 1)
    parts = (
        seed.sample(frac=1, random_state=1),
        train0,
        train1,
        train_pos,
        train_neg,
        test,
        left.sample(frac=1, random_state=1),
    )
    return Parts(columns, *(part.reset_index(drop=True) for part in parts))


@lru_cache(maxsize=4)
def paper_parts(name: str, folder: Path) -> Parts:
    """Return a published table, split as published.

    `name` ({"craft", "gender", "adult", "diabetes130"}): craft is generated. `folder`: with ``paper/NAME/seed.csv``,
    ``train0.csv`` and so on; a table that is not there is fetched from OpenML. Raises OptionError when there is no
    table of that name. Raises FileProblem when a table is neither in the folder nor can it be fetched.
    """
    if name not in COLUMNS:
        raise OptionError("unknown table", got=repr(name), hint=nearest(name, COLUMNS))
    columns = COLUMNS[name]
    if name == "craft":
        return split(craft(), columns)
    place = folder / "paper" / name
    if not place.is_dir():
        return split(_fetched(name, place), columns)
    read = {part: read_csv(place / f"{part}.csv") for part in PARTS}
    train = pd.concat([read["train0"], read["train1"]], ignore_index=True)
    return Parts(columns, **read, train=train.sample(frac=1, random_state=1).reset_index(drop=True))


def read_csv(path: Path) -> pd.DataFrame:
    """Return a stored table; a missing one is a FileProblem."""
    try:
        return pd.read_csv(path)
    except OSError as error:
        hint = "name the folder with --data-dir, or in MAKEWEIGHT_DATA"
        raise FileProblem("a stored table is missing", where=str(path), hint=hint) from error


def _fetched(name: str, place: Path) -> pd.DataFrame:
    columns = COLUMNS[name]
    hint = f"put seed.csv, train0.csv, train1.csv, train_pos.csv, train_neg.csv and test.csv into {place}"
    if columns.openml is None:
        raise FileProblem(f"the table {name} is not public", where=str(place), hint=hint)
    from sklearn.datasets import fetch_openml

    dataset, version = columns.openml
    try:
        frame = fetch_openml(dataset, version=version, as_frame=True, parser="auto").frame
    except OSError as error:
        raise FileProblem(
            f"the table {name} is not in the folder, and OpenML does not answer",
            where=str(place),
            got=str(error),
            hint=hint,
        ) from error
    return encode(frame)


def encode(frame: pd.DataFrame) -> pd.DataFrame:
    """Return numeric codes as published: two values in order of appearance, more in alphabetic order.

    >>> encode(pd.DataFrame({"a": ["y", "x", "z"], "b": ["q", "p", "q"]})).to_numpy().tolist()
    [[1, 0], [0, 1], [2, 0]]
    """
    codes = frame.copy()
    for name in codes.columns:
        if not pd.api.types.is_numeric_dtype(codes[name]):
            values = codes[name].astype(str)
            codes[name] = pd.factorize(values, sort=values.nunique() > 2)[0]
    return codes


def opal_split(name: str, seed: int, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return training rows, test rows and GPT-4's rows of a split of the first version's experiments.

    They are in ``opal/NAME/train_seedS.csv`` and so on; a missing file is a FileProblem.
    """
    place = folder / "opal" / name
    train, test, written = (read_csv(place / f"{part}_seed{seed}.csv") for part in ("train", "test", "gpt4_parsed"))
    return train, test, written[train.columns]
