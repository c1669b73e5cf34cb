"""One seam for all parallel work: the same results in this process, in others, and on a cluster."""

import builtins
import os
import socket
import time

import numpy as np
import pytest

import tasks_for_tests as tasks
from clusters import cluster
from makeweight import engine
from makeweight.engine import check_engine, run
from makeweight.errors import EngineError, MissingDependency, OptionError

SEEDS = list(range(24))
EXPECTED = {seed: tasks.draw(seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def dask():
    with cluster() as started:
        yield started


def test_results_come_with_the_index_of_their_task():
    assert list(run(abs, [-4, 5], n_jobs=1)) == [(0, 4), (1, 5)]


def test_one_job_stays_in_this_process_and_waits_to_be_asked():
    seen = []
    results = run(seen.append, iter([1, 2, 3]))
    assert seen == []
    next(results)
    assert seen == [1]


def test_processes_give_the_same_results():
    assert dict(run(tasks.draw, SEEDS, n_jobs=2)) == EXPECTED


def test_functions_defined_on_the_spot_travel():
    offset = 10
    assert dict(run(lambda x: x + offset, [1, 2], n_jobs=2)) == {0: 11, 1: 12}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_exception_of_the_function_is_raised(n_jobs):
    with pytest.raises(ValueError, match="three is too many"):
        dict(run(tasks.fail_at_three, range(6), n_jobs=n_jobs))


def test_a_dead_local_process_is_replaced_and_its_tasks_run_again(tmp_path):
    results = dict(run(tasks.die_once, [(str(tmp_path), seed) for seed in SEEDS], n_jobs=2))
    assert (tmp_path / "died").exists()
    assert results == EXPECTED


def test_a_task_that_always_kills_its_process_is_an_error():
    with pytest.raises(EngineError, match="died again and again"):
        dict(run(tasks.die, range(2), n_jobs=2))


def test_local_processes_have_single_threads():
    for process, threads in dict(run(tasks.threads_and_process, range(4), n_jobs=2)).values():
        assert process != os.getpid()
        assert set(threads) == {1}


def test_a_cluster_gives_the_same_results(dask):
    assert dict(run(tasks.draw, SEEDS, engine=dask.engine)) == EXPECTED


def test_workers_have_single_threads_and_both_work(dask):
    found = dict(run(tasks.threads_and_process, range(12), engine=dask.engine)).values()
    assert {process for process, _ in found} <= {worker.pid for worker in dask.workers}
    assert all(set(threads) == {1} for _, threads in found)


def test_an_exception_on_a_cluster_is_raised_here(dask):
    with pytest.raises(ValueError, match="three is too many"):
        dict(run(tasks.fail_at_three, range(6), engine=dask.engine))


def test_leaving_early_frees_the_cluster(dask):
    results = run(tasks.slow_draw, range(400), engine=dask.engine)
    next(results)
    results.close()
    started = time.monotonic()
    assert dict(run(tasks.draw, SEEDS[:3], engine=dask.engine)) == {s: EXPECTED[s] for s in SEEDS[:3]}
    assert time.monotonic() - started < 10


def test_a_killed_worker_loses_nothing_not_even_large_arguments():
    matrices = [np.full((200, 100), float(seed)) for seed in SEEDS]
    with cluster() as dask:
        found, workers = {}, set()
        for index, (process, value) in run(tasks.slow_draw, SEEDS, engine=dask.engine):
            found[index] = value
            workers.add(process)
            if len(found) == 6:
                dask.workers[0].kill()
        assert found == EXPECTED
        assert workers == {worker.pid for worker in dask.workers}
        rows = run(tasks.draw_from, [{"matrix": matrix} for matrix in matrices], engine=dask.engine)
        assert dict(rows) == {i: float(matrix.sum()) for i, matrix in enumerate(matrices)}


def test_a_single_worker_with_one_thread_works_on_the_cluster_and_not_here():
    with cluster(1) as dask:
        [(_, (process, _))] = run(tasks.threads_and_process, [0], engine=dask.engine)
        assert process == dask.workers[0].pid


def test_a_task_that_kills_every_worker_is_an_error_and_not_a_hang():
    with cluster(4) as dask, pytest.raises(EngineError, match="one worker after another"):
        dict(run(tasks.die, [0], engine=dask.engine))


@pytest.fixture
def impatient(monkeypatch):
    """What does not answer in two seconds does not answer."""
    monkeypatch.setattr(engine, "PATIENCE", 2.0)


def test_a_cluster_without_workers_is_an_error(impatient):
    with cluster(0) as dask, pytest.raises(EngineError, match="no worker"):
        dict(run(abs, [1], engine=dask.engine))


def test_a_scheduler_that_does_not_answer_is_an_error_within_seconds(impatient):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(EngineError, match="no Dask scheduler answers") as caught:
        dict(run(abs, [1], engine=f"dask://127.0.0.1:{port}"))
    assert time.monotonic() - started < 15
    assert "dask scheduler" in caught.value.hint


@pytest.mark.parametrize("engine", ["spark", "dask", "dask://", "dask://host", "dask://host:port", "ray://h:1"])
def test_unknown_engines_are_refused_before_anything_runs(engine):
    with pytest.raises(OptionError, match="unknown engine"):
        run(abs, [1], engine=engine)


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True])
def test_a_number_of_processes_is_asked_for(n_jobs):
    with pytest.raises(OptionError, match="n_jobs"):
        run(abs, [1], n_jobs=n_jobs)


def test_a_missing_package_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("dask"):
            raise ImportError("No module named 'dask'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"(?s)cluster.*makeweight\[cluster\]"):
        check_engine("dask://localhost:8786")


def test_a_cluster_that_goes_away_is_an_error():
    with cluster(1) as dask:
        results = run(tasks.slow_draw, range(200), engine=dask.engine)
        next(results)
        dask.scheduler.kill()
        with pytest.raises(EngineError, match="went away"):
            list(results)
