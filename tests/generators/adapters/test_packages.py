"""The contract over every package that is installed here; networks too large to be had have small random weights."""

import importlib

import numpy as np
import pytest

from makeweight import SyntheticOverSampler, balance
from makeweight.errors import MissingDependency
from makeweight.generators import contract
from makeweight.generators.contract import CHECKS, example_table
from makeweight.generators.registry import resolve
from random_networks import random_tabicl, random_tabpfn

#: What keeps a test short; a network of one epoch writes noise, which the checks do not mind. TVAE of fewer than some
#: 300 epochs writes no row of a rare group.
QUICK = {
    "gaussian-copula": {},
    "arf": {"trees": 5, "max_rounds": 1},
    "mostlyai": {"max_epochs": 1.0, "value_protection": False},
    "ctgan": {"epochs": 2},
    "tvae": {"epochs": 300},
}
#: As docs/generators/other-packages.md states them: TVAE writes none of a group of one row in forty.
EXCEPTIONS = {"tvae": {"check_few_rows"}}


def installed(name, options=None):
    """Return the generator, or skip."""
    try:
        return resolve(name, options)
    except MissingDependency as error:
        pytest.skip(error.got)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", QUICK)
def test_contract(name, check):
    installed(name, QUICK[name])
    if check.__name__ in EXCEPTIONS.get(name, ()):
        pytest.skip("an exception that is stated")
    check(lambda: resolve(name, QUICK[name]))


@pytest.mark.parametrize("name", ["gaussian-copula", "arf", "mostlyai", "smoothed-bootstrap"])
def test_who_can_be_told_the_group_writes_no_other(name):
    table = example_table(n=120, rare=30, group_by=("sex",))
    installed(name)
    options = QUICK.get(name)
    generation = balance(table.frame, target="y", group_by=["sex"], generator=name, options=options, random_state=0)
    assert not any(reason.startswith("wrong-group") for reason in generation.ledger.rejected)


def test_arf_draws_from_the_law_of_the_group():
    installed("arf")
    rng = np.random.default_rng(0)
    table = example_table(n=400, rare=100, kinds="numbers")
    table.frame.loc[table.frame["y"] == "rare", "size"] += 3.0
    table = contract.Table(table.frame, contract.Schema.infer(table.frame, target="y"))
    generator = resolve("arf", {"trees": 10}).fit(table, rng=rng)
    untold = generator._model.forge(2000)
    for group in ("rare", "common"):
        told = generator._rows({"y": group}, 500, 0)
        assert set(told["y"]) == {group}
        same = untold.loc[untold["y"] == group, "size"]
        assert told["size"].mean() == pytest.approx(same.mean(), abs=0.35)


RANDOM = {"tabicl": random_tabicl, "tabpfn": random_tabpfn}


@pytest.fixture
def random_weights(request, tmp_path):
    """A folder of random weights of the real class: what comes out is noise, and has to be valid noise."""
    name = request.param
    RANDOM[name](tmp_path)
    return name, {"weights": str(tmp_path), "max_rows": 40}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("random_weights", list(RANDOM), indirect=True)
def test_contract_with_random_weights(random_weights, check):
    name, options = random_weights
    check(lambda: resolve(name, options))


@pytest.mark.parametrize("random_weights", list(RANDOM), indirect=True)
def test_the_ledger_names_the_weights(random_weights):
    name, options = random_weights
    frame = example_table().frame[["size", "colour", "y"]]
    generation = balance(frame, target="y", generator=name, options=options, random_state=0)
    known = name == "tabpfn"  # by the name of the file
    assert {weights.commercial for weights in generation.ledger.weights} == {True if known else None}


@pytest.mark.parametrize(
    ("file", "commercial"),
    [("tabpfn-v2.5-classifier-x.ckpt", False), ("tabpfn-v3-classifier.ckpt", False), ("mine.ckpt", None)],
)
def test_later_weights_of_tabpfn_are_named_as_what_they_are(file, commercial):
    generator = installed("tabpfn", {"weights": "folder"})
    weights = generator._source("classifier", file)[2]
    assert weights.commercial is commercial
    assert file in str(weights)


@pytest.mark.parametrize("random_weights", list(RANDOM), indirect=True)
def test_a_pretrained_classifier_is_a_teacher(random_weights, tmp_path):
    name, _ = random_weights
    file = next(tmp_path.glob("*classifier*"))
    classes = {"tabicl": "TabICLClassifier", "tabpfn": "TabPFNClassifier"}
    teacher = getattr(importlib.import_module(name), classes[name])(n_estimators=1, model_path=file, device="cpu")
    frame = example_table(n=60, kinds="numbers").frame
    sampler = SyntheticOverSampler("random", soft_labels=teacher, random_state=0)
    _, labels = sampler.fit_resample(frame.drop(columns=["y", "sex", "old"]), frame["y"])
    assert len(labels) == len(sampler.sample_weight_)
    assert sampler.sample_weight_.min() > 0
