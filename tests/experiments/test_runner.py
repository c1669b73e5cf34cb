"""What is done is not done again, what fails is written down, and what is cut off goes on."""

from dataclasses import replace

import pandas as pd
import pytest

from clusters import cluster
from makeweight.errors import EngineError, FileProblem, OptionError
from makeweight.experiments import read_experiment, run_experiment
from makeweight.experiments.records import DONE, ResultRow
from makeweight.experiments.runner import plan_tasks

CELL = ["data", "arm", "learner", "seed", "stage", "metric"]


def numbers(store):
    return store.read().sort_values(CELL)[[*CELL, "value"]].reset_index(drop=True)


def stored(frame):
    return [ResultRow(**row) for row in frame.to_dict("records")]


@pytest.fixture(scope="module")
def complete(finished):
    """What a run in this process finds."""
    return numbers(finished)


def test_a_run_stores_every_task_and_a_second_one_does_nothing(small, store, tmp_path, complete):
    seen = []
    first = run_experiment(small, store, folder=tmp_path, progress=lambda p: seen.append((p.done, p.total)))
    assert (first.planned, first.before, first.done, first.failed) == (12, 0, 12, 0)
    assert seen == [(k, 12) for k in range(1, 13)]
    second = run_experiment(small, store, folder=tmp_path)
    assert (second.before, second.done) == (12, 0)
    assert not list((store.folder / "parts").iterdir())
    pd.testing.assert_frame_equal(numbers(store), complete)


def test_an_interrupted_run_goes_on_and_ends_as_a_whole_one(small, store, tmp_path, complete):
    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment(small, store, folder=tmp_path, progress=stop)
    assert len(store.statuses()) == 5
    rest = run_experiment(small, store, folder=tmp_path)
    assert (rest.before, rest.done) == (5, 7)
    pd.testing.assert_frame_equal(numbers(store), complete)


def test_processes_find_the_same(small, store, tmp_path, complete):
    run_experiment(small, store, folder=tmp_path, n_jobs=2)
    pd.testing.assert_frame_equal(numbers(store), complete)


def test_a_cluster_that_loses_a_worker_finds_the_same(small, store, tmp_path, complete):
    with cluster() as dask:

        def kill(progress):
            if progress.done == 2:
                dask.workers[0].kill()

        found = run_experiment(small, store, folder=tmp_path, engine=dask.engine, progress=kill)
    assert (found.done, found.failed) == (12, 0)
    assert dask.workers[0].returncode is not None
    pd.testing.assert_frame_equal(numbers(store), complete)


def test_a_failed_task_is_stored_with_its_error_and_retried_when_asked(small, store, tmp_path, monkeypatch):
    from makeweight.experiments import simulation

    real = simulation.train_arm

    def failing(arm, *args):
        if arm == "random":
            raise MemoryError("too large")
        return real(arm, *args)

    monkeypatch.setattr(simulation, "train_arm", failing)
    first = run_experiment(small, store, folder=tmp_path)
    assert (first.done, first.failed) == (8, 4)
    failed = store.read().query("status == 'failed'")
    assert set(failed["error"]) == {"MemoryError: too large"}
    assert set(failed["arm"]) == {"random"}
    again = run_experiment(small, store, folder=tmp_path)
    assert (again.done, again.failed) == (0, 4)
    monkeypatch.undo()
    retried = run_experiment(small, store, folder=tmp_path, retry_failed=True)
    assert (retried.before, retried.done, retried.failed) == (8, 4, 0)
    assert set(store.statuses().values()) == {DONE}


def test_a_result_is_replaced_when_it_is_measured_again(small, store, tmp_path):
    chosen = small.select(seeds=[1], arms=["nothing"])
    run_experiment(chosen, store, folder=tmp_path)
    before = store.read()
    run_experiment(chosen, store, folder=tmp_path, resume=False)
    after = store.read()
    assert len(after) == len(before)
    assert after["finished"].min() > before["finished"].max()


def test_keys_follow_settings_and_leave_the_folder_out(small, tmp_path):
    keys = {task.key for task in plan_tasks(small, tmp_path)}
    assert keys == {task.key for task in plan_tasks(small, tmp_path / "elsewhere")}
    assert len(keys) == 12
    few = plan_tasks(small, tmp_path, fraction=0.5)
    assert {task.key for task in few} < keys
    other = replace(small, settings=replace(small.settings, folds=3))
    assert not keys & {task.key for task in plan_tasks(other, tmp_path)}


def test_keys_follow_the_rows_of_the_data(data_dir, tmp_path):
    chosen = read_experiment("imbalance").select(data=["gender"], arms=["nothing"], steps=[0], learners=["xgb"])
    [key, *_] = [task.key for task in plan_tasks(chosen, data_dir)]
    place = tmp_path / "paper" / "gender"
    place.mkdir(parents=True)
    for file in (data_dir / "paper" / "gender").glob("*.csv"):
        place.joinpath(file.name).write_text(file.read_text())
    assert plan_tasks(chosen, tmp_path)[0].key == key
    test = pd.read_csv(place / "test.csv")
    test.iloc[:-1].to_csv(place / "test.csv", index=False)
    from makeweight.experiments.data import paper_parts

    paper_parts.cache_clear()
    assert plan_tasks(chosen, tmp_path)[0].key != key


def test_bad_input_is_refused_before_anything_runs(small, store, tmp_path):
    with pytest.raises(OptionError, match="unknown generator"):
        run_experiment(small.select(arms=["smoothed"]), store, folder=tmp_path)
    with pytest.raises(OptionError, match="fraction"):
        run_experiment(small, store, folder=tmp_path, fraction=0)
    with pytest.raises(OptionError, match="unknown engine"):
        run_experiment(small, store, folder=tmp_path, engine="spark")
    with pytest.raises(EngineError, match="no Dask scheduler"):
        run_experiment(small, store, folder=tmp_path, engine="dask://127.0.0.1:9")
    assert store.read().empty


def test_parts_that_were_joined_before_a_crash_are_read_once(small, store, tmp_path):
    run_experiment(small.select(seeds=[1]), store, folder=tmp_path)
    rows = store.read()
    task = rows[rows["key"] == rows["key"][0]]
    store.append(stored(task))  # as if the join had been cut off before it took the part away
    assert len(store.read()) == len(rows)


def test_runs_under_other_keys_are_not_mixed_into_one_mean(small, store, tmp_path):
    run_experiment(small.select(seeds=[1]), store, folder=tmp_path)
    rows = store.read()
    older = rows[rows["arm"] == "random"].assign(value=99.0, key="older", finished=1.0)
    store.append(stored(older))
    failed = older.iloc[:1].assign(
        arm="nothing", learner="", stage="", metric="", value=0.5, status="failed", key="failed"
    )
    store.append(stored(failed))
    alone = failed.assign(arm="smote", key="alone")
    store.append(stored(alone))
    latest = store.latest()
    assert len(store.read()) == len(rows) + len(older) + 2
    assert 99.0 not in set(latest["value"])
    assert latest.query("status == 'failed'")["arm"].tolist() == ["smote"]
    assert len(latest) == len(rows) + 1


def test_a_damaged_file_is_named(store, tmp_path):
    part = store.folder / "parts" / "x.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"PAR1 cut off")
    with pytest.raises(FileProblem, match=r"(?s)cannot be read.*x\.parquet"):
        store.read()


def test_many_parts_are_joined_on_the_way(small, store, tmp_path, monkeypatch):
    monkeypatch.setattr("makeweight.experiments.store.MANY_PARTS", 5)
    counts = []
    run_experiment(
        small.select(seeds=[1, 2]),
        store,
        folder=tmp_path,
        progress=lambda *_: counts.append(len(list((store.folder / "parts").iterdir()))),
    )
    assert max(counts) == 4
    assert len(store.statuses()) == 6
