"""Column after column, with scikit-learn's classifiers in the place of pretrained ones: no weights are needed."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

from makeweight import balance
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.adapters import chain
from makeweight.generators.adapters.chain import LEVELS, ChainGenerator
from makeweight.generators.contract import CHECKS, example_table
from makeweight.generators.frame.options import option
from makeweight.generators.gate import Weights
from makeweight.plan import Groups
from makeweight.table import Schema, Table


@dataclass(eq=False, repr=False)
class Linear(ChainGenerator):
    """Naive Bayes and a line as the networks.

    Parameters
    ----------
    weights : path
        A folder.
    fetch : bool
        Whether to fetch.
    max_rows : int
        Rows of context.
    estimators : int
        Views.
    device : str
        "cpu".
    """

    most_classes = 3

    weights: str | None = option(None, str, words=(None,))
    fetch: bool = option(False, bool)
    max_rows: int = option(200, int, 20)

    def _source(self, role, file):
        weights = Weights(file or f"{role}.ckpt", "Licence X", file != "not-for-sale-classifier.ckpt", "nowhere")
        return "who/what", f"{role}.ckpt", weights

    def _load(self, paths):
        self.loaded = sorted(paths)

    def _probabilities(self, read, classes, asked):
        assert len(np.unique(classes)) <= self.most_classes
        model = GaussianNB(var_smoothing=1e-2).fit(np.nan_to_num(read), classes)
        return model.predict_proba(np.nan_to_num(asked))

    def _quantiles(self, read, values, asked):
        model = LinearRegression().fit(np.nan_to_num(read), values)
        spread = np.std(values - model.predict(np.nan_to_num(read)))
        return model.predict(np.nan_to_num(asked))[:, None] + spread * np.linspace(-2, 2, len(LEVELS))


@pytest.fixture
def weights(tmp_path):
    for role in ("classifier", "regressor"):
        (tmp_path / f"not-for-sale-{role}.ckpt").touch()
    return str(tmp_path)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, weights):
    check(lambda: Linear(weights=weights))


def test_the_ledger_names_weights_and_what_they_forbid(weights):
    generation = balance(example_table().frame, target="y", generator=Linear(weights=weights), random_state=0)
    first, second = json.loads(json.dumps(generation.to_dict()))["ledger"]["weights"]
    assert (first["commercial"], second["commercial"]) == (False, True)
    assert any("no commercial use" in note for note in generation.notes)


def test_without_pretrained_weights_the_ledger_names_none():
    generation = balance(example_table().frame, target="y", generator="random", random_state=0)
    assert "weights" not in generation.ledger.to_dict()


def test_a_column_follows_the_group_and_the_columns_before_it(weights):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], [300, 100])
    x = np.where(y == "b", 5.0, 0.0) + rng.normal(size=400)
    frame = pd.DataFrame({"x": x, "z": 2 * x + rng.normal(size=400) / 10, "y": y})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = Linear(weights=weights).fit(table, rng=rng)
    rows = generator.propose(("b",), 500, rng=rng)
    assert abs(rows["x"].mean() - 5) < 0.3
    assert rows["x"].corr(rows["z"]) > 0.98
    assert generator.loaded == ["regressor"], "what is not needed is not loaded"


def test_many_categories_are_written_block_by_block(weights):
    rng = np.random.default_rng(0)
    levels = [f"v{i:02d}" for i in range(14)]
    share = np.arange(1, 15) / 105
    frame = pd.DataFrame({"c": rng.choice(levels, 3000, p=share), "y": np.repeat(["a", "b"], 1500)})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = Linear(weights=weights, max_rows=3000).fit(table, rng=rng)
    drawn = generator.propose(("a",), 4000, rng=rng)["c"].value_counts(normalize=True)
    real = frame["c"][:1500].value_counts(normalize=True)
    assert float((drawn.reindex(levels) - real.reindex(levels)).abs().max()) < 0.03


def test_the_context_is_even_over_groups():
    frame = pd.DataFrame({"x": np.arange(1000.0), "y": np.repeat(["a", "b", "c"], [900, 90, 10])})
    groups = Groups(Table(frame, Schema.infer(frame, target="y")))
    rows = chain._evenly(groups, 110, np.random.default_rng(0))
    assert np.bincount(groups.codes[rows]).tolist() == [50, 50, 10]
    assert chain._evenly(groups, 1000, np.random.default_rng(0)).tolist() == list(range(1000))


@pytest.mark.parametrize("files", [[], ["a-classifier.ckpt", "b-classifier.ckpt"]])
def test_a_folder_has_one_file_of_each(tmp_path, files):
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(OptionError, match=f"got {len(files)} files"):
        Linear(weights=str(tmp_path)).fit(example_table(), rng=np.random.default_rng(0))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that has every file, and says what was asked of it."""
    pytest.importorskip("huggingface_hub")
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def download(repository, file, local_files_only=False):
        if local_files_only:
            raise LocalEntryNotFoundError(file)
        asked.append(file)
        (tmp_path / file).touch()
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: type("M", (), {"size": 7_000_000})())
    return asked


def test_nothing_is_fetched_without_a_yes(hub, capfd):
    table = example_table()
    with pytest.raises(GeneratorError, match=r"classifier.ckpt: Licence X.*7\.0 MB"):
        Linear().fit(table, rng=np.random.default_rng(0))
    assert hub == []
    Linear(fetch=True).fit(table, rng=np.random.default_rng(0))
    assert hub == ["classifier.ckpt", "regressor.ckpt"]
    assert capfd.readouterr().err.count("fetching") == 2


def test_an_origin_out_of_reach_is_an_error(hub, monkeypatch):
    import huggingface_hub

    def unreachable(url):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    with pytest.raises(GeneratorError, match="cannot be reached"):
        Linear(fetch=True).fit(example_table(), rng=np.random.default_rng(0))
