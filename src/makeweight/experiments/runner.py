"""One runner for all experiments: what is done is not done again, and what fails is written down."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

import pandas as pd

from makeweight.engine import LOCAL, check_engine, run
from makeweight.errors import MakeweightError, OptionError
from makeweight.experiments.records import DONE, FAILED, ExperimentKind, Measurement, PlannedTask, ResultRow
from makeweight.experiments.spec import KINDS, Experiment
from makeweight.experiments.store import Store
from makeweight.generators.registry import resolve
from makeweight.progress import Progress

__all__ = ["Run", "failures", "run_experiment"]

#: Packages whose version may move a number.
PACKAGES = ("numpy", "pandas", "scikit-learn", "imbalanced-learn", "xgboost", "torch")
#: Where several distributions bring the same package.
OTHERWISE = {"xgboost": "xgboost-cpu"}
NAN = float("nan")


@dataclass(frozen=True)
class Run:
    """How many tasks a run had in all, finished in earlier runs, finished now, and failed (now or before)."""

    planned: int
    before: int
    done: int
    failed: int
    seconds: float


def versions() -> dict[str, str]:
    """Return the versions of the packages whose version may move a number."""
    installed = {}
    for package in PACKAGES:
        for name in (package, OTHERWISE.get(package, package)):
            try:
                installed[package] = version(name)
                break
            except PackageNotFoundError:
                continue
    return installed


@cache
def identity(generator: str) -> dict[str, str]:
    """Return what identifies a generator beyond its name: the weights that it comes with."""
    resolved = resolve(generator)
    if generator != "transformer":
        return {}
    from makeweight.generators.transformer import weights

    return {"weights": weights.read_manifest(weights.embedded()).sha256, "arm_class": type(resolved).__name__}


def plan_tasks(experiment: Experiment, folder: Path, *, fraction: float = 1.0) -> list[PlannedTask]:
    """Return the tasks of an experiment, each with the key under which its result is stored.

    The key is a hash of the settings, of the rows of the data, of the version of the code that measures, and of the
    packages it rests on; the folder of the stored tables is not in it. A `fraction` of the tasks is spread over all
    settings by their key. Data or an arm that are unknown or missing are an error.
    """
    if not 0 < fraction <= 1:
        raise OptionError("a share of the tasks", where="fraction", got=fraction, expected="above 0, up to 1")
    kind = _module(experiment.kind)
    code = f"{experiment.kind} {kind.VERSION}; " + ", ".join(f"{k} {v}" for k, v in versions().items())
    planned = []
    for task in kind.tasks(experiment):
        stated = {name: value for name, value in asdict(task).items() if value is not None}
        stated |= {"kind": experiment.kind, "data_hash": kind.fingerprint(task, folder), "code": code}
        stated |= {} if task.arm in kind.OWN else identity(task.arm)
        key = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:20]
        if int(key[:8], 16) < fraction * 2**32:
            planned.append(PlannedTask(key, experiment.kind, code, folder.resolve(), task))
    return planned


def _module(kind: str) -> ExperimentKind:
    return cast(ExperimentKind, importlib.import_module(KINDS[kind]))


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
    max_seconds: float | None = None,
    progress: Callable[[Progress], object] | None = None,
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
    max_seconds : float, optional
        No result is waited for after this time; what is there is kept, and the next call goes on from it.
    progress : callable, optional
        Called with a `Progress` after each task; its detail names the task.

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
    waiting = [task for task in tasks if known.get(task.key) not in over]
    before = sum(known.get(task.key) == DONE for task in tasks)
    failed = sum(known.get(task.key) == FAILED for task in tasks) if not retry_failed else 0
    done = 0
    try:
        results = run(perform, waiting, engine=engine, n_jobs=n_jobs)
        for finished, (index, rows) in enumerate(results, start=1):
            store.append(rows)
            failed += rows[0].status == FAILED
            done += rows[0].status == DONE
            if progress is not None:
                seconds, task = time.perf_counter() - start, str(waiting[index])
                progress(Progress.steady("reproduce", finished, len(waiting), seconds, task))
            if max_seconds is not None and time.perf_counter() - start >= max_seconds:
                break
    finally:
        store.join()
    return Run(len(tasks), before, done, failed, time.perf_counter() - start)


def perform(planned: PlannedTask) -> list[ResultRow]:
    """Return the rows to store of one task, which runs on whatever machine.

    There is one per stage, learner and metric; or one with the error of a task that failed.
    """
    start = time.perf_counter()
    task, status, error = planned.task, DONE, ""
    try:
        measured = list(_module(planned.kind).measure(task, planned.folder))
    except Exception as problem:  # noqa: BLE001 - a failed task is a result, stored with its error
        message = problem.message if isinstance(problem, MakeweightError) else str(problem)
        measured, status, error = [Measurement("", "", NAN)], FAILED, f"{type(problem).__name__}: {message}"
    seconds, finished = time.perf_counter() - start, time.time()
    return [
        ResultRow(
            key=planned.key,
            data=task.data,
            arm=task.arm,
            learner=number.learner or task.learner or "",
            step=task.step or 0,
            seed=task.seed,
            stage=number.stage,
            metric=number.metric,
            value=number.value,
            status=status,
            error=error,
            seconds=seconds,
            finished=finished,
            code=planned.code,
            settings=json.dumps(asdict(task.settings), sort_keys=True),
        )
        for number in measured
    ]


def failures(rows: pd.DataFrame) -> Iterator[tuple[Hashable, int]]:
    """Yield every error with the number of tasks that failed with it, most frequent first."""
    failed = rows[rows["status"] == FAILED]
    yield from failed.drop_duplicates("key")["error"].value_counts().items()
