"""Does adding rows help on real tables? Runs the comparison on all of them, and writes docs/evidence.md.

    python benchmarks/evidence.py [--data DIR] [--generators NAME,...] [--only TABLE,...]
        [--max-seconds 600] [--jobs 2] [--keep]

The page has the verdicts as they come; the numbers behind them are in benchmarks/results/evidence. With --keep
results that are there are not measured again.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from makeweight.evaluation.answer import ESTIMATORS
from makeweight.generators import DEFAULT_GENERATOR

HERE = Path(__file__).resolve().parent
PAGE, RESULTS = HERE.parent / "docs" / "evidence.md", HERE / "results" / "evidence"
GENERATORS = {"transformer": "transformer, the default", "smoothed-bootstrap": "smoothed bootstrap"}
#: Lists of numbers in a result: means and intervals per metric and per group, and the report per class.
NUMBERS = ("results", "group_risks", "class_report")
#: Options of each table; the larger ones are given the estimator that is quick on them.
TABLES = {
    "travel_churn": "--target ChurnOrNot",
    "german_credit": "--target credit --group-by sex",
    "sick": '--target Class --missing "?"',
    "mammography": "--no-header --target c7 --estimator lr,hgb",
    "telco_churn": "--target Churn --estimator lr,hgb",
    "law_school": "--target pass_bar --group-by race --estimator hgb",
    "adult_census": '--target income --group-by sex --missing "?" --estimator hgb --folds 2',
}
#: Arms whose figures the page has.
ARMS = {
    "nothing+platt": "calibration, no rows",
    "hgb-shallow+platt": "regularised boosted trees, calibrated",
    "{generator}+platt": "balanced with drawn labels, calibrated",
    "soft-real": "soft real rows (control)",
    "soft": "soft rows",
    "committee": "committee alone",
    "blend": "blend of soft rows",
    "auto+platt": "`SyntheticClassifier`",
}
HEAD = """# Evidence: does adding rows help on real tables?

`makeweight evaluate` on seven public tables, for rows by the transformer, which is the default, and by the smoothed
bootstrap. Answers, verdicts on rows with drawn labels, and figures are those that the command wrote; what they mean is
in [evaluate.md](evaluate.md). `python benchmarks/evidence.py` runs all of it and writes this page. The commands run in
the folder of the tables. How many splits fit into a budget depends on the machine, and with few splits only large
differences can be shown; the numbers of a split do not depend on it.
"""


def measure(name, generator, options, data):
    """Run one comparison."""
    command = command_of(name, generator, options.max_seconds)
    print("$", command, file=sys.stderr, flush=True)
    words = [sys.executable, "-m", *shlex.split(command), "--jobs", str(options.jobs)]
    place = result_of(name, generator)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "result.json"
        subprocess.run([*words, "-o", str(whole)], cwd=data, check=True)
        keep(json.loads(whole.read_text(encoding="utf-8")), place)


def keep(result, place):
    """Write a result: its lists of numbers as Parquet, everything else as JSON with a line per key."""
    numbers = [pd.json_normalize(result[name]).assign(part=name) for name in NUMBERS]
    pd.concat(numbers, ignore_index=True).to_parquet(place.with_suffix(".parquet"), index=False, compression="zstd")
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in result.items() if name not in NUMBERS]
    place.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def result_of(name, generator):
    return RESULTS / generator / f"{name}.json"


def command_of(name, generator, budget):
    chosen = "" if generator == DEFAULT_GENERATOR else f" --generator {generator}"
    return f"makeweight evaluate {name}.csv {TABLES[name]}{chosen} --max-seconds {budget:g}"


def figures(name, generator, estimators):
    """Return AUROC and balanced log-loss of what may be chosen from, as a table with a row per arm."""
    numbers = pd.read_parquet(result_of(name, generator).with_suffix(".parquet"))
    numbers = numbers[numbers["part"] == "results"]
    arms = {arm.format(generator=generator): title for arm, title in ARMS.items()}
    rows = numbers.pivot_table(index="arm", columns=["estimator", "metric"], values="mean")
    lines = ["| balanced log-loss / AUROC | " + " | ".join(ESTIMATORS.get(one, one) for one in estimators) + " |"]
    lines.append("|---|" + "---|" * len(estimators))
    for arm, title in arms.items():
        if arm in rows.index:
            pairs = (rows.loc[arm, one][["balanced_log_loss", "auroc"]] for one in estimators)
            lines.append(f"| {title} | " + " | ".join(f"{loss:.4f} / {area:.4f}" for loss, area in pairs) + " |")
    return lines


def section(name, results):
    """Return what the page says of one table."""
    data = next(iter(results.values()))["data"]
    groups = next(iter(results.values()))["groups"]
    rows = "; ".join(f"{group['group']}: {group['n_real']:,}" for group in groups)
    lines = [f"## {data['name']}", "", f"{data['n_rows']:,} rows x {data['n_columns']} columns; {rows}.", ""]
    for generator, result in results.items():
        verdict = result["verdict"]
        command = command_of(name, generator, result["settings"]["max_seconds"])
        lines += [
            f"    {command}",
            "",
            f"**{result['answer']['text']}**",
            "",
            f"> {verdict['sentence']}",
            "",
            *figures(name, generator, result["estimators"]),
            "",
            *(f"* {text}" for text in (*verdict["details"], *result["cut"])),
            *(f"* failed: {f['arm']}, {f['estimator']}, {f['split']}: {f['error']}" for f in result["failures"]),
            "",
        ]
    return "\n".join(lines)


def summary(found):
    """Return the table of all verdicts."""
    lines = ["| table | rows | estimators | generator | splits | rows with drawn labels | answer |"]
    lines += ["|---|---:|---|---|---:|---|---|"]
    for results in found.values():
        for generator, result in results.items():
            data, splits = result["data"], result["settings"]["splits"]
            cells = [data["name"], f"{data['n_rows']:,}", ", ".join(result["estimators"])]
            cells += [GENERATORS[generator], splits, result["verdict"]["code"], result["answer"]["text"]]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with real/; else MAKEWEIGHT_DATA")
    parser.add_argument("--max-seconds", type=float, default=600)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--generators", default=",".join(GENERATORS))
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--note", default="", help="what to say of the machine")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("MAKEWEIGHT_DATA", HERE.parent.parent / "shared" / "data"))
    if not (data / "real").is_dir():
        parser.error(f"no folder {data / 'real'}: name it with --data or MAKEWEIGHT_DATA")
    for name in options.only.split(","):
        for generator in options.generators.split(","):
            if not (options.keep and result_of(name, generator).exists()):
                measure(name, generator, options, data / "real")
    found = {}
    for name in TABLES:
        there = [generator for generator in GENERATORS if result_of(name, generator).exists()]
        texts = {generator: result_of(name, generator).read_text(encoding="utf-8") for generator in there}
        if texts:
            found[name] = {generator: json.loads(text) for generator, text in texts.items()}
    sections = [section(name, results) for name, results in found.items()]
    note = [options.note + "\n"] if options.note else []
    PAGE.write_text("\n".join([HEAD, *note, summary(found), *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
