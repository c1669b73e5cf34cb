"""How many tables say things twice: columns that others determine, among tables that people made.

    python benchmarks/real_tables.py -o runs/tables
    python benchmarks/derived_columns.py --tables runs/tables     # writes benchmarks/results/derived_columns.csv
    python benchmarks/derived_columns.py                          # prints what is there

A line per rule, and one without a rule per table that has none.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd

from makeweight.generators.frame.deriving import find_derived
from makeweight.table import Schema, Table
from quality import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "derived_columns.csv"


def rules_of(path: Path) -> list[dict[str, object]]:
    """What follows from what in one table."""
    frame = pd.read_parquet(path)
    table = Table(frame, Schema.infer(frame))
    start = time.process_time()
    rules = find_derived(table)
    about = {"table": path.stem, "rows": len(frame), "columns": len(table.schema.learned)}
    about["seconds"] = round(time.process_time() - start, 2)
    said = [{"form": rule.form, "rule": rule.says(table.schema.learned)[:200]} for rule in rules]
    return [{**about, **rule} for rule in said or [{"form": "", "rule": ""}]]


def show(lines: pd.DataFrame) -> None:
    """Print how many tables have rules, and of which form they are."""
    tables = lines.groupby("table").agg(rules=("rule", "count"), seconds=("seconds", "first"))
    some = tables["rules"][tables["rules"] > 0]
    print(f"{len(some)} of {len(tables)} tables ({len(some) / len(tables):.0%}) have columns that others determine:")
    print(f"{some.sum():,} rules in all, {some.median():.0f} in the median")
    print(lines["form"].value_counts().to_string())
    print(f"seconds of one core: {tables['seconds'].median():.2f} in the median, {tables['seconds'].max():.1f} at most")


def main() -> None:
    """Search the tables of a folder, or print what was found before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.tables is not None:
        lines = [line for path in sorted(options.tables.glob("*.parquet")) for line in rules_of(path)]
        pd.DataFrame(lines).to_csv(RESULTS, index=False)
    show(pd.read_csv(RESULTS))


if __name__ == "__main__":
    main()
