"""The accept/reject loop: exact counts, named reasons, bounded time, and the rows of a group its own."""

import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators_for_tests import Copier, Extrapolator, Failing, Interrupted, Mute, Shuffler, Spender, Spoiler
from makeweight import Plan, Schema
from makeweight.errors import GenerationShortfall, GeneratorError, MakeweightError, OptionError
from makeweight.generators import fill as fill_module
from makeweight.generators.base import remark
from makeweight.generators.fill import Limits, ShortfallWarning, fill
from makeweight.plan import Groups
from makeweight.table import Table


def make_table(n=120, rare=20, seed=0, duplicates=False, attributes=()):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n).round(2),
            "count": rng.integers(0, 1000, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "id": [f"row-{i:04d}" for i in range(n)],
            "unit": "cm",
            "y": ["rare"] * rare + ["common"] * (n - rare),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    if duplicates:
        frame = pd.concat([frame, frame], ignore_index=True)
    return Table(frame, Schema.infer(frame, target="y", group_by=attributes))


def run(generator, table=None, strategy="auto", augment=0, seed=0, **options):
    table = make_table() if table is None else table
    plan = Plan.make(Groups(table), strategy, augment=augment)
    fitted = generator.fit(table, rng=np.random.default_rng(0))
    return fill(fitted, table, plan, seed=np.random.SeedSequence(seed), **options)


def check_identities(generation):
    for account in (*generation.ledger, generation.ledger):
        assert account.requested == account.accepted + account.shortfall
        assert account.proposed == account.accepted + sum(account.rejected.values())
    assert len(generation.frame) == len(generation.provenance) == generation.ledger.accepted
    assert len(generation.positions) == generation.ledger.accepted


def test_exactly_the_rows_of_the_plan():
    table = make_table()
    generation = run(Shuffler(), table, augment=7)
    check_identities(generation)
    frame = generation.frame
    assert frame["y"].value_counts().to_dict() == {"rare": 87, "common": 7}
    assert list(frame.columns) == list(table.frame.columns)
    assert (frame.dtypes == table.frame.dtypes).all()
    assert set(frame["unit"]) == {"cm"}
    assert frame["id"].is_unique
    assert not set(frame["id"]) & set(table.frame["id"])
    assert generation.provenance["purpose"].value_counts().to_dict() == {"balance": 80, "augment": 14}
    assert {entry.stopped for entry in generation.ledger} == {"full"}


def out_of_range(frame, rows):
    return frame.assign(size=frame["size"].where(~frame.index.isin(rows), 1e6))


def unknown_category(frame, rows):
    return frame.assign(colour=frame["colour"].where(~frame.index.isin(rows), "purple"))


def fractions(frame, rows):
    return frame.assign(count=frame["count"] + 0.5 * frame.index.isin(rows))


def missing(frame, rows):
    return frame.assign(size=frame["size"].mask(frame.index.isin(rows)))


def wrong_group(frame, rows):
    return frame.assign(y=np.where(frame.index.isin(rows), "common", "rare"))


def shorter(frame, rows):
    return frame.drop(index=rows)


def longer(frame, rows):
    return pd.concat([frame, frame.loc[rows]])


@settings(max_examples=60, deadline=None)
@given(
    spoil=st.sampled_from([out_of_range, unknown_category, fractions, missing, wrong_group, shorter, longer]),
    share=st.floats(0, 1),
    seed=st.integers(0, 3),
    augment=st.integers(0, 5),
)
def test_ledger_identities_hold_whatever_is_proposed(spoil, share, seed, augment):
    generator = Spoiler(spoil, share)
    try:
        generation = run(generator, strategy={"rare": 40}, augment=0, seed=seed, limits=Limits(patience=3))
    except GenerationShortfall as error:
        generation = error.generation
        assert generation.ledger.shortfall > 0
    check_identities(generation)
    assert set(generation.frame["y"]) <= {"rare"}
    assert generation.frame["size"].between(-5, 5).all()
    assert set(generation.frame["colour"]) <= {"red", "green", "blue"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (out_of_range, "out-of-range: size"),
        (unknown_category, "unknown-category: colour"),
        (fractions, "not-a-whole-number: count"),
        (missing, "missing-not-seen: size"),
        (wrong_group, "wrong-group: y"),
        (lambda frame, rows: frame.drop(columns="size"), "missing-column: size"),
    ],
)
def test_reasons_name_the_column(spoil, reason):
    with pytest.raises(GenerationShortfall, match="0 of 80 rows") as error:
        run(Spoiler(spoil, 1.0))
    assert list(error.value.generation.ledger.rejected) == [reason]
    assert error.value.generation.ledger.entries[0].stopped == "16000 rows proposed"
    check_identities(error.value.generation)


class Mumbler(Shuffler):
    """Says of every proposal that some rows could not be read, and after a while that it is over."""

    def __init__(self, unreadable=3, rounds=10**6):
        self.unreadable = unreadable
        self.rounds = rounds

    def propose(self, group, n, *, rng):
        self.rounds -= 1
        frame = super().propose(group, min(n, 10), rng=rng)
        stop = "the well is dry" if self.rounds <= 0 else None
        return remark(frame, rejected=Counter({"not-a-row": self.unreadable}), stop=stop)


def test_rows_that_could_not_be_read_are_in_the_ledger():
    generation = run(Mumbler())
    check_identities(generation)
    assert generation.ledger.rejected["not-a-row"] == 3 * generation.ledger.entries[0].rounds
    assert generation.ledger.shortfall == 0


def test_a_generator_can_say_that_it_is_over():
    with pytest.raises(GenerationShortfall, match="the well is dry") as error:
        run(Mumbler(rounds=2))
    check_identities(error.value.generation)
    assert error.value.generation.ledger.entries[0].rounds == 2
    assert len(error.value.generation) > 0
    full = run(Mumbler(rounds=8), strategy={"rare": 21})
    assert full.ledger.entries[0].stopped == "full"


def test_a_generator_can_add_notes_and_details():
    generator = Shuffler()
    generator.notes, generator.details = ("the rows are shuffled",), {"requests": 3}
    generation = run(generator)
    assert "the rows are shuffled" in generation.notes
    assert generation.to_dict()["details"] == {"requests": 3}


def test_unknown_columns_are_a_fault_of_the_generator():
    with pytest.raises(GeneratorError, match="unknown columns"):
        run(Spoiler(lambda frame, rows: frame.assign(extra=1)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_generator_loses_nothing(n_jobs):
    table = make_table(attributes=["sex"])
    cells = Groups(table).keys
    with pytest.raises(GeneratorError, match="the pen broke") as error:
        run(Failing(cells[-1], rounds=2), table, "all", augment=40, n_jobs=n_jobs)
    kept = error.value.generation
    check_identities(kept)
    stopped = {(entry.group, entry.purpose): entry.stopped for entry in kept.ledger}
    assert any(entry.shortfall and entry.accepted for entry in kept.ledger if entry.group == cells[-1])
    assert f"failed: the pen broke ({cells[-1]})" in stopped.values()
    if n_jobs == 1:
        assert {stopped[cell, "augment"] for cell in cells[:-1]} == {"full"}
        assert stopped[cells[-1], "augment"] == "y=rare, sex=m failed"
    alone = run(Failing(None), table, "all", augment=40).frame
    first = kept.frame[: kept.ledger.entries[0].accepted]
    pd.testing.assert_frame_equal(first.drop(columns="id"), alone[: len(first)].drop(columns="id"))


def test_a_group_that_fails_can_be_a_shortfall():
    table = make_table(attributes=["sex"])
    first, *others = Groups(table).keys
    with pytest.warns(ShortfallWarning, match="the pen broke"):
        generation = run(Failing(first), table, augment=10, limits=Limits(on_shortfall="warn"))
    check_identities(generation)
    for entry in generation.ledger:
        assert (entry.group in others) == (entry.stopped == "full")
    with pytest.raises(GeneratorError, match="the pen broke") as error:
        run(Failing(("rare",)), limits=Limits(on_shortfall="warn"))
    assert error.value.generation.ledger.requested == error.value.generation.ledger.shortfall == 80


def test_copies_are_rejected_where_the_table_has_few_duplicates():
    with pytest.raises(GenerationShortfall, match="copy-of-a-real-row") as error:
        run(Copier())
    assert error.value.generation.ledger.copies == error.value.generation.ledger.proposed
    assert "copies='accept'" in error.value.hint
    check_identities(error.value.generation)


def test_copies_are_counted_and_kept_where_duplicates_are_many_or_on_request():
    for generation in (run(Copier(), make_table(duplicates=True)), run(Copier(), limits=Limits(copies="accept"))):
        assert generation.ledger.shortfall == 0
        assert generation.ledger.copies == generation.ledger.accepted
    with pytest.raises(OptionError, match="policy for copies"):
        Limits(copies="maybe")


def test_few_possible_rows_are_no_reason_to_run_short():
    frame = pd.DataFrame({"a": ["p", "q"] * 20, "b": list("rstu") * 10, "y": ["n"] * 30 + ["m"] * 10})
    generation = run(Shuffler(), Table(frame, Schema.infer(frame, target="y")))
    assert generation.ledger.shortfall == 0


def test_a_mute_generator_ends():
    with pytest.raises(GenerationShortfall) as error:
        run(Mute())
    assert error.value.generation.ledger.entries[0].rounds == 10


def test_shortfall_can_be_a_warning():
    with pytest.warns(ShortfallWarning, match="0 of 80 rows"):
        generation = run(Mute(), limits=Limits(on_shortfall="warn"))
    assert list(generation.frame.columns) == list(make_table().frame.columns)
    assert len(generation) == 0
    with pytest.raises(OptionError, match="on_shortfall"):
        Limits(on_shortfall="ignore")


def test_time_is_bounded():
    slow = Spoiler(lambda frame, rows: time.sleep(0.05) or out_of_range(frame, rows), 0.999)
    with pytest.raises(GenerationShortfall, match="max_seconds"):
        run(slow, limits=Limits(max_seconds=0.2, max_proposed=10**9, patience=10**6))


def test_proposals_are_bounded():
    with pytest.raises(GenerationShortfall) as error:
        run(Spoiler(out_of_range, 1.0), limits=Limits(max_proposed=300, patience=10**6))
    assert error.value.generation.ledger.proposed == 300


@pytest.mark.parametrize("limits", [Limits(max_tokens=250), Limits(max_cost=0.25)])
def test_tokens_and_money_are_bounded(limits):
    with pytest.raises(GenerationShortfall) as error:
        run(Spender(), limits=limits)
    assert error.value.generation.spent.tokens in (250, 300)
    check_identities(error.value.generation)


def test_an_interrupt_keeps_what_was_accepted():
    with pytest.raises(GenerationShortfall, match="interrupted") as error:
        run(Interrupted())
    check_identities(error.value.generation)
    assert 40 <= len(error.value.generation) < 80


def test_seed_decides_and_other_groups_do_not():
    table = make_table(attributes=["sex"])
    few = run(Shuffler(), table, {("rare", "f"): 60}).frame
    more = run(Shuffler(), table, {("rare", "m"): 60, ("rare", "f"): 60}, augment=3).frame
    names = ["size", "count", "colour"]
    same = more[(more["sex"] == "f") & (more["y"] == "rare")][names].head(len(few)).reset_index(drop=True)
    pd.testing.assert_frame_equal(few[names], same)
    other = run(Shuffler(), table, {("rare", "f"): 60}, seed=1).frame
    assert not few[names].equals(other[names])


def test_threads_change_nothing():
    table = make_table(attributes=["sex"])
    alone = run(Shuffler(), table, augment=50)
    together = run(Shuffler(), table, augment=50, n_jobs=4)
    pd.testing.assert_frame_equal(alone.frame, together.frame)
    pd.testing.assert_frame_equal(alone.provenance, together.provenance)


def test_more_rows_begin_with_fewer_rows():
    table = make_table()
    few = run(Shuffler(), table, {"rare": 50}).frame
    more = run(Shuffler(), table, {"rare": 50}, augment=30).frame
    names = ["size", "count", "colour"]
    assert more[more["y"] == "rare"][names].head(30).reset_index(drop=True).equals(few[names])


def test_global_random_state_is_untouched():
    np.random.seed(7)  # noqa: NPY002 - it is the global state that is watched
    before = repr(np.random.get_state())  # noqa: NPY002
    run(Shuffler())
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_empty_cells_are_reported_and_need_a_generator_that_extrapolates():
    frame = make_table().frame
    frame = frame[(frame["y"] == "common") | (frame["sex"] == "f")].reset_index(drop=True)
    table = Table(frame, Schema.infer(frame, target="y", group_by=["sex"]))
    generation = run(Shuffler(), table)
    assert "empty cell: no real row has y=rare, sex=m" in generation.notes
    with pytest.raises(GeneratorError, match="no real row"):
        run(Shuffler(), table, {("rare", "m"): 5})
    written = run(Extrapolator(), table, {("rare", "m"): 5}).frame
    assert written[["y", "sex"]].value_counts().to_dict() == {("rare", "m"): 5}


def test_progress_is_told_after_every_round():
    seen = []
    run(Spoiler(out_of_range), augment=5, progress=seen.append)
    assert seen[-1].done == seen[-1].total == 90
    assert all(step.done <= step.total for step in seen)


def test_rows_come_in_bounded_batches(monkeypatch):
    asked = []

    class Counting(Shuffler):
        def propose(self, group, n, *, rng):
            asked.append(n)
            return super().propose(group, n, rng=rng)

    monkeypatch.setattr(fill_module, "CHUNK", 30)
    assert len(run(Counting())) == 80
    assert max(asked) <= 30


def test_generation_says_all_as_plain_values():
    import json

    summary = json.loads(json.dumps(run(Shuffler(), augment=1).to_dict()))
    assert summary["ledger"]["accepted"] == 82
    assert summary["groups"][1] == {"group": "y=rare", "n_real": 20, "n_balance": 80, "n_augment": 1}
    assert {"makeweight", "python", "numpy", "pandas"} <= set(summary["versions"])


def test_every_error_is_of_the_family():
    assert issubclass(GenerationShortfall, MakeweightError)
    assert issubclass(GeneratorError, RuntimeError)
