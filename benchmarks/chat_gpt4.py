"""What GPT-4 really answered: rows read as its authors read them, and what the check says of them.

python benchmarks/chat_gpt4.py FOLDER     # with opal/*/*/gpt4_raw_seed*.txt in it
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight import Schema
from makeweight.generators.base import Traits
from makeweight.generators.chat.fields import fields_of
from makeweight.generators.chat.parse import read_rows
from makeweight.generators.chat.values import to_frame
from makeweight.generators.check import Checker
from makeweight.plan import Groups
from makeweight.table import Table


def account(raw):
    """Return rows written, rows the authors have, rows equal to theirs, and the check's verdicts."""
    seed = raw.stem.removeprefix("gpt4_raw_seed")
    real = pd.read_csv(raw.with_name(f"train_seed{seed}.csv"))
    theirs = pd.read_csv(raw.with_name(f"gpt4_parsed_seed{seed}.csv"))
    table = Table(real, Schema.infer(real, target=real.columns[-1]))
    fields = fields_of(table.schema)
    labels = [field.label for field in fields]
    text = raw.read_text()
    parsed = read_rows(text, labels, needed=labels, style="sentence")
    frame = to_frame(parsed.rows, fields)[list(real.columns)].astype(np.float64)
    ours = Counter(map(tuple, frame.to_numpy().tolist()))
    equal = (ours & Counter(map(tuple, theirs[real.columns].to_numpy(np.float64).tolist()))).total()
    verdicts = Counter(parsed.rejected)
    groups = Groups(table)
    checker = Checker(table, groups, Traits(), "reject")
    for group in groups.keys:
        rows = frame[frame[real.columns[-1]] == group[0]].astype(object).reset_index(drop=True)
        checked = checker.check(group, rows, len(rows))
        verdicts.update(checked.rejected)
        verdicts["accepted"] += checked.n_accepted
    return sum(1 for line in text.splitlines() if line.strip()), len(theirs), equal, verdicts


def main():
    folder = Path(sys.argv[1]) / "opal"
    print("| experiment | lines | rows of the authors | equal | accepted | rejected by the check |")
    print("|---|---:|---:|---:|---:|---|")
    for experiment in sorted({path.parent for path in folder.glob("*/*/gpt4_raw_seed*.txt")}):
        found = [account(raw) for raw in sorted(experiment.glob("gpt4_raw_seed*.txt"))]
        lines, theirs, equal = (sum(one[i] for one in found) for i in range(3))
        verdicts = sum((one[3] for one in found), Counter())
        accepted = verdicts.pop("accepted")
        by_kind = Counter()
        for reason, count in verdicts.items():
            by_kind[reason.partition(":")[0]] += count
        why = ", ".join(f"{count} {reason}" for reason, count in by_kind.most_common()) or "none"
        name = f"{experiment.parent.name}/{experiment.name}"
        print(f"| {name} | {lines} | {theirs} | {equal} | {accepted} | {why} |")


if __name__ == "__main__":
    main()
