"""Generators of the real protocol that behave well, or badly in one way each."""

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.base import Cost, Traits
from makeweight.plan import Groups
from makeweight.table.kinds import codec


class Shuffler:
    """Writes every learned column of a group's real rows, shuffled: valid, and rarely a copy."""

    def fit(self, table, *, rng):
        self.table_, self.groups_ = table, Groups(table)
        return self

    def propose(self, group, n, *, rng):
        rows = self.groups_.rows(group)
        columns = {}
        for column in self.table_.schema.learned:
            columns[column.name] = self.table_.encode(column.name, rng.choice(rows, n))
        return self.table_.decode(columns)

    def cost(self, plan):
        return Cost(seconds=1e-6 * plan.n_synthetic)


class Spoiler(Shuffler):
    """Spoils a share of the rows by a function of frame and rows."""

    def __init__(self, spoil=None, share=0.5):
        self.spoil = spoil
        self.share = share

    def propose(self, group, n, *, rng):
        frame = super().propose(group, n, rng=rng)
        rows = np.flatnonzero(rng.random(n) < self.share)
        return self.spoil(frame, rows)


class Copier(Shuffler):
    """Copies real rows of the group."""

    def propose(self, group, n, *, rng):
        rows = rng.choice(self.groups_.rows(group), n)
        names = [column.name for column in self.table_.schema.learned]
        return self.table_.decode({name: self.table_.encode(name, rows) for name in names})


class Mute(Shuffler):
    """Proposes nothing."""

    def propose(self, group, n, *, rng):
        return super().propose(group, n, rng=rng).iloc[:0]


class Interrupted(Shuffler):
    """Is interrupted in its third round."""

    rounds = 0

    def propose(self, group, n, *, rng):
        self.rounds += 1
        if self.rounds == 3:
            raise KeyboardInterrupt
        return super().propose(group, max(1, n // 2), rng=rng)


class Spender(Shuffler):
    """Says that every row cost a cent and ten tokens, and writes ten rows at a time."""

    def __init__(self):
        self.spent = Cost()

    def propose(self, group, n, *, rng):
        frame = super().propose(group, min(n, 10), rng=rng)
        self.spent = Cost(0.0, self.spent.tokens + 10 * len(frame), self.spent.money + 0.01 * len(frame))
        return frame


class Extrapolator(Shuffler):
    """Writes groups without real rows, from all rows."""

    traits = Traits(extrapolates=True)

    def propose(self, group, n, *, rng):
        frames = {}
        for column in self.table_.schema.learned:
            values = rng.permutation(np.resize(self.table_.encode(column.name), n))
            frames[column.name] = codec(column.kind).decode(column, values)
        return pd.DataFrame(frames)


class Failing(Shuffler):
    """Writes half of what it is asked for, and cannot write one group, or not after some rounds."""

    def __init__(self, group, rounds=0):
        self.group = group
        self.rounds = rounds

    def propose(self, group, n, *, rng):
        if group == self.group:
            if not self.rounds:
                raise GeneratorError("the pen broke", where=str(group))
            self.rounds -= 1
        return super().propose(group, -(-n // 2), rng=rng)
