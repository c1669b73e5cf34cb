"""The same rows whatever the cut, the workers and the interruptions; exact totals; no copy of a real row."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators_for_tests import Failing, Mute, Shuffler
from makeweight.errors import FileProblem, GenerationShortfall, GeneratorError, OptionError, PlanError, SchemaError
from makeweight.generators.base import Traits
from makeweight.generators.check import COPY
from makeweight.generators.fill import Limits, ShortfallWarning
from makeweight.partitioned import OutputFolder, balance_partitions, context
from makeweight.partitioned.folder import MANIFEST, WORK
from makeweight.partitioned.write import pieces_of
from makeweight.plan import GroupPlan, Plan
from partitioned_tables import cut, synthetic

REQUEST = {"target": "y", "group_by": ["sex"], "random_state": 3, "generator": "smoothed-bootstrap"}
#: Fields of `OutputFolder`.
FOLDER = ("existing", "synthetic_only", "rows_per_part", "context_rows")


def write(source, output, rows_per_part=90, **options):
    """Balance a table in parts of 90 rows; fields of the output folder are given like other options."""
    given = {name: options.pop(name) for name in FOLDER if name in options}
    return balance_partitions(source, OutputFolder(output, rows_per_part=rows_per_part, **given), **options)


def balanced(table, folder, edges=(100, 101, 250), output="out", row_group_size=None, **options):
    parts = cut(table, folder / f"parts-{output}", edges, row_group_size)
    return write(parts, folder / output, **{**REQUEST, **options})


@pytest.fixture(scope="module")
def usual(whole, tmp_path_factory):
    """The table in four parts, balanced without any trouble: the rows that all others are compared with."""
    folder = tmp_path_factory.mktemp("usual")
    return balanced(whole, folder, augment=5), synthetic(folder / "out"), folder


def check_identities(ledger):
    for account in (*ledger, ledger):
        assert account.requested == account.accepted + account.shortfall
        assert account.proposed == account.accepted + sum(account.rejected.values())


def test_exact_totals_and_untouched_real_parts(usual, whole):
    made, rows, folder = usual
    check_identities(made.ledger)
    assert made.ledger.shortfall == 0
    for entry in made.plan:
        label, sex = entry.group
        here = rows["sex"].isna() if sex is None else rows["sex"] == sex
        assert int(((rows["y"] == label) & here).sum()) == entry.n_synthetic
    for number in range(4):
        name = f"part.{number}.parquet"
        assert (folder / "out" / name).read_bytes() == (folder / "parts-out" / name).read_bytes()
    assert pq.read_schema(folder / "out" / "synthetic-00000.parquet") == whole.schema
    assert len(pd.read_parquet(folder / "out")) == len(whole) + len(made)
    assert not (folder / "out" / WORK).exists()


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_the_folder_is_a_data_set_for_dask(usual):
    dataframe = pytest.importorskip("dask.dataframe")
    made, _, folder = usual
    frame = dataframe.read_parquet(folder / "out")
    assert len(frame) == made.plan.n_real + len(made)
    counts = frame["y"].value_counts().compute().to_dict()
    assert counts == pd.read_parquet(folder / "out")["y"].value_counts().to_dict()


def test_the_manifest_tells_of_every_part(usual):
    made, _, folder = usual
    manifest = json.loads((folder / "out" / MANIFEST).read_text())
    assert manifest["ledger"]["accepted"] == len(made)
    assert sum(part["rows"] for part in manifest["parts"]) == made.plan.n_real + len(made)
    for part in manifest["parts"]:
        raw = (folder / "out" / part["name"]).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == part["sha256"]
        if part["kind"] == "synthetic":
            assert sum(account["accepted"] for account in part["ledger"]) == part["rows"]
    assert manifest["asked"]["random_state"] == 3


def test_synthetic_values_are_values_of_the_real_columns(usual, whole):
    _, rows, _ = usual
    real = whole.to_pandas()
    for name in ("colour", "size", "flag", "rare", "unit", "code", "copy"):
        assert set(rows[name].dropna()) <= set(real[name].dropna())
    for name in ("amount", "score", "visits", "when", "day", "price"):
        assert rows[name].min() >= real[name].min()
        assert rows[name].max() <= real[name].max()
    assert rows["empty"].isna().all()
    assert set(rows["note"]) <= set(real["note"])
    for name in ("id", "number"):
        assert rows[name].is_unique
        assert not set(rows[name]) & set(real[name])


@settings(max_examples=6, deadline=None)
@given(edges=st.lists(st.integers(0, 400), max_size=8), row_group_size=st.sampled_from([None, 7, 50]))
def test_any_cut_gives_the_same_rows(usual, whole, edges, row_group_size):
    folder = Path(tempfile.mkdtemp())
    try:
        balanced(whole, folder, edges, row_group_size=row_group_size, augment=5)
        pd.testing.assert_frame_equal(synthetic(folder / "out"), usual[1])
    finally:
        shutil.rmtree(folder)


def test_any_number_of_workers_gives_the_same_bytes(usual, whole, tmp_path):
    balanced(whole, tmp_path, augment=5, n_jobs=2)
    for path in (tmp_path / "out").glob("*.parquet"):
        assert path.read_bytes() == (usual[2] / "out" / path.name).read_bytes()


def test_the_seed_matters(usual, whole, tmp_path):
    balanced(whole, tmp_path, augment=5, random_state=4)
    assert not synthetic(tmp_path / "out")["amount"].equals(usual[1]["amount"])


def test_one_file_and_synthetic_rows_alone(whole, tmp_path):
    pq.write_table(whole, tmp_path / "big.parquet", row_group_size=64)
    made = write(tmp_path / "big.parquet", tmp_path / "out", synthetic_only=True, **REQUEST)
    assert len(pd.read_parquet(tmp_path / "out")) == len(made)
    assert {part.kind for part in made.parts} == {"synthetic"}


def test_a_balanced_folder_can_be_balanced_again(usual, tmp_path):
    made = write(usual[2] / "out", tmp_path / "again", **{**REQUEST, "augment": 2})
    assert [part.name for part in made.parts][-1] == "more-synthetic-00000.parquet"
    assert made.ledger.accepted == 2 * len(made.plan.groups)


@given(
    wants=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=9),
    rows_per_part=st.integers(1, 60),
)
def test_pieces_are_full_and_add_up_to_the_plan(wants, rows_per_part):
    plan = Plan(tuple(GroupPlan((i,), 1, *want) for i, want in enumerate(wants)), ("y",))
    pieces = list(pieces_of(plan, rows_per_part))
    total, before = np.zeros((len(wants), 2), dtype=int), 0
    for number, piece in enumerate(pieces):
        size = sum(n_balance + n_augment for _, n_balance, n_augment in piece.wants)
        assert size == rows_per_part or (number == len(pieces) - 1 and 0 < size <= rows_per_part)
        assert (piece.number, piece.before) == (number, before)
        before += size
        for position, *counts in piece.wants:
            total[position] += counts
    assert [tuple(row) for row in total] == wants


class Knower(Shuffler):
    """Writes real rows of the whole table, most of which the sample does not have."""

    def __init__(self, frame, share=1.0):
        self.frame = frame
        self.share = share

    def propose(self, group, n, *, rng):
        rows = super().propose(group, n, rng=rng)
        own = self.frame[self.frame["y"] == group[0]]
        copies = own.iloc[rng.integers(0, len(own), n)].reset_index(drop=True)[rows.columns]
        takes = rng.random(n) < self.share
        return copies.where(takes, rows) if self.share < 1 else copies


def simple_table(n=3000):
    rng = np.random.default_rng(5)
    columns = {"a": rng.normal(size=n).round(3), "b": rng.normal(size=n).round(3)}
    return pa.table({**columns, "y": rng.choice(["no", "yes"], n, p=[0.8, 0.2])})


@pytest.mark.parametrize("bucket", [2**20, 100])
def test_a_copy_of_any_real_row_is_known(tmp_path, monkeypatch, bucket):
    monkeypatch.setattr(context, "BUCKET", bucket)
    table = simple_table()
    generator = Knower(table.to_pandas())
    options = {"generator": generator, "group_by": [], "context_rows": 20, "rows_per_part": 10_000}
    with pytest.raises(GenerationShortfall, match="0 of") as error:
        balanced(table, tmp_path, **options)
    ledger = error.value.generation.ledger
    assert ledger.copies == ledger.proposed == ledger.rejected[COPY] > 0
    made = balanced(table, tmp_path, output="kept", limits=Limits(copies="accept"), **options)
    assert made.ledger.copies == made.ledger.accepted == made.ledger.requested


def test_rows_that_are_no_copies_are_not_taken_for_any(tmp_path):
    table = simple_table()
    made = balanced(table, tmp_path, group_by=[], context_rows=50, generator=Shuffler())
    real = set(map(tuple, table.to_pandas()[["a", "b"]].to_numpy().tolist()))
    rows = synthetic(tmp_path / "out")
    assert not real & set(map(tuple, rows[["a", "b"]].to_numpy().tolist()))
    assert made.n_context == 100


def test_copies_are_kept_where_the_real_table_has_many(tmp_path):
    table = pa.concat_tables([simple_table(), simple_table()])
    made = balanced(
        table, tmp_path, group_by=[], context_rows=20, generator=Knower(table.to_pandas()), rows_per_part=10_000
    )
    assert made.ledger.copies == made.ledger.accepted


def test_the_share_of_duplicates_is_that_of_the_whole_table(monkeypatch):
    monkeypatch.setattr(context, "ROWS", 256)
    rng = np.random.default_rng(0)
    prints = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    for share in (0.0, 0.04, 0.3):
        repeated = np.concatenate([prints, prints[: int(share * len(prints) / (1 - share))]])
        total = None
        for piece in np.array_split(rng.permutation(repeated), 7):
            found = context.Distinct.of(piece, np.ones(len(piece)), None, context.ROWS)
            total = found if total is None else total.merge(found)
        assert context.duplicate_share(total, len(repeated)) == pytest.approx(share, abs=4 / 16)
    assert context.duplicate_share(context.Distinct.of(prints[:9], np.ones(9), None, 256), 9) == 0


class Stopped(Shuffler):
    """Is stopped after some parts, once."""

    left = 0

    def propose(self, group, n, *, rng):
        Stopped.left -= 1
        if Stopped.left == 0:
            raise KeyboardInterrupt
        return super().propose(group, n, rng=rng)


def test_an_interrupted_run_goes_on_where_it_was(whole, tmp_path):
    Stopped.left = 10**6
    balanced(whole, tmp_path, output="calm", generator=Stopped(), rows_per_part=20)
    Stopped.left = 9
    with pytest.raises(KeyboardInterrupt):
        balanced(whole, tmp_path, generator=Stopped(), rows_per_part=20)
    assert not (tmp_path / "out" / MANIFEST).exists()
    done = {path.name for path in (tmp_path / "out").glob("*.parquet")}
    assert "synthetic-00000.parquet" in done
    assert "synthetic-00009.parquet" not in done
    Stopped.left = 10**6
    again = {**REQUEST, "generator": Stopped(), "existing": "resume", "rows_per_part": 20}
    made = write(tmp_path / "parts-out", tmp_path / "out", **again)
    assert {part.name for part in made.parts if not part.is_new} == done
    pd.testing.assert_frame_equal(synthetic(tmp_path / "out"), synthetic(tmp_path / "calm"))

    # A finished folder has nothing left to do, and a part that is not what it was is made again.
    assert not any(part.is_new for part in write(tmp_path / "parts-out", tmp_path / "out", **again).parts)
    spoilt = tmp_path / "out" / "synthetic-00001.parquet"
    raw = spoilt.read_bytes()
    spoilt.write_bytes(raw[:-9] + b"x" * 9)
    made = write(tmp_path / "parts-out", tmp_path / "out", **again)
    assert [part.name for part in made.parts if part.is_new] == ["synthetic-00001.parquet"]
    assert spoilt.read_bytes() == raw


def test_only_the_same_request_goes_on(whole, tmp_path):
    made = balanced(whole, tmp_path, random_state=None)
    source, output = tmp_path / "parts-out", tmp_path / "out"
    again = write(source, output, **{**REQUEST, "random_state": None}, existing="resume")
    assert again.seed == made.seed
    with pytest.raises(OptionError, match=r"begun with another augment.*got 1, expected 0"):
        write(source, output, **{**REQUEST, "random_state": None}, augment=1, existing="resume")
    with pytest.raises(FileProblem, match="output folder exists") as error:
        write(source, output, **REQUEST)
    assert "--resume" in error.value.hint
    write(source, output, **REQUEST, existing="replace")
    with pytest.raises(FileProblem, match="nothing to continue"):
        write(source, tmp_path / "new", **REQUEST, existing="resume")
    with pytest.raises(FileProblem, match="lies within the other"):
        write(source, source / "out", **REQUEST)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(FileProblem, match="not empty"):
        write(source, tmp_path / "mine", **REQUEST, existing="replace")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


def test_a_shortfall_keeps_the_parts_and_can_be_accepted_later(whole, tmp_path):
    generator = Failing(("yes", "m"))
    with pytest.raises(GenerationShortfall, match="the pen broke") as error:
        balanced(whole, tmp_path, generator=generator)
    check_identities(error.value.generation.ledger)
    assert not (tmp_path / "out" / MANIFEST).exists()
    with pytest.warns(ShortfallWarning, match="the pen broke"):
        made = write(
            tmp_path / "parts-out",
            tmp_path / "out",
            **{**REQUEST, "generator": generator},
            existing="resume",
            limits=Limits(on_shortfall="warn"),
        )
    assert not any(part.is_new for part in made.parts)
    stopped = {entry.group: entry.stopped for entry in made.ledger}
    assert stopped["yes", "f"] == "full"
    assert stopped["yes", "m"].startswith("failed: the pen broke")
    assert len(synthetic(tmp_path / "out")) == made.ledger.accepted > 0


def test_a_mute_generator_leaves_empty_parts(whole, tmp_path):
    with pytest.warns(ShortfallWarning, match="0 of"):
        balanced(whole, tmp_path, generator=Mute(), limits=Limits(on_shortfall="warn"))
    assert len(synthetic(tmp_path / "out")) == 0


class Looking(Shuffler):
    """Tells what it is fitted to."""

    def fit(self, table, *, rng):
        Looking.seen.append(table.frame)
        return super().fit(table, rng=rng)


def test_rare_groups_are_learned_from_whole_and_common_ones_in_part(whole, tmp_path):
    seen = Looking.seen = []
    for output, edges in (("one", ()), ("many", (5, 30, 200, 201))):
        balanced(whole, tmp_path, edges, output, generator=Looking(), context_rows=25)
    pd.testing.assert_frame_equal(seen[0], seen[1])
    real = whole.to_pandas()[["y", "sex"]].value_counts(dropna=False)
    sample = seen[0].astype(object)[["y", "sex"]].value_counts(dropna=False)
    assert sorted(sample) == sorted(np.minimum(real, 25))


def test_identifiers_stay_apart_from_all_real_ones(tmp_path):
    n = 400
    keys = [f"{value:x}-{value * 7919:012x}-{value * 104729:016x}" for value in range(10**9, 10**9 + n)]
    table = pa.table(
        {
            "short": [f"{value:03d}" for value in range(n)],
            "key": [key * 2 for key in keys],
            "small": pa.array(range(n), pa.int16()),
            "x": np.random.default_rng(0).normal(size=n).round(2),
            "y": ["no"] * 350 + ["yes"] * 50,
        }
    )
    balanced(table, tmp_path, group_by=[], context_rows=30)
    rows = synthetic(tmp_path / "out")
    for name in ("short", "key", "small"):
        assert rows[name].is_unique
        assert not set(rows[name]) & set(table[name].to_pylist())
    assert rows["short"].str.fullmatch(r"\d{3}-\d{3}").all()
    assert (rows["key"].str.len() == len(keys[0] * 2)).all()
    assert rows["small"].tolist() == list(range(n, n + 300))
    with pytest.raises(SchemaError, match=r"no room for fresh identifiers.*'small'"):
        balanced(table, tmp_path, output="more", group_by=[], augment=20_000)


def test_a_generator_that_cannot_travel_is_an_error(whole, tmp_path):
    class Local(Shuffler):
        pass

    with pytest.raises(GeneratorError, match="cannot be sent to workers"):
        balanced(whole, tmp_path, generator=Local())


class Demanding(Shuffler):
    """Needs more rows than any group has."""

    traits = Traits(min_rows=10**6)


def test_generators_need_their_rows_here_too(whole, tmp_path):
    with pytest.raises(GeneratorError, match="too few real rows"):
        balanced(whole, tmp_path, generator=Demanding())


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (shutil.rmtree, FileProblem, "no such file or folder"),
        (lambda f: [p.unlink() for p in f.iterdir()], FileProblem, "no Parquet file.*an empty folder"),
        (lambda f: (f / "part.1.parquet").write_bytes(b"PAR1"), FileProblem, "part.1.parquet"),
        (lambda f: (f / "year=2020").mkdir(), FileProblem, "year=2020"),
        (lambda f: rewrite(f, lambda t: t.drop_columns("code")), SchemaError, "'code'.*not in part.1"),
        (lambda f: rewrite(f, lambda t: t.append_column("a", t["code"])), SchemaError, "'a'.*not in part.0"),
        (
            lambda f: rewrite(f, lambda t: t.set_column(4, "code", t["code"].cast("string"))),
            SchemaError,
            "'code'.*int64 in part.0.parquet, string in part.1.parquet",
        ),
        (lambda f: [rewrite(f, lambda t: t[:0], k) for k in range(4)], SchemaError, "no rows"),
    ],
)
def test_folders_that_are_no_table(whole, tmp_path, spoil, error, message):
    folder = cut(whole, tmp_path / "parts", (100, 101, 250))
    spoil(folder)
    with pytest.raises(error, match=message):
        write(folder, tmp_path / "out", **REQUEST)
    assert not (tmp_path / "out").exists()


def rewrite(folder, change, number=1):
    path = folder / f"part.{number}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "z"}, SchemaError, "unknown column"),
        ({"group_by": ["y"]}, SchemaError, "once"),
        ({"kinds": {"amout": "text"}}, SchemaError, "did you mean 'amount'"),
        ({"engine": "spark"}, OptionError, "unknown engine"),
        ({"generator": "chat"}, OptionError, "endpoint"),
        ({"rows_per_part": 0}, OptionError, "rows_per_part"),
        ({"random_state": -1}, OptionError, "random state"),
        ({"limits": Limits(max_seconds=1)}, OptionError, "only copies and on_shortfall"),
        ({"existing": "ignore"}, OptionError, "existing"),
        ({"sampling_strategy": lambda y: {}}, OptionError, "asks for the labels"),
        ({"sampling_strategy": "some"}, PlanError, "strategy"),
    ],
)
def test_requests_that_do_not_fit(whole, tmp_path, options, error, message):
    folder = cut(whole, tmp_path / "parts", (100,))
    with pytest.raises(error, match=message):
        write(folder, tmp_path / "out", **{**REQUEST, **options})
    assert not (tmp_path / "out").exists()


def test_constraints_hold_in_every_part_and_for_every_real_row(tmp_path):
    rng = np.random.default_rng(0)
    low = rng.integers(0, 20, 300)
    table = pa.table({"low": low, "high": low + rng.integers(0, 3, 300), "y": np.repeat(["a", "b"], [240, 60])})
    options = {"target": "y", "generator": "smoothed-bootstrap", "random_state": 0}
    source = cut(table, tmp_path / "parts", (100, 170))
    made = write(source, tmp_path / "out", constraints={"order": "low <= high"}, **options)
    rows = synthetic(tmp_path / "out")
    assert len(rows) == 180
    assert (rows["low"] <= rows["high"]).all()
    assert made.ledger.rejected["constraint: order"] > 0
    with pytest.raises(OptionError, match="another constraints"):
        write(source, tmp_path / "out", existing="resume", **options)
    broken = table.set_column(1, "high", pa.array(np.where(np.arange(300) == 199, -1, table["high"].to_numpy())))
    with pytest.raises(SchemaError, match=r"low <= high\): got 1 of .* counted from 0: 199; row 199 has low="):
        write(cut(broken, tmp_path / "broken", (100, 170)), tmp_path / "no", constraints=["low <= high"], **options)
