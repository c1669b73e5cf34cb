"""A result as a few lines of HTML, for the output cell of a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from makeweight.page.words import clean, cut, number, real_number, signed

__all__ = ["comparison_card"]

#: Arms in the table; a page has them all.
SHOWN = 12


def comparison_card(result: Mapping[str, Any]) -> str:
    """Return a comparison's answer, what to do, and a table of the arms that do best, as HTML without a style sheet."""
    answer = result["answer"]
    estimator = answer["estimator"] or result["estimators"][0]
    rows = {(row["metric"], row["arm"]): row for row in result["results"] if row["estimator"] == estimator}
    counts = {row["arm"]: row for row in result["found"] if row["estimator"] == estimator}
    arms = [arm for arm in result["arms"] if arm["calibrated"]]
    known = [arm for arm in arms if real_number(rows["balanced_log_loss", arm["name"]]["mean"])]
    ranked = sorted(known, key=lambda arm: rows["balanced_log_loss", arm["name"]]["mean"])
    kept = [arm for arm in ranked if arm in ranked[:SHOWN] or arm["name"] == result["reference"]]
    lines = []
    for arm in kept:
        cells = [Markup("<td>{}</td>").format(cut(arm["label"].removesuffix(" + calibration"), 50))]
        for metric in ("auroc", "balanced_log_loss"):
            row = rows[metric, arm["name"]]
            change = row["difference"]
            shown = bool(change) and real_number(change["p_holm"]) and change["p_holm"] < 0.05
            text = f" ({signed(change['mean'])}{'' if shown else ', not shown'})" if change else ""
            cells.append(Markup("<td>{}</td>").format(number(row["mean"]) + text))
        count = counts.get(arm["name"])
        cells.append(Markup("<td>{}</td>").format(number(100 * count["found"]["mean"], 0) if count else ""))
        lines.append(Markup("<tr>{}</tr>").format(Markup("").join(cells)))
    head = ("arm", "AUROC", "log-loss", f"found of 100 {answer['cases']}")
    headings = Markup("").join(Markup("<th>{}</th>").format(text) for text in head)
    left_out = f"; the {SHOWN} best of {len(known)} arms" if len(known) > SHOWN else ""
    return str(
        Markup(
            "<div><p><b>{}</b></p><pre>{}</pre><p>With {}{}; in brackets: beside doing nothing and calibrating.</p>"
            "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(
            clean(answer["text"]), clean(answer["next"]), cut(estimator), left_out, headings, Markup("").join(lines)
        )
    )
