"""The generator as a whole: contract, groups, sampler, constraints, saving and loading."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema, SyntheticOverSampler
from makeweight.errors import FileProblem, GeneratorError, SchemaError
from makeweight.generators import contract
from makeweight.generators.causal_lm import CausalLMGenerator
from makeweight.generators.contract import CHECKS, example_table
from makeweight.generators.fill import Limits, fill
from makeweight.generators.registry import names, resolve
from makeweight.plan import Groups, Plan
from makeweight.table import Table

TINY = {"model": "scratch", "layers": 1, "width": 32, "epochs": 2}


def fitted(table, **options):
    return CausalLMGenerator(**{**TINY, **options}).fit(table, rng=np.random.default_rng(0))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check):
    check(lambda: CausalLMGenerator(**TINY))


def test_it_is_in_the_registry_among_those_that_train():
    assert "causal-lm" in names("trains")
    assert "causal-lm" not in names("instant")
    generator = resolve("causal-lm", {"model": "scratch", "constrain": "false", "temperature": "0.9"})
    assert (generator.model, generator.constrain, generator.temperature) == ("scratch", False, 0.9)


def test_rows_are_valid_by_construction_whatever_the_model():
    table = example_table()
    generator = fitted(table, epochs=1, temperature=5.0)  # hardly trained, and drawn almost at random
    plan = Plan.make(Groups(table), {"rare": 24 + 60, "common": 56 + 60})
    made = fill(generator, table, plan, seed=np.random.SeedSequence(0))
    assert made.ledger.proposed == made.ledger.accepted == 120
    assert not made.ledger.rejected


def test_without_constraints_the_check_decides():
    table = example_table(n=60, kinds="categories")
    generator = fitted(table, constrain=False, epochs=1)
    proposal = generator.propose(("rare",), 20, rng=np.random.default_rng(0))
    assert len(proposal) == 20
    plan = Plan.make(Groups(table), {"rare": 24 + 5})
    with pytest.warns(UserWarning, match="could be written"):
        made = fill(
            generator, table, plan, seed=np.random.SeedSequence(0), limits=Limits(patience=1, on_shortfall="warn")
        )
    assert made.ledger.proposed == made.ledger.accepted + sum(made.ledger.rejected.values())
    assert sum(made.ledger.rejected.values()) > 0


def test_a_model_that_has_learned_its_rows_writes_valid_ones_freely():
    frame = pd.DataFrame({"a": ["u", "v"] * 60, "b": ["p", "q"] * 60, "y": ["rare", "common"] * 60})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = fitted(table, constrain=False, epochs=25, learning_rate=0.02)
    rows = generator.propose(("rare",), 30, rng=np.random.default_rng(0))
    assert (rows["y"] == "rare").mean() > 0.9
    assert (rows["a"] == "u").mean() > 0.9


def test_a_group_is_what_it_learned_of_it():
    n = 300
    rng = np.random.default_rng(0)
    label = np.where(np.arange(n) < 60, "rare", "common")
    size = np.where(label == "rare", 8, 1) + rng.integers(0, 2, n)
    frame = pd.DataFrame({"size": size, "word": np.where(label == "rare", "up", "down"), "y": label})
    table = Table(frame, Schema.infer(frame, target="y", kinds={"size": "integer"}))
    generator = fitted(table, epochs=12, learning_rate=0.01)
    for group, word, low in (("rare", "up", 8), ("common", "down", 1)):
        rows = generator.propose((group,), 60, rng=np.random.default_rng(1))
        assert (rows["word"] == word).mean() > 0.9
        assert rows["size"].between(low, low + 1).mean() > 0.9


def test_the_sampler_takes_it_with_groups_missing_values_and_text():
    n = 90
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "note": [f'says "{w}", and {i} more, or so' for i, w in enumerate(rng.choice(["ä", "no"], n))],
            "job": pd.Series(rng.choice(["cook", "a, b"], n)).mask(rng.random(n) < 0.3),
            "pay": rng.normal(50, 9, n).round(2),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    y = pd.Series(np.where(np.arange(n) < 20, "rare", "common"), name="y")
    sampler = SyntheticOverSampler(CausalLMGenerator(**TINY), group_by="sex", random_state=0)
    X, _ = sampler.fit_resample(frame, y)
    counts = sampler.generation_.ledger
    assert counts.shortfall == 0
    new = X[sampler.is_synthetic_]
    assert set(new["job"].dropna()) <= {"cook", "a, b"}
    assert new["note"].map(type).eq(str).all()
    assert not sampler.generation_.notes  # the text is written, not kept
    again, _ = SyntheticOverSampler(CausalLMGenerator(**TINY), group_by="sex", random_state=0).fit_resample(frame, y)
    pd.testing.assert_frame_equal(X, again)


def test_a_cell_without_rows_can_be_written():
    table = example_table(n=80, rare=30, group_by=("sex",))
    kept = ~((table.frame["y"] == "rare") & (table.frame["sex"] == "f"))
    table = Table(
        table.frame[kept].reset_index(drop=True), Schema.infer(table.frame[kept], target="y", group_by=["sex"])
    )
    plan = Plan.make(Groups(table), {("rare", "f"): 8})
    made = fill(fitted(table), table, plan, seed=np.random.SeedSequence(0))
    assert len(made) == 8


def test_nothing_to_write_is_no_reason_to_fail():
    frame = pd.DataFrame({"unit": ["cm"] * 30, "y": ["rare"] * 10 + ["common"] * 20})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = fitted(table)
    assert generator.propose(("rare",), 4, rng=np.random.default_rng(0)).shape == (4, 0)
    assert fitted(example_table()).propose(("rare",), 0, rng=np.random.default_rng(0)).shape[0] == 0


def test_a_row_that_outgrows_the_model_is_left_out():
    table = example_table()
    generator = fitted(table)
    generator._language.model.config.n_positions = 30  # as many tokens as the model takes from here on
    assert generator._language.context == 30
    assert len(generator.propose(("rare",), 5, rng=np.random.default_rng(0))) == 0


def test_what_a_sampler_trained_can_be_saved(tmp_path):
    frame = example_table().frame
    sampler = SyntheticOverSampler(CausalLMGenerator(**TINY), random_state=0)
    sampler.fit_resample(frame.drop(columns="y"), frame["y"])
    sampler.generator_.save(tmp_path / "saved")
    table = SyntheticOverSampler("causal-lm").fit(frame.drop(columns="y"), frame["y"]).table_
    loaded = CausalLMGenerator.load(tmp_path / "saved", table)
    rows, again = (g.propose(("rare",), 3, rng=np.random.default_rng(4)) for g in (sampler.generator_, loaded))
    pd.testing.assert_frame_equal(rows.astype(str), again.astype(str))


@pytest.mark.parametrize("constrain", [True, False])
def test_saved_and_loaded_it_writes_the_same_rows(tmp_path, constrain):
    table = example_table()
    generator = fitted(table, constrain=constrain)
    generator.save(tmp_path / "saved")
    loaded = CausalLMGenerator.load(tmp_path / "saved", table)
    rows, again = (g.propose(("rare",), 9, rng=np.random.default_rng(4)) for g in (generator, loaded))
    pd.testing.assert_frame_equal(rows.astype(str), again.astype(str))
    assert loaded.temperature == generator.temperature
    assert loaded._outcome == generator._outcome or np.isnan(loaded._outcome.losses[0][1])
    assert {p.suffix for p in (tmp_path / "saved").rglob("*.*")} <= {".json", ".safetensors"}
    with pytest.raises(FileProblem, match="something there already"):
        generator.save(tmp_path / "saved")


def test_copies_and_pickles_write_the_same_rows():
    table = example_table()
    generator = fitted(table)
    rows = generator.propose(("rare",), 5, rng=np.random.default_rng(4))
    for twin in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        pd.testing.assert_frame_equal(rows, twin.propose(("rare",), 5, rng=np.random.default_rng(4)))


def saved(folder):
    generator = fitted(example_table())
    generator.save(folder)
    return folder


def change(path, **keys):
    manifest = json.loads(path.read_text())
    manifest.update(keys)
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("generators") / "saved")


@pytest.fixture
def own(folder, tmp_path):
    import shutil

    return shutil.copytree(folder, tmp_path / "own")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"format": "other"}, "not a saved generator of this kind"),
        ({"version": 99}, "another version"),
        ({"run": "rm"}, "unknown key in the manifest"),
        ({"options": {}}, "keys are missing in the options"),
        ({"facts": {}}, "keys are missing in the facts"),
        ({"facts": {"form": "other", "outcome": {}, "longest": 9}}, "unknown form"),
    ],
)
def test_what_is_not_known_is_refused(own, keys, says):
    change(own / "manifest.json", **keys)
    with pytest.raises(FileProblem, match=says):
        CausalLMGenerator.load(own, example_table())


def test_unknown_files_and_other_tables_are_refused(own, tmp_path):
    with pytest.raises(SchemaError, match="not the one") as error:
        CausalLMGenerator.load(own, example_table(kinds="numbers"))
    assert "colour" in error.value.got
    (own / "model" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FileProblem, match="unknown file"):
        CausalLMGenerator.load(own, example_table())
    with pytest.raises(FileProblem, match="saved generator"):
        CausalLMGenerator.load(tmp_path / "nothing", example_table())


def test_a_pretrained_folder_gets_an_adapter_that_is_saved_alone(tmp_path):
    """A model that was trained before, in a folder: here one that was made for another table."""
    fitted(example_table(seed=1)).save(tmp_path / "first")
    table = example_table()
    base = str(tmp_path / "first" / "model")
    generator = fitted(table, model=base, lora=4)
    assert generator._language.form == "adapter"
    rows = generator.propose(("rare",), 6, rng=np.random.default_rng(0))
    assert len(rows) == 6
    generator.save(tmp_path / "second")
    assert not (tmp_path / "second" / "model" / "model.safetensors").exists()
    loaded = CausalLMGenerator.load(tmp_path / "second", table)
    pd.testing.assert_frame_equal(rows, loaded.propose(("rare",), 6, rng=np.random.default_rng(0)))
    config = tmp_path / "second" / "adapter" / "adapter_config.json"
    change(config, auto_mapping={"parent_library": "this", "base_model_class": "X"})
    with pytest.raises(FileProblem, match="unknown kind of adapter"):
        CausalLMGenerator.load(tmp_path / "second", table)
    config.unlink()
    with pytest.raises(FileProblem, match="adapter cannot be read"):
        CausalLMGenerator.load(tmp_path / "second", table)
    whole = fitted(table, model=base, lora=False)
    assert whole._language.form == "full"
    contract.check_cost_is_known_before(lambda: CausalLMGenerator(**{**TINY, "model": base}))


def test_a_call_is_bounded_so_that_budgets_count():
    table = example_table()
    generator = fitted(table, rows_at_once=2, epochs=1)
    assert len(generator.propose(("rare",), 100, rng=np.random.default_rng(0))) == 16
    plan = Plan.make(Groups(table), {"rare": 24 + 40})
    made = fill(generator, table, plan, seed=np.random.SeedSequence(0))
    assert made.ledger.accepted == 40
    assert next(iter(made.ledger)).rounds >= 3


def test_how_training_went_is_known_after_it():
    with pytest.raises(GeneratorError, match="not fitted"):
        _ = CausalLMGenerator(**TINY).training
    training = fitted(example_table()).training
    assert training.epoch == len(training.losses) == 2
    assert training.stopped == "all epochs"


@pytest.mark.long
@pytest.mark.parametrize(("file", "target"), [("telco_churn", "Churn"), ("adult_census", "income")])
def test_rows_of_real_tables_are_valid_by_construction(data_dir, file, target):
    frame = pd.read_csv(data_dir / "real" / f"{file}.csv").sample(2000, random_state=0).reset_index(drop=True)
    table = Table(frame, Schema.infer(frame, target=target))
    generator = CausalLMGenerator(model="scratch", max_seconds=60).fit(table, rng=np.random.default_rng(0))
    groups = Groups(table)
    plan = Plan.make(groups, {key: int(groups.counts[i]) + 300 for i, key in enumerate(groups.keys)})
    made = fill(generator, table, plan, seed=np.random.SeedSequence(0))
    assert set(made.ledger.rejected) <= {"copy-of-a-real-row", "surplus"}
    assert made.ledger.copies <= 6


def test_what_is_downloaded_is_part_of_the_cost(tmp_path):
    plan = Plan.make(Groups(example_table()))
    assert CausalLMGenerator().cost(plan).downloads[0].startswith("distilgpt2 from the Hugging Face hub")
    assert CausalLMGenerator(model="scratch").cost(plan).downloads == ()
    assert CausalLMGenerator(model=str(tmp_path)).cost(plan).downloads == ()


def test_epochs_are_logged_with_loss_and_time_left(caplog, capsys):
    caplog.set_level("INFO", "makeweight")
    fitted(example_table())
    assert "causal-lm, epoch 1 of 2: loss" in caplog.text
    assert "epoch 2 of 2" in caplog.text
    assert "s left" in caplog.text
    assert not capsys.readouterr().err
