"""A table of every kind of column, and ways to cut it."""

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def make_table(n=400, seed=0):
    """Columns of every kind, some with rare values that only a few parts will have."""
    rng = np.random.default_rng(seed)
    words = ["lorem", "ipsum", "dolor", "sit", "amet"]
    columns = {
        "id": [f"A{i:05d}" for i in rng.permutation(n)],
        "number": rng.permutation(n),
        "amount": rng.lognormal(3, 1, n).round(2),
        "score": rng.normal(size=n).astype("float32"),
        "code": rng.integers(0, 5, n),
        "visits": pa.array(rng.poisson(30, n), mask=rng.random(n) < 0.02),
        "when": pa.array(rng.integers(0, 9000, n) * 3_600_000_000 + 10**15, pa.timestamp("us")),
        "day": pa.array(rng.integers(0, 900, n).astype("int32"), pa.int32()).cast(pa.date32()),
        "flag": rng.random(n) < 0.3,
        "colour": rng.choice(["red", "green", None], n),
        "size": pa.array(rng.choice(list("sml"), n)).dictionary_encode(),
        "price": pa.array([None if v > 95 else f"{v}.25" for v in rng.integers(1, 99, n)]).cast(pa.decimal128(9, 2)),
        "note": [" ".join(rng.choice(words, 5)) + str(i) for i in range(n)],
        "unit": ["cm"] * n,
        "rare": rng.choice([0.0, 1.0, 2.5], n, p=[0.97, 0.02, 0.01]),
        "empty": pa.nulls(n, pa.float64()),
        "sex": rng.choice(["f", "m", None], n),
        "y": rng.choice(["no", "yes"], n, p=[0.85, 0.15]),
    }
    table = pa.table(columns)
    copy = pa.array((np.asarray(table["y"]) == "yes").astype("int64"))
    return table.append_column("copy", copy)


def cut(table, folder, edges, row_group_size=None):
    """Write a table as part files that begin at these rows."""
    folder.mkdir(parents=True)
    edges = [0, *sorted(set(edges) - {0, len(table)}), len(table)]
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        piece = table.slice(first, last - first)
        pq.write_table(piece, folder / f"part.{number}.parquet", row_group_size=row_group_size)
    return folder


def synthetic(folder):
    """Return the synthetic rows of an output folder."""
    parts = sorted(path for path in folder.iterdir() if path.name.startswith("synthetic"))
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)
