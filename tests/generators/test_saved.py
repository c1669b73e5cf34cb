"""Fitted generators as folders: what is unknown, damaged, missing or of another table is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema
from makeweight.errors import FileProblem, OptionError, SchemaError
from makeweight.generators.contract import example_table
from makeweight.generators.frame import saving
from makeweight.generators.registry import resolve
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap
from makeweight.generators.transport import TransportGenerator
from makeweight.table import Table

RARE = ("rare",)


@pytest.fixture(params=["smoothed-bootstrap", "transport"])
def saved(request, tmp_path):
    table = example_table()
    generator = resolve(request.param).fit(table, rng=np.random.default_rng(0))
    generator.save(tmp_path / "g")
    return generator, table, tmp_path / "g"


def change(folder, **changes):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.update(changes)
    path.write_text(json.dumps(manifest))


def test_options_come_back(tmp_path):
    table = example_table()
    fitted = SmoothedBootstrap(bandwidth=0.7, n_neighbors=4).fit(table, rng=np.random.default_rng(0))
    fitted.save(tmp_path / "g")
    loaded = SmoothedBootstrap.load(tmp_path / "g", table)
    assert (loaded.bandwidth, loaded.n_neighbors, loaded.recombine) == (0.7, 4, "auto")
    np.testing.assert_array_equal(fitted.log_prob(table.frame), loaded.log_prob(table.frame))


def test_texts_come_back(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array(["quick", "brown", "fox", "jumps", "over", "lazy", "dog", "then", "more"])
    frame = pd.DataFrame(
        {"note": [" ".join(rng.choice(words, 6)) for _ in range(50)], "x": rng.normal(size=50), "y": ["a", "b"] * 25}
    )
    table = Table(frame, Schema.infer(frame, target="y", kinds={"note": "text"}))
    fitted = SmoothedBootstrap().fit(table, rng=rng)
    fitted.save(tmp_path / "g")
    loaded = SmoothedBootstrap.load(tmp_path / "g", table)
    rows = [g.propose(("a",), 9, rng=np.random.default_rng(1)) for g in (fitted, loaded)]
    pd.testing.assert_frame_equal(*rows)
    other = frame.assign(note=frame["note"].to_numpy()[::-1])
    with pytest.raises(SchemaError, match="'note'"):
        SmoothedBootstrap.load(tmp_path / "g", Table(other, table.schema))


def test_another_table_is_refused(saved):
    generator, _, folder = saved
    with pytest.raises(SchemaError, match="not the one"):
        type(generator).load(folder, example_table(seed=3))
    with pytest.raises(SchemaError, match="groups"):
        type(generator).load(folder, example_table(group_by=("sex",)))


def test_another_generator_is_refused(saved):
    generator, table, folder = saved
    other = TransportGenerator if isinstance(generator, SmoothedBootstrap) else SmoothedBootstrap
    with pytest.raises(FileProblem, match="another generator"):
        other.load(folder, table)


def test_damaged_arrays_are_refused(saved):
    generator, table, folder = saved
    path = folder / "state.safetensors"
    content = path.read_bytes()
    for damage in (content[:-8], content[:50] + b"?" + content[51:], b""):
        path.write_bytes(damage)
        with pytest.raises(FileProblem, match="not those of the manifest"):
            type(generator).load(folder, table)
    path.unlink()
    with pytest.raises(FileProblem, match="cannot be read"):
        type(generator).load(folder, table)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "pickle"}, "not a saved generator of this kind"),
        ({"version": 99}, "another version"),
        ({"surprise": 1}, "unknown key in the manifest"),
        ({"options": {"spcae": "auto"}}, "unknown key in the options"),
        ({"options": {}}, "keys are missing in the options"),
        ({"facts": {"surprise": 1}}, "unknown key in the facts"),
        ({"columns": {}}, "not the one"),
    ],
)
def test_unknown_manifests_are_refused(saved, changes, says):
    generator, table, folder = saved
    change(folder, **changes)
    with pytest.raises((FileProblem, SchemaError), match=says):
        type(generator).load(folder, table)


def test_options_out_of_range_are_refused(saved):
    generator, table, folder = saved
    options = json.loads((folder / "manifest.json").read_text())["options"]
    change(folder, options={**options, "n_neighbors": 0})
    with pytest.raises(OptionError, match="n_neighbors"):
        type(generator).load(folder, table)


def test_other_files_and_folders_are_refused(saved, tmp_path):
    generator, table, folder = saved
    with pytest.raises(FileProblem, match="something there"):
        generator.save(folder)
    (folder / "code.py").write_text("")
    with pytest.raises(FileProblem, match="unknown file"):
        type(generator).load(folder, table)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "manifest.json").write_text("{half")
    for nothing in (tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(FileProblem, match="saved generator"):
            type(generator).load(nothing, table)


def test_unknown_and_missing_arrays_are_refused(saved):
    generator, table, folder = saved
    manifest = json.loads((folder / "manifest.json").read_text())
    name, columns = manifest["generator"], manifest["columns"]
    facts, options = manifest["facts"], manifest["options"]
    for arrays, says in (({"evil": np.zeros(1)}, "unknown array"), ({}, "array is missing")):
        for path in folder.iterdir():
            path.unlink()
        saving.save_state(folder, name, columns, options, (), facts, arrays)
        with pytest.raises(FileProblem, match=says):
            type(generator).load(folder, table)


def test_what_is_no_plain_value_is_not_saved(tmp_path):
    with pytest.raises(FileProblem, match="cannot be saved"):
        saving.save_state(tmp_path / "g", "x", {}, {"option": object()}, (), {}, {})
    assert not (tmp_path / "g").exists()
