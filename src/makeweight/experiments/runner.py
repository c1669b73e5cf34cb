"""One runner for all experiments: what is done is not done again, and what fails is written down."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from makeweight.engine import LOCAL, check_engine, run
from makeweight.errors import MakeweightError, OptionError
from makeweight.experiments.spec import KINDS, Experiment
from makeweight.experiments.store import DONE, FAILED, Store

__all__ = ["Run", "plan_tasks", "run_experiment"]

#: Packages whose version may move a number.
PACKAGES = ("numpy", "pandas", "scikit-learn", "imbalanced-learn", "xgboost", "torch")
#: Where several distributions bring the same package.
OTHERWISE = {"xgboost": "xgboost-cpu"}


@dataclass(frozen=True)
class Run:
    """What a run did.

    Attributes
    ----------
    planned, before, done, failed : int
        Tasks in all, finished in earlier runs, finished now, failed (now or before, and not retried).
    seconds : float
    """

    planned: int
    before: int
    done: int
    failed: int
    seconds: float


def versions() -> dict[str, str]:
    """Return the versions of the packages whose version may move a number."""
    found = {}
    for package in PACKAGES:
        for name in (package, OTHERWISE.get(package, package)):
            try:
                found[package] = version(name)
                break
            except PackageNotFoundError:
                continue
    return found


def plan_tasks(experiment: Experiment, folder: Path, *, fraction: float = 1.0) -> list[dict[str, Any]]:
    """Return the tasks of an experiment, each with the key under which its result is stored.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        With the stored tables.
    fraction : float in (0, 1]
        Share of the tasks to take, spread over all settings by their key.

    Returns
    -------
    list of dict
        Plain values. The key is a hash of the settings, of the rows of the data, of the version of the code
        that measures, and of the packages it rests on; the folder is not in it.

    Raises
    ------
    MakeweightError
        When data or an arm are unknown or missing.
    """
    if not 0 < fraction <= 1:
        raise OptionError("a share of the tasks", where="fraction", got=fraction, expected="above 0, up to 1")
    kind = importlib.import_module(KINDS[experiment.kind])
    code = f"{experiment.kind} {kind.VERSION}; " + ", ".join(f"{k} {v}" for k, v in versions().items())
    prints: dict[Any, str] = {}
    tasks = []
    for task in kind.tasks(experiment):
        about = kind.about_data(task)
        if about not in prints:
            prints[about] = kind.fingerprint(task, folder)
        stated = {"kind": experiment.kind, **task, "data_hash": prints[about], "code": code}
        stated |= kind.about_arm(task)
        key = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:20]
        if int(key[:8], 16) < fraction * 2**32:
            tasks.append({**stated, "key": key, "folder": str(folder.resolve())})
    return tasks


def run_experiment(
    experiment: Experiment,
    store: Store,
    *,
    folder: Path,
    engine: str = LOCAL,
    n_jobs: int = 1,
    fraction: float = 1.0,
    retry_failed: bool = False,
    resume: bool = True,
    progress: Callable[[int, int, dict[str, Any]], object] | None = None,
) -> Run:
    """Run the tasks that have no result yet, and store each result as it comes.

    Parameters
    ----------
    experiment : Experiment
    store : Store
    folder : Path
        With the stored tables; workers of a cluster need the same path.
    engine, n_jobs
        See `makeweight.engine.run`.
    fraction : float
        Share of the tasks.
    retry_failed : bool
        Whether tasks that failed before are run again.
    resume : bool
        Whether tasks with a result are left out; otherwise their results are replaced.
    progress : callable, optional
        Called with tasks finished, tasks to run, and the task.

    Returns
    -------
    Run

    Raises
    ------
    MakeweightError
        Before anything runs, where data, arms or engine are wrong. A task that fails later does not raise: it
        is stored as failed with its error.
    """
    check_engine(engine)
    start = time.perf_counter()
    tasks = plan_tasks(experiment, folder, fraction=fraction)
    known = store.statuses() if resume else {}
    over = {DONE} if retry_failed else {DONE, FAILED}
    waiting = [task for task in tasks if known.get(task["key"]) not in over]
    before = sum(known.get(task["key"]) == DONE for task in tasks)
    failed = sum(known.get(task["key"]) == FAILED for task in tasks) if not retry_failed else 0
    done = finished = 0
    try:
        for index, rows in run(perform, waiting, engine=engine, n_jobs=n_jobs):
            store.append(rows)
            failed += rows[0]["status"] == FAILED
            done += rows[0]["status"] == DONE
            if progress is not None:
                finished += 1
                progress(finished, len(waiting), waiting[index])
    finally:
        store.join()
    return Run(len(tasks), before, done, failed, time.perf_counter() - start)


def perform(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one task on whatever machine, and return the rows to store.

    Parameters
    ----------
    task : dict
        From `plan_tasks`.

    Returns
    -------
    list of dict
        One per stage, learner and metric; or one with the error of a task that failed.
    """
    kind = importlib.import_module(KINDS[task["kind"]])
    start = time.perf_counter()
    try:
        found, status, error = list(kind.measure(task, Path(task["folder"]))), DONE, ""
    except Exception as problem:  # noqa: BLE001 - a failed task is a result, stored with its error
        message = problem.message if isinstance(problem, MakeweightError) else str(problem)
        found, status, error = [{}], FAILED, f"{type(problem).__name__}: {message}"
    shared = {
        "key": task["key"],
        "data": task["data"],
        "arm": task["arm"],
        "learner": task.get("learner", ""),
        "step": task.get("step", 0),
        "seed": task["seed"],
        "stage": "",
        "metric": "",
        "value": float("nan"),
        "status": status,
        "error": error,
        "seconds": time.perf_counter() - start,
        "finished": time.time(),
        "code": task["code"],
        "settings": json.dumps(task.get("settings", {}), sort_keys=True),
    }
    return [{**shared, **record} for record in found]


def failures(rows: Any) -> Iterator[tuple[str, int]]:
    """Yield every error with the number of tasks that failed with it, most frequent first."""
    failed = rows[rows["status"] == FAILED]
    yield from failed.drop_duplicates("key")["error"].value_counts().items()
