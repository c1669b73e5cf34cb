"""The generator: the contract, and what it promises beyond it."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema
from makeweight.errors import FileProblem, GeneratorError, OptionError
from makeweight.generators.contract import CHECKS, example_table
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import ModelConfig, named
from makeweight.generators.transformer.device import choose_device
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.generators.transformer.network import untrained
from makeweight.plan import Groups, Plan
from makeweight.table import Table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a small network that looks at everything, untrained."""
    rng = np.random.default_rng(0)
    model = untrained(ModelConfig(width=16, layers=2, heads=2), rng)
    for parameter in model.parameters.values():
        parameter += rng.standard_normal(parameter.shape, dtype=np.float32) * 0.05
    place = tmp_path_factory.mktemp("weights")
    facts = {"steps": 0, "tasks": 0, "seconds": 0.0, "device": "cpu", "validation": {}}
    weights.save(model, place, config="toy", **facts)
    return place


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract(check, folder):
    check(lambda: InContextTransformer(weights=folder, orders=2))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_with_the_network_of_the_package(check):
    check(lambda: resolve("transformer", {"orders": 2}))


@pytest.mark.parametrize(
    ("rows", "rare", "shown", "draws"),
    [(2600, 40, 100, 16), (900, 90, 180, 8), (800, 300, named("tiny").prior.max_context, 8), (80, 24, 80, 8)],
)
def test_contexts_are_even_and_no_larger_than_the_network_knows(rows, rare, shown, draws):
    table = example_table(n=rows, rare=rare, kinds="numbers")
    generator = InContextTransformer().fit(table, rng=np.random.default_rng(0))
    contexts = generator._rows.contexts()
    assert (contexts.rows, len(contexts.orders)) == (shown, draws)
    wanted = generator._codes[generator._known.position(("rare",))][0]
    for prompt in contexts.prompts:  # every draw shows all rare rows, or as many as common ones
        labels = prompt.values[0, :, 0]
        assert (labels == wanted).sum() >= min(rare, shown // 2)


def test_more_rows_of_a_large_group_begin_as_real_ones(folder, monkeypatch):
    table = example_table(n=600, rare=25, kinds="numbers")
    generator = InContextTransformer(weights=folder, orders=2, own_shape=False).fit(table, rng=np.random.default_rng(0))
    told = []
    real = generator._rows.samples

    def samples(*args, donors, **options):
        told.append(donors)
        return real(*args, donors=donors, **options)

    monkeypatch.setattr(generator._rows, "samples", samples)
    for label in ("rare", "common"):
        generator.propose((label,), 3, rng=np.random.default_rng(0))
    generator.donors = 0
    generator.propose(("rare",), 3, rng=np.random.default_rng(0))
    assert told == [pytest.approx(0.0025, abs=1e-4), pytest.approx(0.57, abs=0.01), 0]


def test_damaged_weights_are_refused(folder, tmp_path):
    place = tmp_path / "weights"
    shutil.copytree(folder, place)
    content = (place / "weights.safetensors").read_bytes()
    (place / "weights.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(FileProblem, match="not those of the manifest"):
        InContextTransformer(weights=place).fit(example_table(), rng=np.random.default_rng(0))


def test_damaged_weights_of_a_saved_generator_are_refused(folder, tmp_path):
    table = example_table()
    InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0)).save(tmp_path / "g")
    path = tmp_path / "g" / "weights" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(FileProblem, match="not those of the manifest"):
        InContextTransformer.load(tmp_path / "g", table)
    path.unlink()
    with pytest.raises(FileProblem, match="cannot be read"):
        InContextTransformer.load(tmp_path / "g", table)


@pytest.mark.skipif(choose_device("auto") != "cuda", reason="needs torch and a CUDA device")
def test_rows_on_a_cuda_device(folder):
    table = example_table()
    generator = InContextTransformer(weights=folder, device="cuda").fit(table, rng=np.random.default_rng(0))
    assert len(generator.propose(("rare",), 30, rng=np.random.default_rng(0))) == 30
    cpu = InContextTransformer(weights=folder, device="cpu").fit(table, rng=np.random.default_rng(0))
    assert np.isfinite(generator.log_prob(table.frame)).all()
    assert abs(generator.log_prob(table.frame).mean() - cpu.log_prob(table.frame).mean()) < 1


def test_groups_with_missing_attributes_and_rare_cells(folder):
    x = np.random.default_rng(0).normal(size=40)
    frame = pd.DataFrame({"x": x, "y": ["a", "b"] * 20, "sex": ["f", "m", None, "m"] * 10})
    table = Table(frame, Schema.infer(frame, target="y", group_by=["sex"]))
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0))
    for group in Groups(table).keys:
        assert generator.propose(group, 3, rng=np.random.default_rng(0)).shape == (3, 1)
    with pytest.raises(GeneratorError, match="no real row"):
        generator.propose(("a", "m"), 3, rng=np.random.default_rng(0))


def test_fewer_rows_are_a_prefix(folder):
    table = example_table()
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0))
    many = generator.propose(("rare",), 24, rng=np.random.default_rng(4))
    few = generator.propose(("rare",), 5, rng=np.random.default_rng(4))
    pd.testing.assert_frame_equal(few, many.head(5), check_exact=False, rtol=1e-4)


def test_a_table_without_learned_columns(folder):
    frame = pd.DataFrame({"x": [1] * 12, "y": ["a", "b", "b"] * 4})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0))
    assert generator.propose(("a",), 4, rng=np.random.default_rng(0)).shape == (4, 0)


def test_memory_bounds_the_contexts(folder):
    table = example_table(n=400, rare=40)
    small = InContextTransformer(weights=folder, orders=16, max_memory=1)
    small.fit(table, rng=np.random.default_rng(0))
    assert len(small._rows.contexts().orders) < 16
    assert len(small.propose(("rare",), 30, rng=np.random.default_rng(0))) == 30


def test_scores_labels_and_imputation(folder):
    table = example_table(n=200, rare=80)
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0))
    frame = table.frame.head(30)
    assert np.isfinite(generator.log_prob(frame)).all()
    strange = frame.assign(colour="mauve")
    assert (generator.log_prob(strange) == -np.inf).all()
    chance = generator.predict_proba(frame)
    assert chance.shape == (30, 2)
    np.testing.assert_allclose(generator.predict_proba(frame.drop(columns="y")), chance)
    holes = frame.copy()
    holes.loc[holes.index[::3], ["size", "colour"]] = None
    filled = generator.impute(holes, rng=np.random.default_rng(0))
    assert not filled[["size", "colour", "income", "job"]].isna().any().any()
    pd.testing.assert_frame_equal(
        filled.loc[holes["size"].notna(), ["size", "count"]], holes.loc[holes["size"].notna(), ["size", "count"]]
    )


def test_rows_are_the_same_whether_the_groups_shape_is_known_or_read_along(folder):
    table = example_table(n=300, kinds="numbers")
    one, two = (InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0)) for _ in range(2))
    along = one.propose(("rare",), 20, rng=np.random.default_rng(1))
    shape = two._shaping._shapes.of(two._known.position(("rare",)))
    known = two.propose(("rare",), 20, rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(along, known, rtol=1e-4)
    own = one._shaping._shapes.of(one._known.position(("rare",)))
    assert [curve is None for curve in own.curves] == [curve is None for curve in shape.curves]


def test_cost_grows_with_the_plan(folder):
    table = example_table()
    generator = InContextTransformer(weights=folder)
    few, many = (Plan.make(Groups(table), augment=n) for n in (0, 1000))
    assert generator.cost(few).seconds < generator.cost(many).seconds


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"orders": 0}, "orders"),
        ({"max_context": 1.5}, "max_context"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"donors": 1.5}, "donors"),
        ({"donors": "some"}, "donors"),
        ({"donors": True}, "donors"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_options_out_of_range_are_refused(folder, options, match):
    with pytest.raises(OptionError, match=match):
        InContextTransformer(weights=folder, **options).fit(example_table(), rng=np.random.default_rng(0))


def test_weights_that_are_not_there_are_reported(tmp_path):
    with pytest.raises(FileProblem, match="cannot be read"):
        InContextTransformer(weights=tmp_path).fit(example_table(), rng=np.random.default_rng(0))
