"""Does adding rows help on real tables? Runs the comparison on all of them, and writes docs/evidence.md.

    python benchmarks/evidence.py [--data DIR] [--budget-seconds 120] [--jobs 2] [--only NAME,...] [--keep]

The page has the verdicts as they come. With --keep results that are there are not measured again.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE, RESULTS = HERE.parent / "docs" / "evidence.md", HERE / "results" / "evidence"
#: Options of each table; the larger ones are given the estimator that is quick on them.
TABLES = {
    "travel_churn": "--target ChurnOrNot",
    "german_credit": "--target credit --group-by sex",
    "sick": '--target Class --missing "?"',
    "mammography": "--no-header --target c7 --estimators lr,hgb",
    "telco_churn": "--target Churn --estimators lr,hgb",
    "law_school": "--target pass_bar --group-by race --estimators hgb",
    "adult_census": '--target income --group-by sex --missing "?" --estimators hgb --folds 2',
}
HEAD = """# Evidence: does adding rows help on real tables?

`makeweight evaluate` on seven public tables, with all its arms. The verdicts are printed as they came, with
the commands; the rules behind them are in [evaluate.md](evaluate.md). `python benchmarks/evidence.py` runs
all of it and writes this page. The commands run in the folder of the tables. How many splits fit into a
budget depends on the machine, and with few splits only large differences can be shown; the numbers of a split
do not depend on it.
"""


def measure(name, options, folder, data):
    """Run one comparison."""
    command = command_of(name, options)
    print("$", command, file=sys.stderr, flush=True)
    words = [sys.executable, "-m", *shlex.split(command), "--jobs", str(options.jobs)]
    subprocess.run([*words, "-o", str(folder / f"{name}.json"), "--force"], cwd=data, check=True)


def command_of(name, options):
    return f"makeweight evaluate {name}.csv {TABLES[name]} --budget-seconds {options.budget_seconds:g}"


def section(name, options, result):
    """Return what the page says of one table."""
    verdict, data = result["verdict"], result["data"]
    rows = "; ".join(f"{group['group']}: {group['n_real']:,}" for group in result["groups"])
    lines = [
        f"## {data['name']}", "", f"{data['n_rows']:,} rows x {data['n_columns']} columns; {rows}.", "",
        f"    {command_of(name, options)}", "", f"> {verdict['sentence']}", "",
        f"Next: {verdict['next']}.", "",
        *(f"* {text}" for text in (*verdict["details"], *result["cut"])),
        *(f"* failed: {f['arm']}, {f['estimator']}, {f['split']}: {f['error']}" for f in result["failures"]),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


def summary(results):
    """Return the table of all verdicts."""
    lines = ["| table | rows | splits | estimators | verdict |", "|---|---:|---:|---|---|"]
    for result in results:
        data, settings = result["data"], result["settings"]
        cells = [data["name"], f"{data['n_rows']:,}", settings["splits"], ", ".join(result["estimators"])]
        lines.append("| " + " | ".join(map(str, [*cells, result["verdict"]["code"]])) + " |")
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with real/; else MAKEWEIGHT_DATA")
    parser.add_argument("--budget-seconds", type=float, default=120)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--note", default="", help="what to say of the machine")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("MAKEWEIGHT_DATA", HERE.parent.parent / "shared" / "data"))
    if not (data / "real").is_dir():
        parser.error(f"no folder {data / 'real'}: name it with --data or MAKEWEIGHT_DATA")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        if not (options.keep and (RESULTS / f"{name}.json").exists()):
            measure(name, options, RESULTS, data / "real")
    there = [name for name in TABLES if (RESULTS / f"{name}.json").exists()]
    results = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in there]
    sections = [section(name, options, result) for name, result in zip(there, results, strict=True)]
    note = [options.note + "\n"] if options.note else []
    PAGE.write_text("\n".join([HEAD, *note, summary(results), *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
