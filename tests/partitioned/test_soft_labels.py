"""Rows that carry probabilities, in part files."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makeweight import Committee
from makeweight.errors import OptionError, SchemaError
from makeweight.partitioned import OutputFolder, balance_partitions
from makeweight.partitioned.teaching import WEIGHT
from partitioned_tables import cut, synthetic

REQUEST = {
    "target": "y",
    "generator": "smoothed-bootstrap",
    "soft_labels": Committee(["closed-form", "hgb-shallow"], cv=2),
    "augment": 60,
    "random_state": 3,
}


def written(whole, folder, edges=(100, 250), rows_per_part=50, existing="refuse", **options):
    parts = (
        cut(whole, folder / f"parts-{len(edges)}", edges) if existing == "refuse" else folder / f"parts-{len(edges)}"
    )
    output = OutputFolder(folder / f"out-{len(edges)}", rows_per_part=rows_per_part, existing=existing)
    return balance_partitions(parts, output, **(REQUEST | options)), folder / f"out-{len(edges)}"


@pytest.fixture(scope="module")
def whole(whole):
    """The table without the column that says the label again."""
    return whole.drop_columns(["copy"])


@pytest.fixture(scope="module")
def usual(whole, tmp_path_factory):
    return written(whole, tmp_path_factory.mktemp("soft"))


def test_synthetic_rows_stand_once_per_label(usual, whole):
    made, folder = usual
    rows = synthetic(folder)
    assert rows[WEIGHT].sum() == pytest.approx(made.ledger.accepted, rel=1e-2)
    assert len(rows) > made.ledger.accepted
    assert pq.read_schema(folder / "synthetic-00000.parquet").names == [*whole.column_names, WEIGHT]
    assert set(rows["y"]) == {"no", "yes"}


def test_probabilities_are_those_of_the_whole_table(usual, whole):
    _, folder = usual
    rows, real = synthetic(folder), whole.to_pandas()
    said = rows.groupby("y")[WEIGHT].sum() / rows[WEIGHT].sum()
    # Rows were written evenly, and the columns say next to nothing of the label.
    assert said["yes"] == pytest.approx((real["y"] == "yes").mean(), abs=0.1)


def test_real_rows_are_as_they_were_and_weigh_one(usual, whole):
    _, folder = usual
    real = pd.concat([pq.read_table(folder / f"part.{n}.parquet").to_pandas() for n in range(3)], ignore_index=True)
    assert (real.pop(WEIGHT) == 1).all()
    pd.testing.assert_frame_equal(real, whole.to_pandas())


def test_any_cut_gives_the_same_rows(usual, whole, tmp_path):
    _, folder = written(whole, tmp_path, edges=(37,))
    pd.testing.assert_frame_equal(synthetic(folder), synthetic(usual[1]))


def test_groups_weigh_the_same(whole, tmp_path):
    _, folder = written(whole, tmp_path, group_by=["sex"])
    real = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("part.*"))], ignore_index=True)
    mass = real.fillna({"sex": "-"}).groupby(["sex", "y"])[WEIGHT].sum()
    assert np.allclose(mass, len(whole) / len(mass))


def test_a_lost_part_is_written_again_as_it_was(usual, whole, tmp_path):
    made, folder = written(whole, tmp_path)
    for name in ("part.1.parquet", "synthetic-00001.parquet"):
        (folder / name).unlink()
    again, _ = written(whole, tmp_path, existing="resume")
    assert [part.sha256 for part in again.parts] == [part.sha256 for part in made.parts]
    with pytest.raises(OptionError):
        written(whole, tmp_path, existing="resume", soft_labels=False)


def test_a_table_with_the_column_is_refused(whole, tmp_path):
    with pytest.raises(SchemaError, match=WEIGHT):
        written(whole.append_column(WEIGHT, whole["score"]), tmp_path)


@pytest.mark.parametrize("name", ["code", "flag", "size", "day"])
def test_labels_of_any_type(whole, tmp_path, name):
    table = whole
    if name == "day":
        days = pa.array(np.arange(len(table), dtype="int32") % 2, pa.int32()).cast(pa.date32())
        table = table.set_column(table.column_names.index("day"), "day", days)
    made, folder = written(table, tmp_path, edges=(100,), target=name, augment=5, kinds={name: "categorical"})
    rows = pq.read_table(folder / "synthetic-00000.parquet")
    assert rows.schema.field(name).type == table.schema.field(name).type
    assert set(rows[name].to_pylist()) <= set(table[name].to_pylist())
    assert made.ledger.accepted == made.plan.n_synthetic


def test_without_a_number_of_rows_it_is_that_of_soft_labels(whole, tmp_path):
    made, _ = written(whole, tmp_path, augment=0, rows_per_part=10_000)
    own = np.array([entry.n_real for entry in made.plan]) / len(whole)
    assert np.allclose([entry.n_synthetic for entry in made.plan], 8000 * own, atol=1)
