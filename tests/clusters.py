"""A real Dask cluster on loopback: a scheduler and worker processes, started as a user starts them."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Cluster:
    """`engine` names the scheduler; `workers` are processes that a test may kill."""

    engine: str
    scheduler: subprocess.Popen
    workers: list[subprocess.Popen] = field(default_factory=list)

    def add_worker(self) -> subprocess.Popen:
        address = self.engine.removeprefix("dask://")
        worker, _ = _start(
            "dask_worker", address, "--no-nanny", "--nthreads=1", "--no-dashboard", wait_for="Registered to"
        )
        self.workers.append(worker)
        return worker


def _start(program: str, *arguments: str, wait_for: str) -> tuple[subprocess.Popen, str]:
    # A worker imports what tests define, so it has this folder on its path.
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if wait_for in line:
            threading.Thread(target=lambda: list(process.stderr), daemon=True).start()  # keeps the pipe empty
            return process, line
    raise AssertionError(f"{program} did not start:\n" + "".join(seen))


@contextlib.contextmanager
def cluster(n_workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler on a free port and its workers, and end them all."""
    scheduler, line = _start(
        "dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", wait_for="Scheduler at:"
    )
    port = re.search(r"tcp://127\.0\.0\.1:(\d+)", line)
    assert port
    started = Cluster(f"dask://127.0.0.1:{port[1]}", scheduler)
    try:
        for _ in range(n_workers):
            started.add_worker()
        yield started
    finally:
        for process in [*started.workers, scheduler]:
            process.kill()
            process.wait()
