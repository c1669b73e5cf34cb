"""Labels of synthetic rows, before a judge that was fitted on other real rows."""

from __future__ import annotations

from collections import Counter

import numpy as np

from makeweight.quality.nulls import ALL_GROUPS, QualityFinding, items_of
from makeweight.quality.rows import FEWEST, ComparedRows, EncodedRows, GroupRows
from makeweight.quality.twosample import feature_matrix, folds_of, make_classifier

#: A judge that confirms real labels no more often than this beyond chance has nothing to say.
KNOWS = 0.05
#: Labels that tell less than this share of what real labels tell are called meaningless.
MEANINGLESS = 0.25
REAL, SYNTHETIC, HELD = 0, 1, 2


def label_consistency(rows: ComparedRows) -> QualityFinding:
    """MWQ17: how much more often a judge doubts labels of synthetic than of real rows.

    With held-out rows the judge is fitted on them. Without, it is fitted on real rows out of fold, and every
    synthetic row is judged by one of the folds' judges: still fair to fresh rows, but lenient to copies.
    """
    if refusal := rows.refusal(columns="judge labels by"):
        return refusal
    teacher = REAL if rows.holdout is None else HELD
    seen: Counter[str] = Counter()
    for group in rows.groups:
        seen[group.label] += len(group.real if teacher == REAL else group.holdout)
    labels = sorted(label for label, n in seen.items() if n >= FEWEST)
    groups = [rows.sample(g, len(rows.groups), "judge") for g in rows.groups if g.label in labels]
    compared = {g.name for g in rows.compared if g.label in labels}
    if len(labels) < 2 or not compared:
        return QualityFinding((), "There are too few real rows of a second label to fit a judge on.", "skipped")
    side, place, verdicts = _verdicts(rows, groups, labels, teacher)
    own = np.array([labels.index(g.label) for g in groups])
    usual = [float((verdicts[side == REAL] == i).mean()) for i in range(len(labels))]
    statistics, owners, known, kept, sizes = [], [], [], [], []
    for i, group in enumerate(groups):
        if group.name not in compared:
            continue
        real, synthetic = ((verdicts[(place == i) & (side == s)] == own[i]).astype(float) for s in (REAL, SYNTHETIC))
        draws = rows.labels(group, "judge")
        confirmed = np.concatenate([real, synthetic])
        statistics.append(confirmed @ (1.0 - draws) / len(real) - confirmed @ draws / len(synthetic))
        owners.append((group.name, float(real.mean()), float(synthetic.mean())))
        known.append(float(real.mean()) - usual[own[i]])
        kept.append(float(synthetic.mean()) - usual[own[i]])
        sizes.append(len(group.synthetic))
    weights = np.array(sizes, dtype=float) / sum(sizes)
    if float(weights @ known) < KNOWS:
        return QualityFinding(
            (),
            f"The judge confirms {weights @ [o[1] for o in owners]:.0%} of the real labels, no more than "
            "chance would: the columns do not tell the labels apart, so nothing can be said about them.",
            "skipped",
        )
    return _finding(np.array(statistics), owners, weights, float(weights @ kept / (weights @ known)), teacher)


def _finding(
    table: np.ndarray, owners: list[tuple[str, float, float]], weights: np.ndarray, retained: float, teacher: int
) -> QualityFinding:
    if len(owners) > 1:
        table = np.vstack([table, weights @ table])
        both = [float(weights @ [owner[side] for owner in owners]) for side in (1, 2)]
        owners = [*owners, (ALL_GROUPS, both[0], both[1])]

    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        name, real, synthetic = owners[i]
        return f"{name}: the judge confirms {synthetic:.0%} of the synthetic and {real:.0%} of the real labels"

    items = items_of(table, [(owner[0], None) for owner in owners], describe)
    how = "" if teacher == HELD else " The judge was fitted on real rows out of fold: lenient to copies."
    return QualityFinding(items, f"{items[-1].text}.{how}", facts={"retained": retained})


def _verdicts(
    rows: ComparedRows, groups: list[GroupRows], labels: list[str], teacher: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which table every row is from, its group, and the label that the judge gives it."""
    pieces: list[tuple[EncodedRows, np.ndarray]] = []
    side, place = [], []
    for i, group in enumerate(groups):
        parts = [(rows.real, group.real), (rows.synthetic, group.synthetic)]
        if rows.holdout is not None:
            parts.append((rows.holdout, group.holdout))
        pieces += parts
        for kind, (_, positions) in enumerate(parts):
            side += [kind] * len(positions)
            place += [i] * len(positions)
    side_of, place_of = np.array(side), np.array(place)
    cells = sorted({group.cell for group in groups})
    features, categorical = feature_matrix(
        rows, pieces, np.array([cells.index(group.cell) for group in groups])[place_of]
    )
    label = np.array([labels.index(group.label) for group in groups])[place_of]
    rng = rows.rng("judge", "folds")
    seed = int(rng.integers(2**31 - 1))
    fold = folds_of(place_of * 3 + side_of, rng) if teacher == REAL else np.full(len(side_of), -1)
    verdicts = np.full(len(side_of), -1)
    for k in np.unique(fold):
        train = (side_of == teacher) & ((fold != k) if teacher == REAL else True)
        test = (side_of != HELD) & (fold == k)
        weights = 1.0 / np.bincount(label[train], minlength=len(labels))[label[train]]
        model = make_classifier(categorical, seed)
        model.fit(features[train], label[train], sample_weight=weights * len(weights) / weights.sum())
        verdicts[test] = model.predict(features[test])
    return side_of, place_of, verdicts
