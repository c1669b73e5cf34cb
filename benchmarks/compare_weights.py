"""Two sets of weights of the network that writes rows, on real tables that neither was trained on.

    python benchmarks/compare_weights.py FOLDER [--beside FOLDER] [--seeds 1] [--show]

The tables are those of further_tables.py that things are chosen on, thinned to 1,000 common and 100 rare rows. Nats of
held-out rows, half of them rare; then the rare label is brought up to the common one: how well rows are told from real
ones, and AUROC and balanced log-loss of a forest, with half a vote more for either label. Means over tables, and the
change from the weights of the package (or --beside) to those of FOLDER with its standard error. Results are added as
they come, and found there again.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import further_tables
from makeweight import Limits, SyntheticOverSampler
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.generator import InContextTransformer
from peers_judge import Case, c2st
from quality import ROOT
from records import Records
from switched import judged
from transformer_calibrated import split

RESULTS = ROOT / "benchmarks" / "results" / "compare_weights.parquet"
RARE, HELD_OUT = 100, 150


def measure(name: str, seed: int, folder: str) -> dict[str, float]:
    """Figures of one set of weights on one draw of a table."""
    train, test = split(f"further/{name}", RARE, seed)
    generator = InContextTransformer(weights=folder)
    sampler = SyntheticOverSampler(generator, random_state=seed, limits=Limits(copies="accept"))
    X, y = sampler.fit_resample(train.drop(columns="label"), train["label"])
    rows = X.assign(label=y)
    written = rows.iloc[len(train) :]
    held = pd.concat([part.head(HELD_OUT) for _, part in test.groupby("label")])
    nats = sampler.generator_.log_prob(held)
    figures = judged(train, rows, test, seed)
    return {
        "nats a row": float(nats[np.isfinite(nats)].mean()),
        "possible": float(np.isfinite(nats).mean()),
        "told apart": c2st(Case(name, train, test, "label", 1, len(written), None), written),
        **{figure: figures[figure] for figure in ("forest", "log-loss")},
    }


def show(frame: pd.DataFrame, first: str, second: str) -> None:
    """Print means over tables, and what changes."""
    figures = ["nats a row", "possible", "told apart", "forest", "log-loss"]
    means = [frame[frame["weights"] == digest].groupby("table")[figures].mean() for digest in (first, second)]
    change = (means[1] - means[0]).dropna()
    print(f"{len(change)} tables, from {first} to {second}")
    for figure in figures:
        before, after = (part.loc[change.index, figure].mean() for part in means)
        print(f"{figure:12} {before:9.4f} {after:9.4f}  {change[figure].mean():+.4f} ± {change[figure].sem():.4f}")


def main() -> None:
    """Measure what is not there yet, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--beside", default=str(weights.embedded()))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    records = Records(options.output)
    digests = {folder: weights.read_manifest(folder).sha256[:12] for folder in (options.beside, options.folder)}
    for seed in [] if options.show else options.seeds:
        for name in (*further_tables.DEVELOPMENT, *further_tables.ELSEWHERE):
            for folder, digest in digests.items():
                key = {"table": name, "seed": seed, "weights": digest}
                if not records.has(key):
                    records.add(key, [measure(name, seed, folder)])
                    print(*key.values())
    show(records.frame, *digests.values())


if __name__ == "__main__":
    main()
