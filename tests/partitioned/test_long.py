"""Five million rows under a limit on memory that they do not fit into, with a worker killed in the middle."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clusters import cluster
from makeweight.partitioned import balance_partitions

pytest.importorskip("distributed")
resource = pytest.importorskip("resource", reason="the limit is POSIX")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold to RLIMIT_DATA"),
]

PARTS, ROWS = 50, 100_000
#: Bytes of private memory that a worker gets; the table alone has more.
LIMIT = 700 * 2**20


def write_part(path, number):
    rng = np.random.default_rng([11, number])
    rare = rng.random(ROWS) < 0.05
    columns = {f"x{j}": rng.normal(size=ROWS) + rare for j in range(20)}
    columns["city"] = np.array([f"c{i:02d}" for i in range(30)])[rng.integers(0, 30, ROWS)]
    columns["id"] = np.arange(number * ROWS, (number + 1) * ROWS)
    columns["y"] = np.where(rare, "yes", "no")
    pq.write_table(pa.table(columns), path)


def limit():
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for number in range(PARTS):
        write_part(folder / f"part.{number}.parquet", number)
    return folder


def test_the_table_does_not_fit_under_the_limit(source):
    code = "import sys, pyarrow.parquet as pq; pq.read_table(sys.argv[1]).to_pandas()"
    done = subprocess.run([sys.executable, "-c", code, str(source)], preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode != 0
    assert "memory" in done.stderr.lower()


def test_five_million_rows_under_a_limit_with_a_killed_worker(source, tmp_path, monkeypatch):
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: start(*args, **{**kwargs, "preexec_fn": limit}))
    killed = []
    with cluster(2) as started:

        def kill():
            done = tmp_path / "out" / "_makeweight"
            while len(list(done.glob("synthetic-*.json"))) < 10:
                time.sleep(0.1)
            started.workers[0].kill()
            killed.append(len(list(done.glob("synthetic-*.json"))))

        threading.Thread(target=kill, daemon=True).start()
        made = balance_partitions(
            source, tmp_path / "out", target="y", generator="smoothed-bootstrap", random_state=1, engine=started.engine
        )
        peaks = {worker.pid: peak(worker.pid) for worker in started.workers[1:]}
    synthetic = [part for part in made.parts if part.kind == "synthetic"]
    assert 10 <= killed[0] < len(synthetic)
    counts = made.plan.groups
    assert made.plan.n_real == PARTS * ROWS
    assert made.ledger.requested == made.ledger.accepted == counts[0].n_real - counts[1].n_real
    assert sum(part.rows for part in made.parts) == 2 * counts[0].n_real
    largest = 0
    for part in synthetic:
        frame = pd.read_parquet(tmp_path / "out" / part.name, columns=["id", "y"])
        assert set(frame["y"]) == {"yes"}
        assert frame["id"].is_unique
        assert frame["id"].min() > max(largest, PARTS * ROWS - 1)
        largest = int(frame["id"].max())
    print(f"worker peak {max(peaks.values()):.0f} MiB, {made.seconds:.0f} s, {len(made):,} rows")  # noqa: T201


def peak(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")
