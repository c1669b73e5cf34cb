"""Any object that fits a frame and samples rows is a generator, and its mistakes are counted or named."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from makeweight import SyntheticOverSampler, balance
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.adapters.any_object import AnyObject
from makeweight.generators.contract import CHECKS, example_table
from makeweight.generators.limits import Limits, ShortfallWarning
from makeweight.generators.registry import resolve


@dataclass
class Shuffled:
    """Draws every column by itself, within the group where it is told; from NumPy's global stream."""

    told: bool = False

    def fit(self, frame):
        self.frame = frame

    def sample(self, n):
        return self.draw(self.frame, n)

    def draw(self, frame, n):
        return pd.DataFrame({name: column.sample(n, replace=True).to_numpy() for name, column in frame.items()})


@dataclass
class Told(Shuffled):
    def sample(self, n, condition):
        own = self.frame
        for name, value in condition.items():
            own = own[own[name] == value]
        return self.draw(own, n).drop(columns=list(condition))


class Mixed(Shuffled):
    """Keeps the dtypes of the frame, and the label with the row it is of."""

    def draw(self, frame, n):
        rows = np.random.randint(0, len(frame), n)  # noqa: NPY002 - as such packages do
        return pd.DataFrame({name: column.iloc[rows].reset_index(drop=True) for name, column in frame.items()})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("values", ["real", "plain"])
@pytest.mark.parametrize("model", [Shuffled(), Told()], ids=["unconditional", "told"])
def test_contract(model, values, check):
    check(lambda: AnyObject(model, values=values))


def test_the_sampler_takes_the_object_itself():
    table = example_table()
    X, y = table.frame.drop(columns="y"), table.frame["y"]
    sampler = SyntheticOverSampler(Told(), random_state=0)
    _, first = sampler.fit_resample(X, y)
    assert first.value_counts().nunique() == 1
    assert sampler.generation_.generator == "Told"
    assert not hasattr(sampler.generator, "frame"), "a copy is fitted"


def test_rows_of_other_groups_are_counted():
    generation = balance(example_table().frame, target="y", generator=Shuffled(), random_state=0)
    (entry,) = generation.ledger
    assert entry.rejected["wrong-group: y"] == entry.proposed - entry.accepted - entry.rejected["surplus"]
    assert 0.1 < entry.accepted / entry.proposed < 0.6


class Jittered(Mixed):
    def draw(self, frame, n):
        rows = super().draw(frame, n)
        return rows.assign(size=rows["size"] + 1e-5, count=rows["count"] + 0.1)


def test_numbers_come_back_on_the_decimals_of_the_column():
    frame = example_table(kinds="numbers").frame
    generation = balance(frame, target="y", generator=Jittered(), limits=Limits(copies="accept"), random_state=0)
    assert set(generation.frame["count"]) <= set(frame["count"])
    assert set(generation.frame["size"]) <= set(frame["size"])


class Silent(Shuffled):
    def sample(self, n):
        return super().sample(n).drop(columns="y")


class Pair(Shuffled):
    def sample(self, n):
        return super().sample(n), None


@pytest.mark.parametrize(
    ("model", "says"),
    [(Silent(), "do not say of which group"), (Pair(), "returned no rows.*got tuple, expected a DataFrame")],
)
def test_what_are_no_rows_is_refused(model, says):
    with pytest.raises(GeneratorError, match=says):
        balance(example_table().frame, target="y", generator=model, random_state=0)


class Unwilling(Shuffled):
    def fit(self, frame):
        raise KeyError("size")


class Broken(Shuffled):
    def fit(self, frame):
        raise ModuleNotFoundError("no module of its own")


class Moody(Told):
    """Writes red rows, and no other."""

    def draw(self, frame, n):
        if (frame["colour"] != "red").any():
            raise TypeError("another colour\nand more")
        return super().draw(frame, n)


@pytest.mark.parametrize(
    ("model", "says", "hint"),
    [
        (Unwilling(), "Unwilling cannot learn from these rows: got KeyError: 'size'", "another generator"),
        (Broken(), "Broken cannot learn from these rows: got ModuleNotFoundError: no module of", "makeweight doctor"),
        (Moody(), "Moody cannot write rows: got TypeError: another colour\nhint", "another generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_the_object_are_named(model, says, hint):
    with pytest.raises(GeneratorError, match=says) as error:
        balance(example_table().frame, target="y", generator=model, random_state=0)
    assert hint in error.value.hint
    assert error.value.__cause__ is not None


def test_where_it_fails_for_one_group_the_others_are_written():
    frame = example_table(n=120, rare=60, group_by=("old",)).frame
    frame.loc[frame["old"], "colour"] = "red"
    limits = Limits(copies="accept", on_shortfall="warn")
    with pytest.warns(ShortfallWarning):
        generation = balance(frame, target="y", group_by=["old"], generator=Moody(), limits=limits, augment=2)
    written = {entry.group[1]: entry.accepted for entry in generation.ledger if entry.purpose == "augment"}
    assert written == {True: 2, False: 0}


@pytest.mark.parametrize("thing", [Shuffled, object(), 3])
def test_other_objects_are_no_generators(thing):
    with pytest.raises(OptionError, match="with fit and sample"):
        resolve(thing)


def test_options_go_with_an_object():
    assert resolve(Told(), {"values": "plain"}).values == "plain"
