"""The comparison: leak-free, the same in any order, honest about what failed, plain in its verdict."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from generators_for_evaluation import GENERATORS, table
from generators_for_tests import Copier, Mute, Shuffler
from makeweight import evaluation
from makeweight.errors import FileProblem, MakeweightError, OptionError, PlanError
from makeweight.evaluation import Design, Execution
from makeweight.evaluation.arms import REFERENCE
from makeweight.evaluation.problem import EvaluationProblem, seed_of
from makeweight.evaluation.training import AUTO
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.theory.published.worlds import CraftWorld

QUICK = {"target": "y", "estimators": ["lr"], "repeats": 1, "folds": 3, "max_seconds": None}


def compare(frame, **options):
    """Compare, with the fields of Design and Execution among the options."""
    grouped = {
        argument: kind(**{name: options.pop(name) for name in kind.__dataclass_fields__ if name in options})
        for argument, kind in (("design", Design), ("execution", Execution))
    }
    return evaluation.compare(frame, **options, **grouped)


def mixed(n=240, rare=60, seed=0):
    """Numbers with gaps, a category, an attribute, and a rare label."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["common", "rare"], [n - rare, rare])
    frame = pd.DataFrame(rng.normal(size=(n, 3)).round(3), columns=list("abc"))
    frame["a"] += 1.5 * (y == "rare")
    frame.loc[rng.random(n) < 0.1, "b"] = np.nan
    return frame.assign(colour=rng.choice(["red", "green", None], n), sex=np.resize(["f", "m"], n), y=y)


@pytest.fixture(scope="module")
def everything():
    return compare(mixed(120, 40), **{**QUICK, "folds": 2})


def test_no_interval_of_a_metric_leaves_its_range(everything):
    result = everything.to_dict()
    levels = [*result["results"], *(row["log_loss"] for row in result["group_risks"])]
    levels += [row["error"] for row in result["group_risks"]]
    assert all(0.0 <= row["low"] <= row["mean"] <= row["high"] for row in levels)
    assert any(row["low"] == 0.0 for row in levels)  # two splits: the t intervals reach beyond
    bounded = [row for row in result["results"] if row["metric"] in ("auroc", "balanced_error", "f1")]
    assert max(row["high"] for row in bounded) == 1.0
    assert any(row["difference"]["low"] < 0.0 for row in levels if row.get("difference"))


def test_all_arms_run_on_a_mixed_table_with_missing_values(everything):
    result = everything.to_dict()
    assert result["failures"] == []
    names = [arm["name"] for arm in result["arms"]]
    for name in ("constant", "nothing", "nothing+shift", REFERENCE, "threshold", f"{DEFAULT_GENERATOR}+augment"):
        assert name in names
    for name in (
        "weights",
        "undersample",
        "random",
        "smote",
        "transport",
        "smoothed-bootstrap",
        DEFAULT_GENERATOR,
        "auto",
    ):
        assert {name, f"{name}+platt"} <= set(names)
    for name in ("rf5", "hgb-shallow"):
        assert {name, f"{name}+platt"} <= set(names)
    assert {"soft-real", "soft", "committee", "blend"} <= set(names)
    assert len(names) == len(set(names)) == 31
    assert all(row["mean"] is not None for row in result["results"])
    assert result["settings"]["auto"] == AUTO
    json.dumps(result, allow_nan=False)


def test_a_constant_scores_the_line(everything):
    value = everything.scores.value("lr", "constant", "balanced_log_loss")
    assert value.mean == pytest.approx(math.log(2)) == everything.constant_risk
    assert everything.scores.value("lr", "constant", "auroc").mean == 0.5
    assert everything.scores.value("lr", "constant", "balanced_error").mean == 0.5


def test_calibration_leaves_ranking_as_it_is(everything):
    scores = everything.scores
    for name in ("nothing", "smote", "weights"):
        raw, calibrated = (scores.value("lr", arm, "auroc").mean for arm in (name, f"{name}+platt"))
        assert raw == pytest.approx(calibrated, abs=1e-9)
    assert scores.value("lr", "threshold", "balanced_error").mean < 0.5
    loss = "balanced_log_loss"
    assert scores.value("lr", "threshold", loss) == scores.value("lr", "nothing", loss)


def test_the_saved_shape_is_the_shape(everything):
    saved = json.loads((Path(__file__).parent / "comparison.json").read_text())
    fresh = everything.to_dict()
    assert set(saved) == set(fresh)
    for key in ("arms", "metrics", "results", "group_risks", "groups", "class_report"):
        assert set(saved[key][0]) == set(fresh[key][0]), key
    assert set(saved["verdict"]) == set(fresh["verdict"])


def test_neither_order_nor_jobs_change_a_number():
    frame = mixed(120, 40)
    before = frame.copy()
    options = {**QUICK, "arms": ["smote", "smoothed-bootstrap", "auto"], "group_by": ["sex"], "folds": 2}
    first = compare(frame, **options).to_dict()
    pd.testing.assert_frame_equal(frame, before)
    shuffled = frame.sample(frac=1, random_state=1)[["sex", "y", "colour", "c", "b", "a"]]
    second = compare(shuffled, **options, n_jobs=2).to_dict()
    for key in ("results", "group_risks", "class_report", "verdict", "groups", "arms"):
        assert first[key] == second[key]


def test_an_arm_does_not_depend_on_which_others_run(everything):
    alone = compare(mixed(120, 40), **{**QUICK, "folds": 2, "arms": ["transport"]})
    for metric in ("balanced_log_loss", "auroc", "ece"):
        for arm in ("transport", "transport+platt", REFERENCE):
            assert alone.scores.value("lr", arm, metric) == everything.scores.value("lr", arm, metric)


class Spy(Shuffler):
    """Remembers the rows that it was shown."""

    shown = []  # noqa: RUF012 - shared by the copies that are fitted

    def fit(self, table, *, rng):
        Spy.shown.append(set(table.frame["a"]))
        return super().fit(table, rng=rng)


def test_no_generator_sees_a_held_out_row_nor_its_equal():
    frame = mixed(120, 40)
    frame["a"] = np.arange(120.0)
    frame = pd.concat([frame, frame.iloc[::3]], ignore_index=True)  # a third of the rows twice
    Spy.shown.clear()
    compare(frame, **QUICK, generator=Spy(), arms=["Spy"])
    rows = Spy.shown[:12]  # what follows measures the cost of transfer, in folds of its own
    outer, inner = rows[::4], [rows[k + 1 : k + 4] for k in range(0, 12, 4)]
    held = [set(frame["a"]) - shown for shown in outer]
    assert sorted(value for values in held for value in values) == sorted(set(frame["a"]))
    for shown, parts in zip(outer, inner, strict=True):
        assert all(part < shown for part in parts)
        assert sum(len(shown - part) for part in parts) == len(shown)


def test_equal_rows_share_a_fold_and_groups_are_spread():
    frame = mixed(200, 60).assign(a=np.resize([1.0, 2.0, 3.0, 4.0], 200))[["a", "sex", "y"]]
    frame["b"] = np.repeat(np.arange(50.0), 4)
    problem = EvaluationProblem.read(frame, "y")
    assigned = problem.strata.assign(5, np.random.default_rng(seed_of(0, 0)))
    for unit in np.unique(problem.strata.units):
        assert len(set(assigned[problem.strata.units == unit])) == 1
    for code in (0, 1):
        counts = np.bincount(assigned[problem.codes == code], minlength=5)
        assert counts.max() - counts.min() <= 2


def test_a_row_that_is_much_of_its_group_is_spread():
    frame = mixed(200, 60)[["a", "c", "y"]]
    frame.loc[:59, ["a", "c"]] = 0.5
    frame.loc[60:64, ["a", "c"]] = 0.25
    problem = EvaluationProblem.read(frame, "y")
    assigned = problem.strata.assign(5, np.random.default_rng(seed_of(0, 0)))
    often, twice = ((problem.frame["a"] == value).to_numpy() for value in (0.5, 0.25))
    assert len(set(assigned[often & (problem.codes == 0)])) == 5
    assert len(set(assigned[twice])) == 1


@pytest.mark.parametrize(
    ("name", "estimator", "repeats", "code", "says"),
    [
        pytest.param(
            "Perfect",
            "hgb",
            2,
            "helps-ranking",
            "Synthetic rows help ranking, with boosted trees: Perfect",
            marks=pytest.mark.long,
        ),
        ("Copier", "lr", 1, "helps-calibration-only", "help only calibration"),
        ("ColumnShuffler", "lr", 1, "hurts", "Synthetic rows hurt, with logistic regression"),
        ("LabelBlind", "lr", 2, "hurts", "Synthetic rows hurt, with logistic regression"),
        ("Constant", "lr", 1, "no-difference", "No measurable difference"),
    ],
)
def test_the_verdict_says_plainly_what_rows_are_worth(name, estimator, repeats, code, says):
    options = {**QUICK, "folds": 5, "repeats": repeats, "estimators": [estimator]}
    arms = [name] if code == "helps-ranking" else [name, f"{name}+augment"]
    found = compare(table(), **options, generator=GENERATORS[name](), arms=arms, copies="accept")
    assert found.verdict.code == code
    assert says in found.verdict.sentence
    assert found.helps == (code == "helps-ranking")
    if code == "helps-ranking":
        assert "320 rows" in found.verdict.sentence
        assert found.verdict.next.startswith("makeweight balance DATA --target y --generator Perfect")
        assert any("group y=rare" in detail or "y=rare" in detail for detail in found.verdict.details)
    else:
        assert "n_synthetic=0" in found.verdict.next


def test_copies_that_are_rejected_fail_closed_and_are_told():
    found = compare(mixed(120, 40), **QUICK, generator=Copier(), arms=["Copier", "weights"])
    assert found.verdict.code == "failed"
    assert "Copier, balanced failed: 0 of" in found.verdict.sentence
    assert "copy-of-a-real-row" in found.verdict.sentence or "cop" in found.verdict.sentence
    failures = found.to_dict()["failures"]
    assert {(f["arm"], f["split"]) for f in failures} == {
        (arm, f"repeat 1, fold {k}") for arm in ("Copier", "Copier+platt") for k in (1, 2, 3)
    }
    assert found.scores.value("lr", "Copier", "auroc") is None
    assert found.scores.value("lr", "weights", "auroc") is not None
    assert not found.helps


class Moody(Mute):
    """Fails with an error of its own where a certain row is held out."""

    def fit(self, table, *, rng):
        if len(table) > 100 and table.frame["a"].max() < 100:
            raise ZeroDivisionError("division by a bad mood")
        return Shuffler.fit(self, table, rng=rng)

    propose = Shuffler.propose


def test_an_arm_that_fails_on_some_splits_is_not_judged_by_the_others():
    frame = mixed(150, 50)
    frame.loc[0, "a"] = 100.0
    found = compare(frame, **{**QUICK, "folds": 5}, generator=Moody(), arms=["Moody"])
    failures = found.to_dict()["failures"]
    assert len({f["split"] for f in failures if f["arm"] == "Moody"}) == 1
    assert "ZeroDivisionError: division by a bad mood" in failures[0]["error"]
    assert found.verdict.code == "failed"
    row = next(r for r in found.to_dict()["results"] if r["arm"] == "Moody" and r["metric"] == "auroc")
    assert row["mean"] is None
    assert row["difference"] is None


def test_more_than_two_classes_and_groups():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [90, 60, 40])
    frame = pd.DataFrame({"x": rng.normal(size=190) + 2 * (y == "b") - 2 * (y == "c"), "y": y})
    frame["z"] = np.resize(["u", "v"], 190)
    frame["w"] = rng.normal(size=190)
    found = compare(frame, **{**QUICK, "folds": 2}, group_by=["z"], arms=["transport", "threshold", "auto"])
    result = found.to_dict()
    assert result["failures"] == []
    assert len(result["groups"]) == 6
    assert found.constant_risk == pytest.approx(math.log(3))
    assert {row["class"] for row in result["class_report"]} == {"a", "b", "c"}
    assert found.scores.value("lr", REFERENCE, "balanced_log_loss").mean < 0.8
    threshold, nothing = (found.scores.value("lr", arm, "balanced_error").mean for arm in ("threshold", "nothing"))
    assert threshold <= nothing + 0.05


def test_external_rows_are_stamped_and_do_not_decide():
    frame = table(200, 60)
    more = table(10, 400, seed=9)
    found = compare(
        frame,
        **QUICK,
        arms=["smoothed-bootstrap", "external:more"],
        external={"more": pd.concat([more, frame.head(7)])[more.columns[::-1]]},
    )
    arm = next(arm for arm in found.to_dict()["arms"] if arm["name"] == "external:more")
    assert arm["external"]
    assert arm["n_added"] == 417
    assert asdict(found.settings.external["more"]) == {"rows": 417, "equal_to_real_rows": 7}
    assert "smoothed bootstrap" in found.verdict.sentence
    assert "external" not in found.verdict.sentence
    alone = compare(frame, **QUICK, arms=["external:more"], external={"more": more})
    assert "external information" in alone.verdict.sentence
    assert not alone.helps


class Sleeper(Shuffler):
    def fit(self, table, *, rng):
        time.sleep(0.2)
        return super().fit(table, rng=rng)


def test_a_budget_cuts_repeats_then_folds_and_never_arms():
    frame = mixed(120, 40)
    options = {**QUICK, "folds": 3, "repeats": 2, "arms": ["weights", "random"]}
    found = compare(frame, **{**options, "max_seconds": 1e-3})
    assert len(found.splits) == 2
    assert len(found.scores.arms) == 6
    assert found.cut[0].startswith("2 of 3 folds were run")
    assert any("1 of 2 repeats was run" in cut for cut in found.cut)
    assert any("budget is exceeded" in cut for cut in found.cut)
    assert not any("of the time" in cut for cut in found.cut)
    timed = {**options, "max_seconds": 1e-3, "generator": Sleeper()}
    slow = compare(frame, **{**timed, "arms": ["Sleeper", "smoothed-bootstrap"]})
    assert slow.cut[-1].endswith("rows by Sleeper: --generator smoothed-bootstrap is quicker")
    alone = compare(frame, **{**timed, "arms": ["Sleeper"]})
    assert not any("is quicker" in cut for cut in alone.cut)  # it was not measured
    whole = compare(frame, **options)
    assert len(whole.splits) == 6
    assert whole.cut == ()
    seen = []
    asked = {**options, "splits": 4}
    assert len(compare(frame, **{**asked, "max_seconds": "auto"}, progress=seen.append).splits) == 4
    assert seen[0].seconds_left > 0
    assert seen.pop(1).step == "asking of the ranking"
    assert [p.done for p in seen] == list(range(9))
    assert seen[-1].total == 8
    assert all(p.seconds_left >= 0 for p in seen)
    with pytest.raises(OptionError, match=r"both asked for.*4 splits and 600 seconds"):
        compare(frame, **{**asked, "max_seconds": 600})
    with pytest.raises(OptionError, match=r"more splits.*6 at most"):
        compare(frame, **{**options, "splits": 7})


def test_results_are_kept_and_taken_up_again(tmp_path):
    frame, log = mixed(120, 40), tmp_path / "results.jsonl"
    options = {**QUICK, "arms": ["random", "weights"], "log": log}
    first = compare(frame, **options)
    lines = log.read_text().splitlines()
    assert len(lines) == 1 + 3 * 6
    log.write_text("\n".join(lines[:8]) + '\n{"repeat": 0, "fo')  # as a crash leaves it
    seen = []
    again = compare(frame.sample(frac=1, random_state=0), **options, progress=seen.append)
    assert 2 < len(seen) < 7
    assert first.to_dict()["results"] == again.to_dict()["results"]
    with pytest.raises(FileProblem, match=r"another comparison.*random_state"):
        compare(frame, **options, random_state=1)
    with pytest.raises(FileProblem, match=r"another comparison.*data"):
        compare(frame.iloc[1:], **options)
    log.write_text("not results\n")
    with pytest.raises(FileProblem, match="no file of results"):
        compare(frame, **options)


SLOW = """
import sys, time
sys.path.insert(0, {tests!r})
from generators_for_evaluation import Perfect, table
from makeweight.evaluation import Design, Execution, compare
from pathlib import Path

class Slow(Perfect):
    def fit(self, table, *, rng):
        time.sleep(0.1)
        return super().fit(table, rng=rng)

if __name__ == "__main__":
    print("started", flush=True)
    compare(table(60, 30), target="y", estimators=["lr"], generator=Slow(), arms=["Slow"], design=Design(repeats=9),
            max_seconds=None, execution=Execution(log=Path({log!r})),
            progress=lambda p: print(p.done, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to another process")
def test_an_interrupt_keeps_what_was_found(tmp_path):
    log = tmp_path / "results.jsonl"
    script = tmp_path / "script.py"
    script.write_text(SLOW.format(tests=str(Path(__file__).parents[1]), log=str(log)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    while "3" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.wait(timeout=60)
    assert time.monotonic() - began < 30
    assert process.returncode != 0
    assert "KeyboardInterrupt" in process.stderr.read()
    kept = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(kept) > 4
    assert not any(line.get("error") for line in kept)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target": "yy"}, "unknown column"),
        ({"group_by": ["sexx"]}, "unknown column.*\n.*'sex'"),
        ({"arms": ["smoted"]}, "unknown arm.*\n.*'smote'"),
        ({"arms": ["weights"]}, "no arm with synthetic rows"),
        ({"estimators": ["rff"]}, "unknown estimator.*\n.*'rf'"),
        ({"estimators": []}, "no estimator"),
        ({"generator": "transprt"}, "unknown generator.*\n.*'transport'"),
        ({"folds": 1}, "folds is a whole number"),
        ({"splits": 1}, "splits is a whole number"),
        ({"max_seconds": -1}, "max_seconds is a time"),
        ({"engine": "cloud"}, "unknown engine"),
        ({"external": {"e": pd.DataFrame({"a": [1]})}}, "lack a column"),
        ({"folds": 40}, r"too few rows in a group for the folds \(y=rare\): got 60 rows"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says):
    with pytest.raises(MakeweightError, match=says):
        compare(mixed(), **{**QUICK, **changes})


def test_a_group_with_few_different_rows_is_named():
    frame = mixed(120, 40)[["colour", "sex", "y"]]
    frame = frame[(frame["y"] == "common") | (frame["colour"] != "red")]
    with pytest.raises(PlanError, match=r"y=rare.*rows, 4 of them different") as caught:
        compare(frame, **{**QUICK, "folds": 5})
    assert caught.value.hint == "use 2 folds or fewer"


@pytest.mark.long
def test_a_cluster_gives_the_same_numbers():
    pytest.importorskip("distributed")
    from clusters import cluster

    options = {**QUICK, "arms": ["random", "weights"]}
    with cluster(1) as started:
        far = compare(mixed(120, 40), **options, engine=started.engine)
    assert far.to_dict()["results"] == compare(mixed(120, 40), **options).to_dict()["results"]


@pytest.mark.long
def test_rows_of_the_true_law_help_a_forest():
    rng = np.random.default_rng(1)
    X, y = CraftWorld().sample(6000, rng)
    rows = np.r_[np.flatnonzero(y == 0)[:500], np.flatnonzero(y == 1)[:80]]
    frame = pd.DataFrame(X[rows], columns=[f"X{i}" for i in range(X.shape[1])]).assign(y=y[rows].astype(int))

    class Oracle(Shuffler):
        def propose(self, group, n, *, rng):
            X, y = CraftWorld().sample(40 * n + 400, rng)
            mine = pd.DataFrame(X[y == int(group[0])][:n], columns=[c.name for c in self.table_.schema.features])
            real = self.table_.frame[list(mine.columns)]
            return mine.clip(real.min(), real.max(), axis=1)

    found = compare(
        frame,
        target="y",
        generator=Oracle(),
        arms=["Oracle", "Oracle+augment"],
        estimators=["rf", "lr"],
        repeats=2,
        max_seconds=None,
        n_jobs=2,
    )
    assert found.verdict.code in ("helps-ranking", "mixed")
    assert "random forest" in found.verdict.sentence


def test_rows_that_weigh_next_to_nothing_change_next_to_nothing():
    options = {**QUICK, "folds": 2, "arms": ["transport", "smote"], "generator": "transport", "group_by": ["sex"]}
    light, usual = (compare(mixed(), **options, synthetic_weight=weight) for weight in (1e-6, None))
    for metric in ("auroc", "balanced_log_loss"):
        nothing = light.scores.value("lr", "nothing", metric).mean
        assert light.scores.value("lr", "transport", metric).mean == pytest.approx(nothing, abs=1e-3)
        assert light.scores.value("lr", "smote", metric) == usual.scores.value("lr", "smote", metric)
    loss = [found.scores.value("lr", "transport", "balanced_log_loss").mean for found in (light, usual)]
    assert loss[0] - loss[1] > 0.05
    result = light.to_dict()
    assert result["settings"]["synthetic_weight"] == 1e-6
    assert "--generator transport --synthetic-weight 1e-06" in result["reproduce"]["command"]
    labels = {arm["name"]: arm["label"] for arm in result["arms"]}
    assert labels["transport"] == "transport, balanced, weight 1e-06"


@pytest.mark.parametrize("weight", [0, -1, math.inf, math.nan])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(MakeweightError, match="synthetic_weight"):
        compare(mixed(), **QUICK, synthetic_weight=weight)
