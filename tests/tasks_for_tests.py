"""Tasks that worker processes of tests import and run."""

import os
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info


def draw(seed):
    """Some work on a matrix large enough to be worth sending apart, from its seed alone."""
    rng = np.random.default_rng(seed)
    return float(np.linalg.eigvalsh(np.cov(rng.normal(size=(20, 300)))).max())


def slow_draw(seed):
    time.sleep(0.15)
    return os.getpid(), draw(seed)


def draw_from(task):
    """Like draw, from a matrix that came with the task."""
    return float(task["matrix"].sum())


def threads_and_process(_):
    np.ones((50, 50)) @ np.ones((50, 50))
    return os.getpid(), [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def fail_at_three(number):
    if number == 3:
        raise ValueError("three is too many")
    return number


def die(_):
    os._exit(1)


def die_once(task):
    """End the worker's process the first time that the marked task runs."""
    folder, number = task
    mark = Path(folder) / "died"
    if number == 5 and not mark.exists():
        mark.touch()
        os._exit(1)
    return draw(number)
