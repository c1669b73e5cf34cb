"""Regret of the rule that chooses a size: what it keeps, over worlds whose best size is known, after calibration.

python benchmarks/regret.py --runs 40               # some ten minutes on one core
python benchmarks/regret.py --runs 4 --rules 0 1
"""

import argparse

import numpy as np

from makeweight.theory import NOTHING, Candidate, choose_size, fit_calibration, row_losses
from makeweight.theory.decision import _chosen
from makeweight.theory.published.reference import gaussian, interpolate
from makeweight.theory.published.tables import table_callables

CANDIDATES = [Candidate(b, a, alpha) for b in (0.0, 0.5, 1.0) for a, alpha in ((0.0, 0.0), (1.0, 0.25), (1.0, 0.5))]
SIZES = [NOTHING, *(size for size in CANDIDATES if size != NOTHING)]
DIMENSION, SHIFT = 6, 0.5
FOLDS, REPEATS = 5, 2


def squares(x):
    return np.hstack([x, x**2])


def rows(law, n, label, rng):
    """Rows of a class; the rare one is shifted, and narrower in "scale"."""
    noise = rng.standard_t(4, size=(n, DIMENSION)) if law == "tails" else rng.normal(size=(n, DIMENSION))
    return noise * (0.7 if law == "scale" and label else 1.0) + SHIFT * label


def oracle(law):
    """A generator that knows the law."""

    def write(features, labels, n, rng):
        return rows(law, n, 1.0, rng) if labels.mean() < 0.5 else rows(law, n, 0.0, rng)

    return write


def short(features, labels, n, rng):
    """A Gaussian whose mean is halfway to the other class."""
    rare = labels.mean() < 0.5
    drawn = gaussian(features, labels, n, rng)
    return drawn - (0.5 if rare else -0.5) * (features[labels == 1].mean(axis=0) - features[labels == 0].mean(axis=0))


def task(law, name, basis, n_rare, seed):
    """Return validation of all sizes, and the true risk of each after calibration on 20,000 rows."""
    rng = np.random.default_rng(seed)
    x = np.vstack([rows(law, 600, 0, rng), rows(law, n_rare, 1, rng)])
    y = np.repeat([0.0, 1.0], [600, n_rare])
    generator = {"oracle": oracle(law), "gaussian": gaussian, "smote": interpolate, "short": short}[name]
    draw, fit_predict = table_callables(x, y, generator, ridge=1e-4, basis=basis)
    decision = choose_size(y, draw, fit_predict, rng=rng, candidates=SIZES, folds=FOLDS, repeats=REPEATS)
    test = np.vstack([rows(law, 10_000, 0, rng), rows(law, 10_000, 1, rng)])
    labels = np.repeat([0, 1], 10_000)
    counts = {0.0: 600, 1.0: n_rare}
    pool = draw(np.arange(len(y)), dict.fromkeys(counts, 1800), rng)
    predict = table_callables(np.vstack([x, test]), np.append(y, labels), generator, ridge=1e-4, basis=basis)[1]
    risks = []
    for size in decision.candidates:
        p = predict(np.arange(len(y)), pool, size.takes(counts), len(y) + np.arange(len(test)))
        risks.append(row_losses(labels, fit_calibration(p, labels).apply(p)).mean())
    return decision, np.array(risks)


def rechosen(decision, rule, guardrail):
    usable = np.isfinite(decision.risks)
    inflation = 1 / REPEATS + FOLDS / (FOLDS - 1)
    found = _chosen(
        decision.candidates,
        decision.risks,
        decision.covariance,
        decision.worst,
        usable,
        None,
        rule,
        inflation,
        guardrail,
        np.zeros(len(usable)),
        NOTHING,
    )
    return decision.candidates.index(found.candidate)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--rules", type=float, nargs="+", default=[0.0, 0.25, 0.5, 1.0])
    parser.add_argument("--guardrails", type=float, nargs="+", default=[1.0, 0.5, 0.3])
    given = parser.parse_args()
    settings = [(rule, limit) for rule in given.rules for limit in given.guardrails]
    print("| world | generator | rare rows | best gain | " + " | ".join(f"{r:g}, {g:g}" for r, g in settings) + " |")
    print("|---" * (4 + len(settings)) + "|")
    everything, added = [], []
    for law in ("normal", "scale", "tails"):
        for name in ("oracle", "gaussian", "smote", "short"):
            for n_rare in (30, 100):
                regrets, gains, adds = [], [], []
                for seed in range(given.runs):
                    decision, risks = task(law, name, squares, n_rare, seed)
                    chosen = [rechosen(decision, *setting) for setting in settings]
                    regrets.append([risks[k] - risks.min() for k in chosen])
                    gains.append(risks[0] - risks.min())
                    adds.append([k != 0 for k in chosen])
                means = np.mean(regrets, axis=0)
                everything.append(means)
                added.append(np.mean(adds, axis=0))
                cells = " | ".join(f"{mean:.4f}" for mean in means)
                print(f"| {law} | {name} | {n_rare} | {np.mean(gains):.4f} | {cells} |", flush=True)
    print("| all | | | | " + " | ".join(f"**{mean:.4f}**" for mean in np.mean(everything, axis=0)) + " |")
    print("| worst | | | | " + " | ".join(f"{mean:.4f}" for mean in np.max(everything, axis=0)) + " |")
    print("| rows added | | | | " + " | ".join(f"{mean:.2f}" for mean in np.mean(added, axis=0)) + " |")


if __name__ == "__main__":
    main()
