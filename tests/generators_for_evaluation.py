"""A world with a rare class, and five generators of which one is known what their rows are worth."""

import numpy as np
import pandas as pd

from generators_for_tests import Copier, Shuffler

COLUMNS = [f"x{j}" for j in range(24)]


def world(n, label, rng):
    """Rows of one class: the classes differ where two correlated columns differ, and a little elsewhere."""
    X = rng.normal(size=(n, len(COLUMNS)))
    X[:, 1] = X[:, 0] + 0.4 * X[:, 1]
    if label == "rare":
        X[:, 1] += 0.5
        X[:, 2:8] += 0.35
    return pd.DataFrame(X.round(4), columns=COLUMNS)


def table(n_common=400, n_rare=80, seed=0):
    """A table of that world, with its label."""
    rng = np.random.default_rng(seed)
    parts = [world(n, y, rng).assign(y=y) for n, y in ((n_common, "common"), (n_rare, "rare"))]
    return pd.concat(parts, ignore_index=True)


class Perfect(Shuffler):
    """Writes fresh rows of the world."""

    def propose(self, group, n, *, rng):
        rows = world(n, group[0], rng)
        low, high = (self.table_.frame[COLUMNS].agg(how) for how in ("min", "max"))
        return rows.clip(low, high, axis=1)


class ColumnShuffler(Shuffler):
    """Writes every column from another row of the group."""


class LabelBlind(Shuffler):
    """Writes rows of any class, moved a little so that they are no copies."""

    def propose(self, group, n, *, rng):
        rows = self.table_.frame[COLUMNS].iloc[rng.integers(0, len(self.table_), n)]
        low, high = (self.table_.frame[COLUMNS].agg(how) for how in ("min", "max"))
        moved = (rows + rng.normal(0, 0.01, rows.shape)).round(4)
        return moved.clip(low, high, axis=1).reset_index(drop=True)


class Constant(Shuffler):
    """Writes the median of the group, always."""

    def propose(self, group, n, *, rng):
        row = self.table_.frame[COLUMNS].iloc[self.groups_.rows(group)].median().round(4)
        return pd.DataFrame(np.tile(row.to_numpy(), (n, 1)), columns=COLUMNS)


GENERATORS = {cls.__name__: cls for cls in (Perfect, Copier, ColumnShuffler, LabelBlind, Constant)}
