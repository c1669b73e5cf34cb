"""The checks that every generator passes, ours and those of other packages.

Examples
--------
In a test of your own package::

    import pytest
    from makeweight.generators.contract import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyGenerator)

Each check is called with something that makes a fresh generator, and raises AssertionError, naming what was
broken, when the contract does not hold.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from makeweight.errors import MakeweightError, OptionError
from makeweight.generators.base import Cost, Generator, traits_of
from makeweight.generators.check import CopyPolicy
from makeweight.generators.fill import Limits, fill
from makeweight.generators.frame.options import options_of
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table

__all__ = ["CHECKS", "Make"]

Make = Callable[[], Generator]


def example_table(
    n: int = 80, rare: int = 24, *, group_by: tuple[str, ...] = (), seed: int = 0, kinds: str = "mixed"
) -> Table:
    """Return a small table of two overlapping classes with columns of every kind.

    `n`, `rare`: rows in all, and of the rare class. `group_by`: of "sex" and "old". `kinds`: {"mixed", "numbers",
    "categories"}.

    >>> len(example_table(n=50))
    50
    """
    rng = np.random.default_rng(seed)
    numbers = {
        "size": rng.normal(size=n).round(3),
        "count": rng.poisson(20, n),
        "spend": np.where(rng.random(n) < 0.5, 0.0, rng.lognormal(3, 1, n).round(2)),
    }
    categories = {
        "colour": rng.choice(["red", "green", "blue", "a, b"], n),
        "flag": rng.random(n) < 0.4,
        "grade": pd.Categorical(rng.choice(["low", "high"], n), ["low", "mid", "high"], ordered=True),
        "level": pd.array(rng.integers(0, 4, n), dtype="Int8"),
    }
    others = {
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        "income": np.where(rng.random(n) < 0.25, np.nan, rng.normal(50, 9, n).round(1)),
        "job": pd.Series(rng.choice(["clerk", "cook", "pilot"], n)).mask(rng.random(n) < 0.2),
        "key": [f"K-{i:05d}" for i in rng.permutation(n)],
        "unit": "cm",
    }
    columns: dict[str, Any] = {**numbers, **categories, **others}
    if kinds != "mixed":
        columns = dict(numbers if kinds == "numbers" else categories)
    label = np.where(np.arange(n) < rare, "rare", "common")
    frame = pd.DataFrame(columns).assign(
        y=rng.permutation(label), sex=rng.choice(["f", "m"], n), old=rng.random(n) < 0.5
    )
    return Table(frame, Schema.infer(frame, target="y", group_by=group_by))


def check_is_a_generator(make: Make) -> None:
    """The object has the three methods, keeps its arguments, and can be copied before it is fitted."""
    generator = make()
    assert isinstance(generator, Generator), "fit, propose and cost are needed"
    before = {name: value for name, value in vars(generator).items() if not name.startswith("_")}
    copied = copy.deepcopy(generator)
    for name, value in before.items():
        assert repr(getattr(copied, name)) == repr(value), f"copying changes {name!r}"


def check_fit_returns_itself_and_keeps_its_parameters(make: Make) -> None:
    """``fit`` returns the generator and leaves the constructor's arguments as they were."""
    generator = make()
    before = {name: repr(value) for name, value in vars(generator).items()}
    assert generator.fit(example_table(), rng=np.random.default_rng(0)) is generator, "fit returns self"
    after = {name: repr(getattr(generator, name)) for name in before}
    assert after == before, "fit changes constructor arguments"


def check_real_rows_and_global_state_are_untouched(make: Make) -> None:
    """Neither the table nor NumPy's global random state changes."""
    table = example_table()
    real = table.frame.copy(deep=True)
    state = _global_state()
    _filled(make(), table)
    pd.testing.assert_frame_equal(table.frame, real)
    assert _global_state() == state, "the global random state is used"


def check_exactly_the_rows_asked_for(make: Make) -> None:
    """Mixed, numeric, categorical and grouped tables are filled, with valid rows of the right groups."""
    for table in (
        example_table(),
        example_table(kinds="numbers"),
        example_table(kinds="categories"),
        example_table(n=160, rare=60, group_by=("sex", "old")),
    ):
        frame = _filled(make(), table, copies="accept")
        assert (frame.dtypes == table.frame.dtypes).all(), "dtypes differ"
        assert list(frame.columns) == list(table.frame.columns), "columns differ"
        for column in table.schema.learned:
            assert column.n_missing or not frame[column.name].isna().any(), f"{column.label} is missing"


def check_a_proposal_has_at_most_n_rows_of_learned_columns(make: Make) -> None:
    """``propose`` returns a frame with every learned column, no unknown one, and no more rows than asked."""
    table = example_table()
    generator = make().fit(table, rng=np.random.default_rng(0))
    for group in Groups(table).keys:
        for n in (1, 7):
            frame = generator.propose(group, n, rng=np.random.default_rng(1))
            assert isinstance(frame, pd.DataFrame), "a proposal is a DataFrame"
            assert len(frame) <= n, f"{len(frame)} rows proposed, {n} asked"
            lacking = {column.name for column in table.schema.learned} - set(frame.columns)
            assert not lacking, f"learned columns are missing: {lacking}"
            unknown = set(frame.columns) - set(table.schema.names)
            assert not unknown, f"unknown columns: {unknown}"


def check_the_stream_decides(make: Make) -> None:
    """The same stream gives the same rows, whatever was proposed before; another stream gives others."""
    table = example_table()
    first, second = (make().fit(table, rng=np.random.default_rng(0)) for _ in range(2))
    group, other = Groups(table).keys
    rows = first.propose(group, 20, rng=np.random.default_rng(5))
    second.propose(other, 9, rng=np.random.default_rng(8))
    again = second.propose(group, 20, rng=np.random.default_rng(5))
    pd.testing.assert_frame_equal(rows, again, check_exact=True)
    different = second.propose(group, 20, rng=np.random.default_rng(6))
    assert not rows.equals(different), "another stream gives the same rows"


def check_few_rows(make: Make) -> None:
    """Groups of as few rows as the generator says it needs are filled, up to five."""
    fewest = traits_of(make()).min_rows
    for rare in range(max(1, fewest), 6):
        _filled(make(), example_table(n=40, rare=rare), copies="accept", only="rare")


def check_cost_is_known_before(make: Make) -> None:
    """``cost`` says what a plan will take before anything is spent."""
    table = example_table()
    generator = make().fit(table, rng=np.random.default_rng(0))
    cost = generator.cost(Plan.make(Groups(table)))
    assert isinstance(cost, Cost), "cost returns a Cost"
    assert cost.seconds >= 0, "seconds are not negative"
    assert cost.tokens >= 0, "tokens are not negative"


def check_a_saved_generator_writes_the_same_rows(make: Make) -> None:
    """A generator that has ``save`` and ``load`` writes the same rows after it was loaded.

    ``save(folder)`` writes a fitted generator into a new folder, and ``load(folder, table)`` of its class
    reads it with the table it was fitted to. Generators without ``save`` pass.
    """
    if not hasattr(make(), "save"):
        return
    table = example_table()
    fitted: Any = make().fit(table, rng=np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "saved"
        fitted.save(folder)
        endings = {path.suffix for path in folder.rglob("*") if path.is_file()}
        assert not endings & {".pkl", ".pickle", ".joblib", ".pt", ".bin"}, "a pickle was saved"
        loaded = type(fitted).load(folder, table)
        for group in Groups(table).keys:
            before, after = (g.propose(group, 12, rng=np.random.default_rng(5)) for g in (fitted, loaded))
            pd.testing.assert_frame_equal(before, after, check_exact=True)
        damage = folder / "manifest.json"
        damage.write_text(damage.read_text(encoding="utf-8").replace("{", '{"surprise": 1, ', 1), "utf-8")
        try:
            type(fitted).load(folder, table)
        except MakeweightError:
            return
    raise AssertionError("a manifest with an unknown key is loaded")


def check_options(make: Make) -> None:
    """``get_params``, ``set_params`` and the table of options agree with the constructor.

    Generators without ``get_params`` pass.
    """
    generator: Any = make()
    if not hasattr(generator, "get_params"):
        return
    params = generator.get_params(deep=False)
    rows = options_of(type(generator))
    assert list(params) == [row.name for row in rows], "every argument of the constructor is an option"
    for row in rows:
        assert row.takes, f"the option {row.name} says what it takes"
        assert row.meaning, f"the option {row.name} is documented"
    twin = clone(generator)
    assert type(twin) is type(generator), "a clone is of the same class"
    assert all(twin.get_params(deep=False)[name] == value for name, value in params.items()), "a clone has its options"
    assert generator.set_params(**params) is generator, "set_params returns the generator"
    try:
        generator.set_params(no_such_option=1)
    except OptionError:
        return
    raise AssertionError("set_params takes an unknown option")


#: All checks, in the order in which they are worth reading.
CHECKS: tuple[Callable[[Make], None], ...] = (
    check_is_a_generator,
    check_fit_returns_itself_and_keeps_its_parameters,
    check_real_rows_and_global_state_are_untouched,
    check_a_proposal_has_at_most_n_rows_of_learned_columns,
    check_exactly_the_rows_asked_for,
    check_the_stream_decides,
    check_few_rows,
    check_options,
    check_cost_is_known_before,
    check_a_saved_generator_writes_the_same_rows,
)


def _global_state() -> tuple[bytes, int]:
    """Return NumPy's global random state and how far into it the last draw was."""
    state: Any = np.random.get_state()  # noqa: NPY002 - it is the global state that is watched
    return np.asarray(state[1]).tobytes(), int(state[2])


def _filled(
    generator: Generator, table: Table, *, copies: CopyPolicy = "auto", only: str | None = None
) -> pd.DataFrame:
    groups = Groups(table)
    wanted = {key: int(groups.counts[i]) + 15 for i, key in enumerate(groups.keys) if only in (None, key[0])}
    plan = Plan.make(groups, wanted)
    fitted = generator.fit(table, rng=np.random.default_rng(0))
    limits = Limits(copies="accept" if traits_of(generator).copies else copies)
    generation = fill(fitted, table, plan, seed=np.random.SeedSequence(0), limits=limits)
    accepted = {entry.group: entry.accepted for entry in generation.ledger}
    assert accepted == dict.fromkeys(wanted, 15), f"rows written: {accepted}"
    return generation.frame
