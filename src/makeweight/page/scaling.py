"""What the page of a scaling curve shows: how many rows are worth adding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from makeweight.page.intervals import axis, interval_text, strip
from makeweight.page.svg import Ids, finite, scale_of
from makeweight.page.words import count, cut, file_name, number, real_number, shown, signed


def scaling_view(result: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what the template shows of a scaling curve."""
    ids, settings = Ids(), result["settings"]
    adds = result["recommended"] is not None
    rows = list(zip(result["sizes"], result["risk"], result["gains"], result["gain_reach"], strict=True))
    known = [row for row in rows if len(finite(row[2:])) == 2]
    noise = sorted(reach for *_, reach in known)[len(known) // 2] if known else 0.01
    ends = [value for _, _, gain, reach in known for value in (gain - reach, gain, gain + reach)]
    # Three times the noise at least, so that noise looks like noise.
    scale = scale_of([100 * value for value in ends], include=[-300 * noise, 300 * noise], pad=4, far=20.0)
    reading = "To the right of the line predictions get better. The numbers stand in the same rows."
    above = axis(ids, scale, title="Gain by number of rows", description=reading, reference=(0.0, "no synthetic row"))
    drawn = []
    for size, risk, gain, reach in rows:
        low, high = (None, None) if not real_number(reach) else (100 * (gain - reach), 100 * (gain + reach))
        certain = real_number(reach) and real_number(gain) and abs(gain) > reach
        drawn.append(
            {
                "label": "balanced" if not size else f"balanced, {count(size)} more per group",
                "drawing": strip(above, 100 * gain, low, high, "synthetic" if certain else "synthetic open"),
                "risk": number(risk, 4),
                "gain": f"{signed(100 * gain, 1)} %",
                "interval": interval_text((low, high), 1, sign=True),
                "best": adds and size == result["recommended"],
            }
        )
    law, worth = result["law"], result["worth_in_real_rows"]
    facts = [("a constant probability scores", number(result["constant_risk"], 4))]
    if law["identifiable"]:
        facts += [(name, _estimate(law[name], 3)) for name in ("floor", "exponent")]
    else:
        facts.append(("no scaling law", cut(law["reason"], 400)))
    value = cut(f"cannot be said: {result['worth_refused']}", 400) if worth is None else _estimate(worth, 0)
    facts.append(("worth in real rows", value))
    return {
        "headline": result["answer"],
        "lead": result["why"],
        "next": result["next"],
        "question": "How many rows?",
        "subject": file_name(result["data"]["name"]),
        "tone": "good" if adds else "even",
        "badge": "Rows help" if adds else "Rows do not help",
        "facts": _facts(result),
        "sections": [("picture", "The curve"), ("law", "The law"), ("reproduce", "Reproduce")],
        "axis": above,
        "nothing": number(result["risk_without_synthetic_rows"], 4),
        "rows": drawn,
        "law": facts,
        "notes": [result["verdict"]["sentence"], result["ranking"], *result["cut"]],
        "codes": [],
        "private": "",
        "calibrated": "calibrated, " if settings["calibrated"] else "",
    }


def _estimate(value: Mapping[str, Any], places: int) -> str:
    return f"{number(value['estimate'], places)} ({number(value['low'], places)} to {number(value['high'], places)})"


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings = result["settings"]
    return [
        ("rows", f"{count(settings['n_measured'])} of {count(settings['n_rows'])}"),
        ("generator", cut(settings["generator"], 40)),
        ("estimator", cut(settings["estimator"], 80)),
        ("repeats", shown(settings["repeats"])),
        ("folds", shown(settings["folds"])),
    ]
