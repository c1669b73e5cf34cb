"""Processes and a Dask cluster give the bytes that this process gives, and a killed worker loses nothing."""

import os
import signal
import sys
from pathlib import Path

import pytest

from clusters import cluster
from generators_for_tests import Shuffler
from makeweight.partitioned import OutputFolder, balance_partitions
from partitioned_tables import cut

REQUEST = {"target": "y", "group_by": ["sex"], "random_state": 3, "augment": 20}
EDGES = (50, 100, 101, 250, 300, 350)


class Killer(Shuffler):
    """Ends its worker's process, once, when it has written some parts."""

    def __init__(self, mark=None, after=1):
        self.mark = mark
        self.after = after
        self.calls = 0

    def propose(self, group, n, *, rng):
        self.calls += 1
        if self.mark and self.calls > self.after and not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        return super().propose(group, n, rng=rng)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


@pytest.fixture(scope="module")
def alone(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    source = cut(whole, folder / "parts", EDGES)
    balance_partitions(source, OutputFolder(folder / "out", rows_per_part=20), generator=Killer(), **REQUEST)
    return source, bytes_of(folder / "out")


def test_a_cluster_whose_worker_is_killed_gives_the_same_bytes(alone, tmp_path):
    pytest.importorskip("distributed")
    source, expected = alone
    mark = tmp_path / "killed"
    with cluster(2) as started:
        made = balance_partitions(
            source,
            OutputFolder(tmp_path / "out", rows_per_part=20),
            generator=Killer(str(mark)),
            engine=started.engine,
            **REQUEST,
        )
        assert sum(worker.poll() is not None for worker in started.workers) == 1
    assert mark.exists()
    assert made.ledger.shortfall == 0
    assert bytes_of(tmp_path / "out") == expected


def test_processes_of_which_one_is_killed_give_the_same_bytes(alone, tmp_path):
    source, expected = alone
    mark = tmp_path / "killed"
    seen = []
    balance_partitions(
        source,
        OutputFolder(tmp_path / "out", rows_per_part=20),
        generator=Killer(str(mark)),
        n_jobs=2,
        progress=seen.append,
        **REQUEST,
    )
    assert mark.exists()
    assert bytes_of(tmp_path / "out") == expected
    parts = len(EDGES) + 1
    reading = [(progress.done, progress.total) for progress in seen if progress.step == "reading"]
    assert reading == [(k, parts) for k in range(parts + 1)]
