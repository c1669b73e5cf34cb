"""How often is the verdict right? Power and false alarms of `compare` over many tables.

    python benchmarks/evaluate_verdicts.py [--seeds 50] [--estimator lr]

Every seed is another table of 400 common and 80 rare rows; the verdict is on generators of which it is known
what their rows are worth (tests/generators_for_evaluation.py): fresh real rows, copies, rows whose columns
were shuffled, rows that ignore the label, and a constant. For copies, which are the same as weights,
"helps-ranking" and "hurts" are false alarms.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from makeweight.evaluation import Design, compare

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from generators_for_evaluation import GENERATORS, table  # noqa: E402

RESULTS = HERE / "results" / "evaluate_verdicts.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--estimator", default="lr")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--generators", default=",".join(GENERATORS))
    options = parser.parse_args()
    found = {name: Counter() for name in options.generators.split(",")}
    start = time.perf_counter()
    for seed in range(options.seeds):
        for name, codes in found.items():
            result = compare(
                table(seed=seed),
                target="y",
                generator=GENERATORS[name](),
                arms=[name, f"{name}+augment"],
                estimators=[options.estimator],
                design=Design(repeats=options.repeats, copies="accept"),
                max_seconds=None,
                random_state=seed,
            )
            codes[result.verdict.code] += 1
        print(seed, {name: dict(codes) for name, codes in found.items()}, file=sys.stderr, flush=True)
    written = {
        "command": " ".join(["python", "benchmarks/evaluate_verdicts.py", *sys.argv[1:]]),
        "seeds": options.seeds,
        "splits": 5 * options.repeats,
        "estimator": options.estimator,
        "verdicts": {name: dict(codes.most_common()) for name, codes in found.items()},
        "seconds": round(time.perf_counter() - start),
    }
    for name, codes in written["verdicts"].items():
        print(f"{name:<16}", ", ".join(f"{code} {n}" for code, n in codes.items()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
