"""What a notebook shows of the results fits into a cell, says the facts and runs nothing."""

import re

import numpy as np
import pandas as pd
import pytest

from makeweight import QualityReport, Schema, Synthesizer, balance
from makeweight.notebook import html_block

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def shown():
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n).round(2),
            EVIL: rng.choice(["a", EVIL], n),
            "missing": np.where(rng.random(n) < 0.25, np.nan, rng.normal(size=n).round(1)),
            "y": ["rare <b>"] * 30 + ["common"] * (n - 30),
        }
    )
    generation = balance(frame, target="y", generator="smoothed-bootstrap", random_state=0)
    return {
        "generation": generation,
        "schema": Schema.infer(frame, target="y", group_by=[EVIL]),
        "report": QualityReport(frame, generation, target="y", mute=["MWQ07", "MWQ15", "MWQ16"]),
        "synthesizer": Synthesizer("smoothed-bootstrap").fit(frame, target="y"),
    }


@pytest.mark.parametrize(
    ("name", "text", "facts"),
    [
        (
            "generation",
            "<Generation of 60 rows by smoothed-bootstrap, seed 0: 60 of 60 accepted, 60 proposed>",
            ["requested", "y=rare &lt;b&gt;", "smoothed-bootstrap"],
        ),
        (
            "schema",
            f"<Schema of 4 columns: 2 continuous, 2 categorical; target y, by {EVIL}>",
            ["continuous", "the target", "%", "&lt;script&gt;"],
        ),
        ("report", None, ["rows: 60 beside 120 real ones", "next: "]),
        (
            "synthesizer",
            "Synthesizer('smoothed-bootstrap', fitted to 120 rows x 4 columns, 2 groups by y)",
            ["30", "90"],
        ),
    ],
)
def test_reprs_are_short_and_safe(shown, name, text, facts):
    value = shown[name]
    assert text is None or repr(value) == text
    assert len(repr(value)) < 200
    page = value._repr_html_()
    assert len(page) < 3000
    assert "<script" not in page
    assert "style" not in page
    assert [fact for fact in facts if fact not in page] == []
    opened, closed = re.findall(r"<(\w+)", page), re.findall(r"</(\w+)", page)
    assert sorted(opened) == sorted(closed)


def test_long_tables_are_cut():
    page = html_block("T", [], ("a",), [(i,) for i in range(40)])
    assert page.count("<td>") == 12
    assert "and 28 more" in page
