"""Does adding rows help on real tables? Runs the comparison on all of them, and writes docs/evidence.md.

    python benchmarks/evidence.py [--data DIR] [--generators NAME,...] [--only TABLE,...]
        [--max-seconds 600] [--jobs 2] [--keep]

The page has the verdicts as they come; the numbers behind them are in benchmarks/results/evidence. With --keep
results that are there are not measured again.
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
from scipy.stats import t as student

from makeweight.evaluation.answer import Advice, give_answer, is_candidate
from makeweight.evaluation.arms import REFERENCE, catalogue
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.statistics import LEVEL, Difference, judged_at
from makeweight.evaluation.store import Failure
from makeweight.evaluation.verdict import judge
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
HEAD = """# Evidence: does adding rows help on real tables?

`makeweight evaluate` on seven public tables, for rows by the transformer, which is the default, and by the smoothed
bootstrap. Answers and verdicts follow from the stored numbers by the rules that the command has today, which are in
[evaluate.md](evaluate.md), and stand below the commands; intervals are those that decide, after Holm's correction.
`python benchmarks/evidence.py` runs all of it and writes this page. The commands run in the folder of the tables. How
many splits fit into a budget depends on the machine, and with few splits only large differences can be shown; the
numbers of a split do not depend on it.
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


class Stored(Scores):
    """What was measured, as it is stored: means, intervals and differences, judged by the rules of today."""

    def __init__(self, result, numbers):
        known = {arm.name: arm for source in catalogue(result["settings"]["generator"]) for arm in source.arms}
        self.arms = tuple(known[arm["name"]] for arm in result["arms"])
        self.estimators, self.splits = tuple(result["estimators"]), (None,) * result["settings"]["splits"]
        self._added = {arm["name"]: arm["n_added"] for arm in result["arms"]}
        self._failures = [Failure(**failure) for failure in result["failures"]]
        self._metrics, self._groups = (numbers[numbers["part"] == part] for part in ("results", "group_risks"))
        self._names = [group["group"] for group in result["groups"]]

    def failures(self):
        return self._failures

    def mean(self, estimator, arm, key):
        return self._added[arm]

    def value(self, estimator, arm, metric):
        rows = self._metrics.query("estimator == @estimator and arm == @arm and metric == @metric")
        (row,) = rows[["mean", "low", "high"]].to_dict("records")
        return None if math.isnan(row["mean"]) else Difference(**row, p=math.nan)

    def difference(self, estimator, arm, metric, reference=REFERENCE):
        part = "difference" if reference == REFERENCE else "difference_to_nothing"
        rows = self._metrics.query("estimator == @estimator and metric == @metric").set_index("arm")
        own = {one.name: one.calibrated for one in self.arms}
        family = [name for name in rows.index if own[name] == own[arm] and name != reference]
        return self._decided(rows.loc[family], part).get(arm)

    def group_differences(self, estimator, arm, n_groups):
        rows = self._groups.query("estimator == @estimator and arm == @arm").set_index("group")
        return {self._names.index(name): one for name, one in self._decided(rows, "difference").items()}

    def alarms(self, estimator):
        return math.nan  # cases found were not counted

    def found_difference(self, estimator, arm, alarms):
        return None

    def contrast(self, pair, other, metric):
        """Paired differences between any two arms are not stored: nothing is shown."""

    def _decided(self, rows, part):
        """Return differences with the interval that decides, from those of 95 %."""
        columns = [f"{part}.{key}" for key in ("mean", "low", "high", "p")]
        plain = {name: Difference(*row) for name, row in rows[columns].dropna().T.items()}
        degrees, judged = len(self.splits) - 1, judged_at({name: one.p for name, one in plain.items()})
        reach = {
            name: (one.high - one.low) / 2 * student.isf(judged[name][1] / 2, degrees) / student.isf(LEVEL / 2, degrees)
            for name, one in plain.items()
        }
        return {
            name: replace(one, low=one.mean - reach[name], high=one.mean + reach[name], p_holm=judged[name][0])
            for name, one in plain.items()
        }


def judged(name, result, numbers):
    """Return the answer where nothing but calibration is a candidate, and the verdict, by the rules of today."""
    scores, settings = Stored(result, numbers), result["settings"]
    focus = [arm for arm in scores.arms if arm.focus]
    counts = [group["n_real"] for group in result["groups"]]
    balance = sum(max(counts) - n for n in counts)
    n_added = {"balanced": balance, "augmented": balance + settings["augment"] * len(counts)}
    table = [f"{name}.csv", *shlex.split(TABLES[name])]
    generator = ["--generator", settings["generator"]]
    verdict = judge(
        scores,
        focus,
        [group["group"] for group in result["groups"]],
        table=table,
        generator=generator,
        n_added=n_added,
        augment=settings["augment"],
        cut=result["cut"],
    )
    calibrations = [
        (estimator, arm)
        for estimator in scores.estimators
        for arm in scores.arms
        if arm.calibrated and not arm.external and is_candidate(scores, estimator, arm)
    ]
    if any(arm.name != REFERENCE for _, arm in calibrations):
        return "", verdict
    target = result["data"]["target"]
    return give_answer(scores, Advice(table, generator, n_added, settings["augment"], target, "")).text, verdict


def section(name, results):
    """Return what the page says of one table."""
    data = next(iter(results.values()))["data"]
    groups = next(iter(results.values()))["groups"]
    rows = "; ".join(f"{group['group']}: {group['n_real']:,}" for group in groups)
    lines = [f"## {data['name']}", "", f"{data['n_rows']:,} rows x {data['n_columns']} columns; {rows}.", ""]
    for generator, result in results.items():
        answer, verdict = judged(name, result, pd.read_parquet(result_of(name, generator).with_suffix(".parquet")))
        command = command_of(name, generator, result["settings"]["max_seconds"])
        lines += [
            f"    {command}",
            "",
            *([f"**{answer}**", ""] if answer else []),
            f"> {verdict.sentence}",
            "",
            f"Next: {verdict.next}.",
            "",
            *(f"* {text}" for text in (*verdict.details, *result["cut"])),
            *(f"* failed: {f['arm']}, {f['estimator']}, {f['split']}: {f['error']}" for f in result["failures"]),
            "",
        ]
    return "\n".join(lines)


def summary(found):
    """Return the table of all verdicts."""
    lines = ["| table | rows | estimators | generator | splits | verdict |", "|---|---:|---|---|---:|---|"]
    for name, results in found.items():
        for generator, result in results.items():
            data, splits = result["data"], result["settings"]["splits"]
            cells = [data["name"], f"{data['n_rows']:,}", ", ".join(result["estimators"])]
            numbers = pd.read_parquet(result_of(name, generator).with_suffix(".parquet"))
            cells += [GENERATORS[generator], splits, judged(name, result, numbers)[1].code]
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
