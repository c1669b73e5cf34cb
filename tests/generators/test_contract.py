"""Every generator of the registry passes the contract checks, and each check can fail."""

import numpy as np
import pandas as pd
import pytest

from generators_for_tests import Copier, Mute, Shuffler
from makeweight.generators import contract
from makeweight.generators.contract import CHECKS
from makeweight.generators.registry import names, resolve
from makeweight.sampler import balance


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", names("instant"))
def test_registry(name, check):
    check(lambda: resolve(name))


@pytest.mark.parametrize("name", names("instant"))
def test_prices_that_end_in_0_or_5_stay_such(name):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "price": rng.integers(200, 900, 120) * 5 / 100,
            "loan": rng.integers(10, 90, 120) * 50,
            "y": np.repeat(["common", "rare"], [90, 30]),
        }
    )
    made = balance(frame, target="y", generator=name, random_state=0).frame
    assert len(made) == 60
    cents = np.round(made["price"] * 100)
    assert (cents % 5 == 0).all()
    assert (cents % 10 == 5).mean() == pytest.approx(0.5, abs=0.2)
    assert (made["loan"] % 50 == 0).all()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_third_party(check):
    check(Shuffler)


class ChangesItself(Shuffler):
    def __init__(self, width=1):
        self.width = width

    def fit(self, table, *, rng):
        self.width = 2
        return super().fit(table, rng=rng)


class ChangesTheTable(Shuffler):
    def fit(self, table, *, rng):
        table.frame.loc[0, "count"] = 3
        return super().fit(table, rng=rng)


class UsesTheGlobalState(Shuffler):
    def propose(self, group, n, *, rng):
        np.random.random()  # noqa: NPY002 - that is the fault
        return super().propose(group, n, rng=rng)


class WritesTooMany(Shuffler):
    def propose(self, group, n, *, rng):
        return super().propose(group, n + 1, rng=rng)


class HasItsOwnStream(Shuffler):
    calls = 0

    def propose(self, group, n, *, rng):
        self.calls += 1
        return super().propose(group, n, rng=np.random.default_rng(self.calls))


class Free(Shuffler):
    def cost(self, plan):
        return None


class Forgetful(Shuffler):
    def save(self, folder):
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")

    @classmethod
    def load(cls, folder, table):
        return cls().fit(table, rng=np.random.default_rng(1))


class Undeclared(Shuffler):
    def __init__(self, width=1):
        self.width = width

    def get_params(self, deep=True):
        return {"width": self.width}


class Fragile(Shuffler):
    def propose(self, group, n, *, rng):
        assert len(self.groups_.rows(group)) > 5
        return super().propose(group, n, rng=rng)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (dict, contract.check_is_a_generator),
        (ChangesItself, contract.check_fit_returns_itself_and_keeps_its_parameters),
        (ChangesTheTable, contract.check_real_rows_and_global_state_are_untouched),
        (UsesTheGlobalState, contract.check_real_rows_and_global_state_are_untouched),
        (WritesTooMany, contract.check_a_proposal_has_at_most_n_rows_of_learned_columns),
        (HasItsOwnStream, contract.check_the_stream_decides),
        (Free, contract.check_cost_is_known_before),
        (Undeclared, contract.check_options),
        (Fragile, contract.check_few_rows),
        (Forgetful, contract.check_a_saved_generator_writes_the_same_rows),
    ],
)
def test_what_is_broken_is_found(broken, check):
    with pytest.raises(AssertionError):
        check(broken)


def test_short_generators_fail():
    for broken in (Mute, Copier):
        with pytest.raises(RuntimeError):
            contract.check_real_rows_and_global_state_are_untouched(broken)
