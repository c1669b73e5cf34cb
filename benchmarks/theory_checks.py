"""Print the checks of docs/theory.md: distances of narrow generators, coverage, false alarms, level and power.

python benchmarks/theory_checks.py                       # some ten minutes on one core
python benchmarks/theory_checks.py --only coverage --runs 50
"""

import argparse
import math

import numpy as np
from scipy.special import gammaln

from makeweight.errors import PlanError
from makeweight.theory import ScalingLaw, ranking_test
from makeweight.theory.published.audit import generator_audit
from makeweight.theory.published.capacity import energy_distance
from makeweight.theory.published.components import GaussianComponent
from makeweight.theory.published.copies import copy_check
from makeweight.theory.published.densities import BayesianNetwork, GaussianDensity
from makeweight.theory.published.reference import duplicate, interpolate
from makeweight.theory.published.worlds import BinaryWorld, LogisticWorld


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def narrow(dimension, scale):
    """Energy distance of N(0, scale^2 I) from N(0, I)."""
    unit = math.sqrt(2) * math.exp(gammaln((dimension + 1) / 2) - gammaln(dimension / 2))
    return unit * (2 * math.sqrt(1 + scale**2) - math.sqrt(2) * (1 + scale))


def distance(runs):
    """Rows of N(0, scale^2 I), 2000 each: exact energy distance, estimate, coverage of 95 %; and 256 cells."""
    rows = []
    for dimension in (2, 4, 8):
        truth = GaussianDensity(np.zeros(dimension), np.eye(dimension))
        for scale in (1.0, 0.8, 0.6):
            found = []
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                found.append(energy_distance(truth, scale * rng.normal(size=(2000, dimension)), rng=rng, references=5))
            rows.append(line(f"d = {dimension}, width {scale}", narrow(dimension, scale), found))
    law, other = (
        BayesianNetwork.random([4] * 4, [(j - 1,) if j else () for j in range(4)], np.random.default_rng(s))
        for s in (0, 1)
    )
    apart = np.sqrt((law.support[:, None, :] != law.support[None, :, :]).sum(axis=2))
    gap = np.exp(law.log_prob(law.support)) - np.exp(other.log_prob(law.support))
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        found.append(energy_distance(law, other.sample(1000, rng), rng=rng, references=5))
    rows.append(line("256 cells", float(-gap @ apart @ gap), found))
    table(["generator", "exact", "mean", "covered"], rows)


def line(name, exact, found):
    covered = np.mean([abs(one.estimate - exact) < 1.96 * one.standard_error for one in found])
    return [name, f"{exact:.4f}", f"{np.mean([one.estimate for one in found]):.4f}", f"{covered:.2f}"]


def curve(sizes, floor=0.3):
    return floor + 5.0 * (2000 + 2 * np.asarray(sizes, dtype=float)) ** -0.5


def coverage(runs):
    """Intervals of the floor, over sizes and repeats that share a level."""
    sizes, rows = np.array([0, 250, 500, 1000, 2000, 4000, 8000, 16000]), []
    for kept in (6, 8):
        for repeats in (5, 25):
            covered = {0.9: 0, 0.95: 0}
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                noise = 0.001 * rng.normal(size=(repeats, 1)) + 0.002 * rng.normal(size=(repeats, kept))
                for level in covered:
                    law = ScalingLaw(2000, 2, level=level).fit(sizes[:kept], curve(sizes[:kept]) + noise)
                    covered[level] += law.floor_.low <= 0.3 <= law.floor_.high
            rows.append([str(kept), str(repeats), *(f"{hits / runs:.3f}" for hits in covered.values())])
    table(["sizes", "repeats", "90 %", "95 %"], rows)


def worth(runs):
    """Oracle rows that gain .022 and .068 nats: how often the law and the worth in real rows are answered."""
    sizes, real = np.array([0, 90, 180, 360, 720, 1440]), np.array([120, 160, 200, 260, 320, 400])
    rows = []
    for gain in (0.022, 0.068):

        def risk(n, gain=gain):
            return 0.45 + gain / (1 - (720 / 3600) ** 0.7) * (np.asarray(n) / 720.0) ** -0.7

        def real_risk(n, gain=gain):
            return 0.45 + gain / (1 - (720 / 3600) ** 0.7) * (np.asarray(n) / 400.0) ** -0.7

        exact = 400 * (720 + 2 * 1440) / 720
        for noise in (0.01, 0.03):
            identified = answered = right = 0
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                law = ScalingLaw(720, 2).fit(sizes, risk(720 + 2 * sizes) + noise * rng.normal(size=(25, 6)))
                identified += law.identifiable_
                try:
                    found = law.worth_in_real_rows(1440, real, real_risk(real) + noise * rng.normal(size=(25, 6)), 400)
                except PlanError:
                    continue
                answered += 1
                right += found.low <= exact - 400 <= found.high
            rows.append(
                [
                    f"{gain}",
                    f"{noise}",
                    f"{identified / runs:.2f}",
                    f"{answered / runs:.2f}",
                    f"{right / max(answered, 1):.2f}",
                ]
            )
    table(["gain", "scatter of a split", "law", "worth answered", "of these right"], rows)


def nearness(runs):
    """Share of tables of 100 rows, three folds, in which the check finds rows near at level .01."""

    def fitted(rows, n, rng, scale=1.0):
        return rows.mean(axis=0) + scale * rng.multivariate_normal(np.zeros(rows.shape[1]), np.cov(rows.T), n)

    generators = {
        "Gaussian fitted to 67 rows": fitted,
        "the same, half as wide": lambda rows, n, rng: fitted(rows, n, rng, 0.5),
        "fresh rows": lambda rows, n, rng: rng.normal(size=(n, rows.shape[1])),
        "copies plus noise .2": lambda rows, n, rng: (
            rows[rng.integers(len(rows), size=n)] + 0.2 * rng.normal(size=(n, rows.shape[1]))
        ),
        "copies plus noise .5": lambda rows, n, rng: (
            rows[rng.integers(len(rows), size=n)] + 0.5 * rng.normal(size=(n, rows.shape[1]))
        ),
        "interpolation": lambda rows, n, rng: interpolate(rows, np.ones(len(rows)), n, rng),
    }
    rows = []
    for name, generator in generators.items():
        shares = []
        for dimension in (5, 10, 20):
            near = 0
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                real, part = rng.normal(size=(100, dimension)), np.arange(100) % 3
                folds = [(real[part != k], generator(real[part != k], 900, rng), real[part == k]) for k in range(3)]
                near += copy_check(folds, rng=rng).near
            shares.append(f"{near / runs:.2f}")
        rows.append([name, *shares])
    table(["generator", "d = 5", "d = 10", "d = 20"], rows)


def audits(runs):
    """Audits at imbalance 20, level 5 %: how often rows are called biased, copied, near; and the shortfall seen."""
    mean = np.full(5, 1 / math.sqrt(5))
    world = BinaryWorld(GaussianComponent(np.zeros(5)), GaussianComponent(mean), GaussianComponent(mean))
    generators = {
        "perfect": lambda x, y, n, rng: world.minority.sample(n, rng),
        "copies": duplicate,
        "interpolation": interpolate,
        "mean short by .2": lambda x, y, n, rng: world.minority.sample(n, rng) - 0.2 * mean,
    }
    rows = []
    for size in (50, 100):
        for name, generator in generators.items():
            found = []
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                found.append(generator_audit(*world.sample(20 * size, size, rng), generator, rng=rng, draws=60))
            shares = (
                np.mean([one.p_value <= one.level for one in found]),
                np.mean([one.copies.copied for one in found]),
                np.mean([one.copies.near for one in found]),
                np.median([one.detectable_shift for one in found]),
            )
            rows.append([f"n_1 = {size}, {name}", *(f"{share:.2f}" for share in shares)])
    table(["generator", "rejected", "copied", "near", "detectable shortfall"], rows)


def ranking(runs):
    """Level at 5 % and power of the ranking test, and the AUROC it says it would have seen."""
    slopes, rows = np.full(5, 1 / math.sqrt(5)), []
    for n in (1000, 4000, 16_000):
        cells = []
        for bent in ({}, {"quadratic": 0.2}, {"quadratic": 0.5}, {"interaction": 0.7}):
            found = [
                ranking_test(
                    *LogisticWorld(slopes, -3.0, **bent).sample(n, np.random.default_rng(seed)), method="chi-square"
                )
                for seed in range(runs)
            ]
            cells.append(f"{np.mean([one.can_gain for one in found]):.2f}")
            if not bent:
                seen = np.median([one.detectable for one in found])
        rows.append([f"{n:,}", *cells, f"{seen:.4f}"])
    table(["rows", "right", "quadratic .2", "quadratic .5", "interaction .7", "AUROC seen"], rows)


PARTS = {part.__name__: part for part in (distance, coverage, worth, nearness, audits, ranking)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--runs", type=int)
    given = parser.parse_args()
    usual = {"distance": 20, "coverage": 400, "worth": 40, "nearness": 100, "audits": 60, "ranking": 200}
    for name, part in PARTS.items():
        if given.only in (None, name):
            print(f"### {name}: {part.__doc__.splitlines()[0]}\n")
            part(given.runs or usual[name])


if __name__ == "__main__":
    main()
