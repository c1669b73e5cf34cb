"""Experiments are declared, and what is not understood is refused."""

import pytest

from makeweight.errors import FileProblem, OptionError
from makeweight.experiments import names, read_experiment
from makeweight.experiments.runner import plan_tasks
from makeweight.experiments.spec import KINDS


@pytest.mark.parametrize("name", names())
def test_every_experiment_of_the_package_can_be_planned(name, data_dir):
    experiment = read_experiment(name)
    assert experiment.kind in KINDS
    one = experiment.select(data=experiment.data[:1], seeds=experiment.seeds[:1], steps=experiment.steps[:1])
    assert len({task.key for task in plan_tasks(one, data_dir)}) == len(plan_tasks(one, data_dir)) > 0


def test_the_seeds_are_the_published_ones():
    for name in ("imbalance", "spurious", "augmentation", "same-information", "opal"):
        assert read_experiment(name).seeds == (1, 2, 6, 8, 42)


def test_parts_of_an_experiment_are_chosen_and_unknown_ones_refused(small):
    assert small.select(seeds=[2], arms=["transport"], data=None).arms == ("transport",)
    with pytest.raises(OptionError, match=r"(?s)not in the experiment.*seeds.*99"):
        small.select(seeds=[99])
    with pytest.raises(OptionError, match=r"(?s)'logot'.*did you mean 'logit'"):
        small.select(data=["logot"])


def test_a_scale_replaces_lists_and_settings():
    plan = read_experiment("simulations")
    cluster = plan.scaled("cluster")
    assert len(cluster.seeds) == 100
    assert cluster.settings.n1 == (25, 50, 100, 300, 1000)
    assert cluster.data == plan.data
    assert plan.scaled(None) is plan
    with pytest.raises(OptionError, match=r"(?s)no such scale.*cluster"):
        plan.scaled("clustr")
    with pytest.raises(OptionError, match="it has none"):
        read_experiment("opal").scaled("cluster")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind = ", "kindd = "), "unknown key"),
        (('kind = "simulation"', 'kind = "simulations"'), r"(?s)unknown kind.*did you mean 'simulation'"),
        (("seeds = [1, 2, 3, 4]", "seeds = 1"), "not a list"),
        (("folds = 2", "fold = 2"), r"(?s)unknown key.*settings.*did you mean 'folds'"),
        (("folds = 2", 'folds = "2"'), r"(?s)not a value of this setting.*settings\.folds.*'2'"),
        (("seeds = [1, 2, 3, 4]", ""), r"a key is missing.*seeds"),
        (("seeds = [", "seeds = "), "not TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused(toml, tmp_path, change, message):
    mine = tmp_path / "mine.toml"
    mine.write_text(toml.read_text().replace(*change))
    with pytest.raises(OptionError, match=message):
        read_experiment(str(mine))


def test_what_is_not_there_is_named():
    with pytest.raises(OptionError, match=r"(?s)unknown experiment.*did you mean 'imbalance'"):
        read_experiment("imbalanc")
    with pytest.raises(FileProblem, match=r"nowhere\.toml"):
        read_experiment("nowhere.toml")
