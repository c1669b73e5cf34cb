"""A table of mixed kinds from a known law, and generators whose fault is known."""

import numpy as np
import pandas as pd

COLOURS = np.array(["red", "green", "blue", "grey", "pink", "gold", "teal"])
COLOUR_SHARES = np.array([0.4, 0.3, 0.15, 0.08, 0.04, 0.02, 0.01])


def fresh(counts, rng):
    """Draw fresh rows: `counts` gives the rows of every (paid, sex)."""
    parts = []
    for (paid, sex), n in counts.items():
        shift = 1.0 if paid == "yes" else 0.0
        latent = rng.normal(size=n)
        age = np.clip(np.round(40 + 10 * latent + 6 * shift + rng.normal(0, 4, n)), 18, 90)
        income = np.exp(7 + 0.5 * latent + 0.5 * shift + rng.normal(0, 0.3, n)).round(2)
        score = (0.7 * latent - 0.8 * shift + rng.normal(0, 0.7, n)).round(3)
        order = np.argsort(rng.gumbel(size=(n, len(COLOURS))) + np.log(COLOUR_SHARES), axis=1)[:, -1]
        order = np.where((shift > 0) & (rng.random(n) < 0.3), 2, order)
        member = np.where(rng.random(n) < 1 / (1 + np.exp(-latent - shift)), "t", "f")
        tenure = np.where(rng.random(n) < 0.15, np.nan, np.round(rng.gamma(2.0, 10 + 5 * shift, n)))
        parts.append(
            pd.DataFrame(
                {
                    "age": age.astype(int),
                    "income": income,
                    "score": score,
                    "colour": COLOURS[order],
                    "member": member,
                    "tenure": tenure,
                    "sex": sex,
                    "paid": paid,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def numbers(common, rare):
    return {("no", "f"): common, ("no", "m"): common, ("yes", "f"): rare, ("yes", "m"): rare}


def tables(seed, *, common=400, rare=100, added=300, held=0.5):
    """Return real, held-out and fresh rows; fresh rows are what a perfect generator would write."""
    rng = np.random.default_rng(seed)
    real = fresh(numbers(common, rare), rng)
    holdout = fresh(numbers(int(common * held), int(rare * held)), rng)
    return real, holdout, fresh(numbers(0, added), rng), rng


def copying(real, added, rng):
    rare = real[real["paid"] == "yes"]
    return rare.iloc[rng.integers(len(rare), size=len(added))].reset_index(drop=True)


def near_copying(real, added, rng):
    made = copying(real, added, rng)
    made["income"] = (made["income"] * (1 + 0.01 * rng.normal(size=len(made)))).round(2)
    made["score"] = (made["score"] + 0.01 * rng.normal(size=len(made))).round(3)
    return made


def shuffling_columns(real, added, rng):
    made = added.copy()
    for _, rows in made.groupby(["paid", "sex"]).groups.items():
        for name in made.columns.difference(["paid", "sex"]):
            made.loc[rows, name] = rng.permutation(made.loc[rows, name].to_numpy())
    return made


def ignoring_the_label(real, added, rng):
    counts = numbers(2 * len(added), len(added) // 2)
    pool = fresh(counts, rng).sample(len(added), random_state=int(rng.integers(1 << 30))).reset_index(drop=True)
    return pool.assign(sex=added["sex"].to_numpy(), paid=added["paid"].to_numpy())


def constant(real, added, rng):
    rare = real[real["paid"] == "yes"].iloc[[0]]
    return pd.concat([rare] * len(added), ignore_index=True).assign(score=0.001)


def perfect(real, added, rng):
    return added


GENERATORS = {
    "perfect": perfect,
    "copying": copying,
    "near-copying": near_copying,
    "shuffling columns": shuffling_columns,
    "ignoring the label": ignoring_the_label,
    "constant": constant,
}
