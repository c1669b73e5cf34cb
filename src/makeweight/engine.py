"""The one place where work is spread over processes and machines.

Tasks are run by joblib: in this process, in processes of this machine (loky), or on a running Dask cluster.
A worker that dies takes nothing with it: its tasks are run again, and tasks that fix their own seeds give the
same numbers wherever, in whatever order and however often they run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import joblib
from threadpoolctl import threadpool_limits

from makeweight.errors import EngineError, MissingDependency, OptionError

__all__ = ["LOCAL", "check_engine", "run"]

Task = TypeVar("Task")
Result = TypeVar("Result")

LOCAL = "local"
DASK = "dask://"
#: Seconds until a cluster that does not answer, or has no worker, is an error.
PATIENCE = 5.0
#: Times that the tasks of dead local workers are run again before it is an error.
RETRIES = 3
#: What math libraries read when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, engine: str = LOCAL, n_jobs: int = 1
) -> Iterator[tuple[int, Result]]:
    """Call a function for every task and yield each result as it is there.

    `function`: called with one task. Its result has to depend on the task alone, so every task carries its seed.
    `tasks`: small things; a task that needs a large table names its file. They travel pickled. `engine`: ``"local"``,
    or ``"dask://HOST:PORT"``, the scheduler of a running cluster whose workers have makeweight installed. `n_jobs`:
    processes of the local engine: 1 works in this process, -1 uses every core. A cluster uses the workers that it has.

    Yields the place of each task in `tasks`, and what the function returned. In worker processes math libraries work
    with one thread each. An exception of the function itself ends the run and is raised here. What was yielded before
    stays valid.

    >>> from makeweight.engine import run
    >>> dict(run(abs, [-1, 2, -3]))
    {0: 1, 1: 2, 2: 3}
    """
    check_engine(engine)
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        raise OptionError(
            "n_jobs is a number of processes", got=repr(n_jobs), expected="1 or more, or -1 for every core"
        )
    if engine.startswith(DASK):
        return _on_cluster(function, list(tasks), engine.removeprefix(DASK))
    if n_jobs == 1:
        return ((index, function(task)) for index, task in enumerate(tasks))
    return _in_processes(function, list(tasks), n_jobs)


def check_engine(engine: str) -> None:
    """Raise for a name that is no engine, and for a cluster's where Dask is not installed."""
    host, _, port = engine.removeprefix(DASK).rpartition(":")
    if engine != LOCAL and not (engine.startswith(DASK) and host and port.isdigit()):
        raise OptionError(
            "unknown engine",
            got=repr(engine),
            expected="'local' or 'dask://HOST:PORT'",
            hint="a cluster is started with: dask scheduler, and on every machine: dask worker HOST:8786",
        )
    if engine != LOCAL:
        _dask()


def _dask() -> Any:
    try:
        import dask.distributed
    except ImportError as error:
        raise MissingDependency(
            "a Dask cluster needs packages that are not installed",
            got=str(error),
            hint='pip install "makeweight[cluster]"',
        ) from error
    return dask.distributed


def _in_processes(function: Callable[[Task], Result], tasks: list[Task], n_jobs: int) -> Iterator[tuple[int, Result]]:
    waiting = dict(enumerate(tasks))
    deaths = 0
    while waiting:
        calls = [joblib.delayed(_indexed)(function, index, task) for index, task in waiting.items()]
        try:
            with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
                parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
            for index, result in parallel(calls):
                del waiting[index]
                yield index, result
        except BrokenProcessPool as error:
            deaths += 1
            if deaths > RETRIES:
                raise EngineError(
                    "worker processes died again and again",
                    got=f"{deaths} times",
                    hint="they may lack memory: use fewer processes",
                ) from error


def _indexed(function: Callable[[Task], Result], index: int, task: Task) -> tuple[int, Result]:
    return index, function(task)


def _on_cluster(function: Callable[[Task], Result], tasks: list[Task], address: str) -> Iterator[tuple[int, Result]]:
    distributed = _dask()
    import cloudpickle  # comes with Dask

    with contextlib.ExitStack() as stack:
        client = _connect(distributed, address)
        stack.callback(_close, client)
        # A backend is wanted that outlives one worker, see _backend.
        joblib.register_parallel_backend("makeweight-dask", _backend())
        calls = (
            joblib.delayed(_unpacked)(cloudpickle.dumps((function, index, task))) for index, task in enumerate(tasks)
        )
        with joblib.parallel_config(backend="makeweight-dask", client=client):
            parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        try:
            yield from parallel(calls)
        except distributed.KilledWorker as error:
            raise EngineError(
                "a task ended one worker after another",
                where=address,
                got=str(error).split(".")[0],
                hint="workers may lack memory: start them with fewer threads or a higher --memory-limit",
            ) from error
        except distributed.CancelledError as error:
            raise EngineError(
                "the cluster went away", where=address, hint="look at the output of dask scheduler"
            ) from error


def _close(client: Any) -> None:
    # Every result is in, or an error is on its way: a scheduler that no longer answers changes neither.
    with contextlib.suppress(TimeoutError):
        client.close()


def _connect(distributed: Any, address: str) -> Any:
    hint = "start it with: dask scheduler, and on every machine: dask worker " + address
    try:
        client = distributed.Client(f"tcp://{address}", timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise EngineError("no Dask scheduler answers", where=address, hint=hint) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        _close(client)
        raise EngineError("the Dask cluster has no worker", where=address, hint=hint) from error
    return client


def _unpacked(packed: bytes) -> tuple[int, Any]:
    """Run a task on a worker.

    It travels as bytes: joblib would leave larger arguments with one worker, and they would die with it.
    """
    import cloudpickle

    for name in THREADS:
        os.environ.setdefault(name, "1")
    with joblib.parallel_config(backend="sequential"), threadpool_limits(1):
        function, index, task = cloudpickle.loads(packed)
        return index, function(task)


def _backend() -> type:
    """Return joblib's Dask backend with two gaps closed."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            """Return at least 2: with 1 joblib would not use the cluster at all."""
            return max(2, int(super().effective_n_jobs(n_jobs)))

        async def _collect(self) -> None:
            """Hand over results, and also errors of the cluster, for which joblib would wait for ever."""
            while self._continue:
                async for future, result in self.waiting_futures:
                    self._results.pop(future)
                    callback = self._callbacks.pop(future)
                    callback(result[1] if future.status == "error" else result)
                await asyncio.sleep(0.01)

    return Backend
