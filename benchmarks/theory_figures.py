"""Print every number of docs/theory.md and draw its figures.

python benchmarks/theory_figures.py --out docs/theory            # about three minutes on one core
python benchmarks/theory_figures.py --only size --out /tmp
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from makeweight.theory import (
    NOTHING,
    BorrowedRows,
    Candidate,
    ScalingLaw,
    balanced_weights,
    choose_from_losses,
    choose_size,
    fit_logistic,
    fit_transport,
    slope_symmetry_test,
)
from makeweight.theory.published.audit import generator_audit
from makeweight.theory.published.bias import borrow_rows, corrected_sample, fit_corrected
from makeweight.theory.published.capacity import capacity_curve, fit_capacity_rate
from makeweight.theory.published.components import GaussianComponent
from makeweight.theory.published.densities import BayesianNetwork, GaussianDensity, LatentEmbedding, fit_gaussian
from makeweight.theory.published.reference import duplicate, gaussian, interpolate
from makeweight.theory.published.tables import choose_correction, size_grid, table_callables
from makeweight.theory.published.vtss import generator_quality_score, score_gap
from makeweight.theory.published.worlds import BinaryWorld, LogisticWorld, biased_world, mirror_world

MEAN = np.full(5, 1 / np.sqrt(5))
CLASSES = BinaryWorld(*(GaussianComponent(m) for m in (np.zeros(5), MEAN, MEAN)))


def canvas(width=6.0, height=3.4):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure, out, name):
    figure.savefig(out / f"{name}.png", dpi=110)
    print(f"wrote {out / name}.png")


def size(out):
    """Excess risk over the number of synthetic rows, exactly, with and without an intercept."""
    multiples = np.linspace(0.05, 6, 120)
    figure, axes = canvas()
    for loss, label in (("squared", "squared loss, no intercept"), ("log", "log-loss, intercept")):
        world = biased_world(loss=loss)
        excess = [world.excess_risk(world.population_fit(20, 1, 19 * m)) for m in multiples]
        best = int(np.argmin(excess))
        at_balance = world.excess_risk(world.population_fit(20, 1, 19))
        print(f"{label}: excess {at_balance:.4f} at balance")
        print(f"{label}: smallest excess {excess[best]:.4f} at {multiples[best]:.2f} times the gap")
        axes.plot(multiples, excess, label=label)
    axes.axvline(1, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="synthetic rows / (n0 - n1)", ylabel="excess balanced risk", yscale="log", ylim=(1e-5, 1))
    axes.legend(frameon=False)
    save(figure, out, "size")


def symmetry(out):
    """Size and power of the slope-symmetry test; risk of filling up under local symmetry."""
    slopes = np.full(5, 1.2 / np.sqrt(5))

    def rate(n, runs, **terms):
        world = LogisticWorld(slopes, -3.0, **terms)
        tables = (world.sample(n, np.random.default_rng(seed)) for seed in range(runs))
        return np.mean([slope_symmetry_test(*table, method="chi-square").rejected for table in tables])

    for n in (1000, 4000, 16000):
        print(f"slope test, n = {n}: size {rate(n, 400):.3f}")
    for terms in ({"quadratic": 0.2}, {"quadratic": 0.5}, {"interaction": 0.7}):
        print(f"slope test, n = 4000, {terms}: power {rate(4000, 100, **terms):.2f}")
    world = mirror_world(20)
    arms = {"none": None, "interpolate": interpolate, "gaussian": gaussian}
    for name, generator in {**arms, "perfect": lambda x, y, n, r: world.minority.sample(n, r)}.items():
        found = []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            x, y = world.sample(2000, 100, rng)
            if generator is not None:
                x = np.vstack([x, generator(x, y, 1900, rng)])
                y = np.append(y, np.ones(1900))
            found.append(world.excess_risk(fit_logistic(x, y, intercept=False).coefficients))
        print(f"local symmetry, {name} to balance: excess {np.mean(found):.4f}")


def audit(out):
    """GQS of a perfect generator over the imbalance; rejections of the audit."""
    generators = {
        "perfect": lambda x, y, n, r: CLASSES.minority.sample(n, r),
        "copies": duplicate,
        "interpolation": interpolate,
        "mean short by .2": lambda x, y, n, r: CLASSES.minority.sample(n, r) - 0.2 * MEAN,
    }
    figure, axes = canvas()
    imbalances = [3, 5, 10, 20, 35, 50]
    for name, generator in generators.items():
        means = []
        for imbalance in imbalances:
            scores = []
            for seed in range(30):
                rng = np.random.default_rng(seed)
                rows = CLASSES.sample(100 * imbalance, 100, rng)
                scores.append(generator_quality_score(score_gap(*rows, generator, rng=rng)))
            means.append(np.mean(scores))
            if imbalance in (5, 20, 50):
                above = np.mean(np.array(scores) > 10)
                print(f"GQS, {name}, imbalance {imbalance}: {means[-1]:.1f}, above ten {above:.0%}")
        axes.plot(imbalances, means, marker="o", label=name)
    axes.axhline(10, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="imbalance n0 / n1 (n1 = 100)", ylabel="mean published GQS")
    axes.legend(frameon=False)
    save(figure, out, "gqs")
    for minority, runs in ((50, 60), (100, 60)):
        for name in ("perfect", "copies", "mean short by .2"):
            found = []
            for seed in range(runs):
                rng = np.random.default_rng(seed)
                rows = CLASSES.sample(20 * minority, minority, rng)
                found.append(generator_audit(*rows, generators[name], rng=rng, draws=40))
            rejected = np.mean([one.p_value <= 0.05 for one in found])
            copied = np.mean([one.copies.copied for one in found])
            seen = np.median([one.detectable_shift for one in found])
            print(f"audit, n1 = {minority}, {name}: rejected {rejected:.2f}, copies {copied:.2f}")
            print(f"audit, n1 = {minority}, {name}: detectable shift {seen:.2f}")


def choosing(out):
    """What the rule towards fewer rows costs where rows help, and what it saves where they do not."""
    world = biased_world()
    multiples = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 8])
    sizes = [Candidate(float(m)) for m in multiples]
    rules = (0.0, 0.5, 1.0)

    def fit(x, y, pool, n):
        x, y = np.vstack([x, pool[:n]]), np.append(y, np.ones(n))
        return np.linalg.solve(x.T @ x + 1e-6 * np.eye(2), x.T @ y)

    for minority, runs in ((100, 60), (200, 40)):
        excess = []
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            x, y = world.sample(20 * minority, minority, rng)
            losses = np.zeros((len(sizes), len(y)))
            for _ in range(3):
                for held in np.array_split(rng.permutation(len(y)), 5):
                    rows = np.setdiff1d(np.arange(len(y)), held)
                    gap = int((y[rows] == 0).sum() - (y[rows] == 1).sum())
                    pool = world.synthetic.sample(8 * gap, rng)
                    for k, m in enumerate(multiples):
                        theta = fit(x[rows], y[rows], pool, round(m * gap))
                        losses[k, held] += (y[held] - x[held] @ theta) ** 2 / 3
            pool = world.synthetic.sample(8 * 19 * minority, rng)
            found = [choose_from_losses(sizes, losses, y, rule=rule, repeats=3) for rule in rules]
            fits = [fit(x, y, pool, round(one.candidate.balance * 19 * minority)) for one in found]
            excess.append([world.excess_risk(theta) for theta in fits])
        print(f"biased world, {minority} minority rows, rules {rules}: excess", np.mean(excess, axis=0).round(4))
    mirror, grid = mirror_world(20), size_grid(balance=[0, 0.5, 1.0], augment=[0.0, 1.0], alpha=[0.1, 0.5])
    decisions = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = mirror.sample(2000, 100, rng)
        callables = table_callables(x, y, interpolate, intercept=False)
        streams = [np.random.default_rng(seed) for _ in rules]
        decisions.append(
            [
                choose_size(y, *callables, rng=stream, candidates=grid, repeats=1, rule=rule).candidate == NOTHING
                for rule, stream in zip(rules, streams, strict=True)
            ]
        )
    print(f"local symmetry, rules {rules}: nothing added in", np.mean(decisions, axis=0))


def scaling(out):
    """A law with its interval, and what a straight line makes of the same points."""
    rng = np.random.default_rng(0)
    sizes = np.array([0, 250, 500, 1000, 2000, 4000, 8000, 16000])

    def truth(n):
        return 0.3 + 5 * (2000 + 2 * n) ** -0.5

    risks = truth(sizes) + 0.001 * rng.normal(size=(15, 1)) + 0.002 * rng.normal(size=(15, 8))
    law = ScalingLaw(2000, 2).fit(sizes, risks)
    advice = law.recommend()
    print(f"floor {law.floor_}, exponent {law.exponent_}")
    print(f"recommended N {advice.n_augment}: {advice.reason}")
    grid = np.linspace(0, 40_000, 60)
    bands = [law.predict_interval(n) for n in grid]
    figure, axes = canvas()
    axes.fill_between(grid, [b.low for b in bands], [b.high for b in bands], alpha=0.25, lw=0)
    axes.plot(grid, law.predict(grid), label="fitted law, 95% band")
    axes.plot(grid, truth(grid), ls="--", color="black", lw=0.8, label="truth")
    axes.errorbar(sizes, law.risks_, yerr=2 * law.standard_errors_, fmt="o", ms=3, label="measured")
    axes.set(xlabel="augmentation rows per group, N", ylabel="balanced risk")
    axes.legend(frameon=False)
    save(figure, out, "scaling")


def bias(out):
    """Balanced test log-loss of the arms of the bias correction."""

    def squares(x):
        return np.hstack([x, x**2])

    names = ("shifted", "weighted", "SMOTE", "c = 1", "c = .5", "chosen c", "transported")
    print("scenario | " + " | ".join(names))
    for law, scale, majority, minority in (
        ("gaussian", 1.0, 1000, 50),
        ("gaussian", 0.7, 1000, 50),
        ("student", 1.0, 1000, 50),
        ("gaussian", 1.0, 3000, 150),
    ):
        losses = []
        for seed in range(40):
            rng = np.random.default_rng(seed)

            def draw(n0, n1, rng=rng, law=law, scale=scale):
                def noise(n):
                    return rng.standard_t(5, size=(n, 8)) if law == "student" else rng.standard_normal((n, 8))

                return np.vstack([noise(n0), 0.4 + scale * noise(n1)]), np.repeat([0.0, 1.0], [n0, n1])

            x, y = draw(majority, minority)
            test, labels = draw(10_000, 10_000)
            made = interpolate(x, y, majority - minority, rng)
            borrowed = borrow_rows(x, y, interpolate, rng=rng)
            seen = BorrowedRows(tuple(map(squares, borrowed.written)), tuple(map(squares, borrowed.held_out)))
            moved = fit_transport(x[y == 0], x[y == 1]).apply(x[y == 0])[: len(made)]
            filled = np.append(y, np.ones(len(made)))
            raw = fit_logistic(squares(x), y, ridge=1e-3)
            shift = np.append(np.zeros(16), np.log(majority / minority))
            found = choose_correction(x, y, interpolate, rng=rng, repeats=1, basis=squares)
            chosen = found.candidate.correction
            fits = [
                dataclasses.replace(raw, coefficients=raw.coefficients + shift),
                fit_logistic(squares(x), y, sample_weight=balanced_weights(y), ridge=1e-3),
                fit_logistic(squares(np.vstack([x, made])), filled, ridge=1e-3),
                *(fit_corrected(corrected_sample(squares(x), y, squares(made), seen, c)) for c in (1.0, 0.5, chosen)),
                fit_logistic(squares(np.vstack([x, moved])), filled, ridge=1e-3),
            ]
            values = [np.logaddexp(0, (1 - 2 * labels) * fit.decision(squares(test))) for fit in fits]
            losses.append([(v[labels == 0].mean() + v[labels == 1].mean()) / 2 for v in values])
        mean = np.mean(losses, axis=0)
        print(f"{law} {scale} {minority}/{majority} | " + " | ".join(f"{value:.3f}" for value in mean))


def capacity(out):
    """What a narrower model loses, what a fitted one loses, and the theorem's rate beside both."""
    law = LatentEmbedding.random(columns=4, levels=3, width=64, rng=np.random.default_rng(0))
    for width in (1, 4, 16, 32):
        print(f"latent embedding of width 64 cut to {width}: KL {law.divergence(law.cut(width)):.4f}")
    truth = GaussianDensity(np.zeros(4), np.eye(4))
    points = capacity_curve(
        truth,
        lambda rows, width, rng: fit_gaussian(rows),
        n_context=[50, 200, 800],
        widths=[4, 8],
        rng=np.random.default_rng(0),
        repeats=40,
    )
    for point in points[::2]:
        print(f"Gaussian fitted to {point.n_context} rows: KL {point.divergence.estimate:.4f}")
    values = [(point.n_context, point.width, point.divergence.estimate) for point in points]
    rate = fit_capacity_rate(*np.transpose(values))
    print(f"exponent in n {rate.row_exponent:.2f}; the theorem's shape explains {rate.explained:.2f}")
    context_and_width(law, (4, 16, 32, 64), (25, 100, 400, 1600))


def context_and_width(law, widths, sizes, steps=30):
    """A generator that holds so many directions of the law's prototypes, and learns in context how frequent each is."""

    def table(shares):
        return BayesianNetwork((len(shares),), ((),), (shares / shares.sum(),))

    def held(width):
        """Probabilities of all cells under each prototype, shape (prototypes, cells)."""
        cut = [(law.prototypes[[k], :width], tuple(e[:, :width] for e in law.embeddings)) for k in range(64)]
        return np.exp([LatentEmbedding(*part).log_prob(law.support) for part in cut])

    known = {width: held(width) for width in widths}

    def generator(context, width, rng):
        counts, parts = np.bincount(context[:, 0].astype(int), minlength=len(law.support)), known[width]
        shares = np.full(len(parts), 1 / len(parts))
        for _ in range(steps):  # expectation and maximisation, with one row of each prototype beforehand
            shares = (1 + shares * (parts @ (counts / (shares @ parts)))) / (len(parts) + counts.sum())
        return table(shares @ parts)

    truth = table(np.exp(law.log_prob(law.support)))
    points = capacity_curve(truth, generator, n_context=sizes, widths=widths, rng=np.random.default_rng(0), repeats=40)
    print("width | " + " | ".join(f"n = {n}" for n in sizes))
    for width in widths:
        own = [
            f"{p.divergence.estimate:.4f} ±{1.96 * p.divergence.standard_error:.4f}" for p in points if p.width == width
        ]
        print(f"{width} | " + " | ".join(own))
    rate = fit_capacity_rate(*np.transpose([(p.n_context, p.width, p.divergence.estimate) for p in points]))
    print(f"the theorem's shape explains {rate.explained:.2f}")


PARTS = {part.__name__: part for part in (size, symmetry, audit, choosing, scaling, bias, capacity)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/theory"))
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        print(f"# {name}")
        PARTS[name](options.out)


if __name__ == "__main__":
    main()
