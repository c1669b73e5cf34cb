import copy
import json
import math
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makeweight.errors import OptionError
from makeweight.evaluation import Design, compare
from makeweight.page import render
from makeweight.quality import QualityReport
from makeweight.quality.catalogue import DRAWERS
from page import examples

RESULTS = {
    "comparison": examples.COMPARISON,
    "large comparison": examples.comparison(),
    "quality": examples.QUALITY,
    "large quality": examples.quality(),
}
SMALL = {
    "comparison": examples.COMPARISON | {"metrics": examples.COMPARISON["metrics"][:2]},
    "quality": examples.QUALITY,
}
VOID = {"meta", "link", "br"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "{{ 7 * 7 }}{% raw %}",
    "</style></svg></title><iframe src='//evil'>",
    "a" * 3000,
    "\u202eright to left \u05d0\u05d1\u05d2",
    "nul\x00bell\x07half\ud800",
    "",
    " ",
]


class Page(HTMLParser):
    """Reads a page; fails where its tags are not properly nested."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self._open = [], [], [], []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    def all(self, tag, attribute):
        return [found[attribute] for name, found in self.attributes if name == tag and attribute in found]


#: Keys whose texts are the rooms' own words, which nobody else can write.
OURS = {
    "format",
    "step",
    "code",
    "drawer",
    "severity",
    "kind",
    "statistic",
    "purpose",
    "anchor",
    "arm",
    "metric",
    "estimator",
}
#: Tables whose keys come from users too.
TABLES = {"synthetic", "nearest", "rejected"}


def disguised(value, disguise, *, inside=("",)):
    """Replace every text of a result that may come from a user's table, a file's name or an error."""
    if isinstance(value, dict):
        return {
            disguise(key) if inside[-1] in TABLES else key: disguised(item, disguise, inside=(*inside, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [disguised(item, disguise, inside=inside) for item in value]
    ours = inside[-1] in OURS or inside[1:] in (("reference",), ("estimators",), ("arms", "name"), ("metrics", "name"))
    return disguise(value) if isinstance(value, str) and not ours else value


@pytest.mark.parametrize("name", RESULTS)
def test_the_page_is_whole_and_needs_nothing_else(name):
    html = render(RESULTS[name])
    page = Page(html)
    assert len(html.encode()) < 3_000_000
    assert not {"script", "iframe", "img", "object", "embed", "form", "base"} & set(page.tags)
    assert not re.search(r"(?:https?:)?//\w", html)
    assert page.all("link", "href") == ["data:,"]
    targets = page.all("a", "href") + page.all("use", "href")
    ids = [found["id"] for _, found in page.attributes if "id" in found]
    assert len(ids) == len(set(ids))
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    assert all(target.startswith("#") for target in targets)
    referred = [i for _, found in page.attributes for i in found.get("aria-labelledby", "").split()]
    assert set(referred) <= set(ids)


@pytest.mark.parametrize("name", RESULTS)
def test_every_drawing_is_described_or_stands_beside_its_numbers(name):
    page = Page(render(RESULTS[name]))
    drawings = [found for tag, found in page.attributes if tag == "svg" and "x" not in found]
    assert drawings
    for found in drawings:
        assert (found.get("role") == "img") != (found.get("aria-hidden") == "true")
        assert found.get("aria-hidden") == "true" or len(found["aria-labelledby"].split()) == 2
    assert all(scope in ("row", "col") for scope in page.all("th", "scope"))
    assert len(page.all("th", "scope")) == page.tags.count("th")
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert all(found.get("tabindex", "0") == "0" for _, found in page.attributes)


@pytest.mark.parametrize("name", RESULTS)
def test_same_result_same_bytes(name):
    result = copy.deepcopy(RESULTS[name])
    first = render(result)
    assert result == RESULTS[name] or name == "large quality"  # NaN is not equal to itself
    assert first == render(json.loads(json.dumps(result)))
    assert first.endswith("</html>\n")


@pytest.mark.parametrize("name", SMALL)
def test_what_is_not_a_number_in_json_is_not_one_on_the_page(name):
    def spoil(value, other):
        if isinstance(value, dict):
            return {
                key: item if key in ("version", "n_real", "edges", "levels") else spoil(item, other)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [spoil(item, other) for item in value]
        return other if isinstance(value, float) else value

    nothing = render(spoil(SMALL[name], None))
    assert nothing == render(spoil(SMALL[name], math.nan))
    for other in (math.inf, -math.inf, 1e300, 5e-324, -0.0):
        Page(render(spoil(SMALL[name], other)))
    assert "nan" not in " ".join(Page(nothing).text).lower().split()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words(name, text):
    html = render(disguised(SMALL[name], lambda _: text))
    html.encode("utf-8")
    page = Page(html)
    assert set(page.tags) <= set(Page(render(SMALL[name])).tags) | {"bdi"}
    assert not any(key.startswith("on") for _, found in page.attributes for key in found)
    assert len(html) < 3_000_000
    if text.strip() and len(text) < 100 and text.isprintable():
        assert " ".join(text.split()) in " ".join(page.text)


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_no_word_changes_the_structure(name, texts):
    def shape(disguise):
        return Counter(tag for tag in Page(render(disguised(SMALL[name], disguise))).tags if tag != "a")

    known = {}
    plain = shape(lambda text: f"x{known.setdefault(text, len(known))}")
    assert plain == shape(lambda text: f"x{texts[known[text] % len(texts)]}{known[text]}")


def test_the_numbers_of_the_arms_are_on_the_page():
    result = examples.COMPARISON
    text = " ".join(Page(render(result)).text)
    assert result["verdict"]["sentence"] in text
    for arm in result["arms"]:
        assert arm["label"] in text
    for row in result["results"]:
        if row["metric"] == "auroc" and row["mean"] is not None:
            assert f"{row['mean']:.3f}" in text
    assert "ln 2: a constant" in text
    assert "the others are compared with this" in text


def test_every_check_is_in_its_drawer():
    page = Page(render(examples.quality()))
    text = " ".join(page.text)
    for check in examples.quality()["checks"]:
        assert ("li", {"class": "check", "id": check["code"]}) in page.attributes
        assert check["why"] in text
    anchors = {found.get("id") for _, found in page.attributes}
    assert {drawer.replace(" ", "-") for drawer in DRAWERS} <= anchors


@pytest.mark.parametrize(("code", "tone"), [("no-fault", "good"), ("not-judged", "even"), ("copies", "bad")])
def test_the_tone_follows_the_verdict(code, tone):
    result = examples.QUALITY | {"verdict": examples.QUALITY["verdict"] | {"code": code}}
    assert f"verdict {tone}" in Page(render(result)).all("section", "class")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Go on.", "<p>Go on.</p>"),
        ("makeweight a --b c", '<code>makeweight a <span class="option">--b</span> c</code>'),
        (
            "Set rows aside: makeweight split a.csv",
            '<p>Set rows aside:</p>\n<pre tabindex="0"><code>makeweight split a.csv',
        ),
    ],
)
def test_what_is_to_be_run_next_stands_out(text, shown):
    result = examples.QUALITY | {"verdict": examples.QUALITY["verdict"] | {"next": text}}
    assert shown in render(result)


def test_values_that_differ_are_marked_without_colour():
    result = copy.deepcopy(examples.QUALITY)
    result["sample"] = [
        {"group": "g", "distance": 1.0, "synthetic": {"a": "1", "b": "2"}, "nearest": {"a": "1", "b": "3"}}
    ]
    assert " ".join(Page(render(result)).text).count("≠") == 2  # in the sentence, and once in the row


def test_parts_that_could_not_be_shown_are_left_out():
    result = examples.QUALITY | dict.fromkeys(("marginals", "associations", "distances", "sample"))
    page = Page(render(result))
    assert "histogram" not in page.all("svg", "class")
    assert {"columns", "associations", "distances", "sample"}.isdisjoint(page.all("section", "id"))


def test_an_arm_that_failed_is_said_to_have():
    result = examples.comparison()
    unknown = {"mean": None, "low": None, "high": None, "difference": None}
    result["results"] = [row | unknown if row["arm"] == "smote" else row for row in result["results"]]
    text = " ".join(Page(render(result)).text)
    assert "not measured" in text
    assert "failed 3 times" in text


def test_a_ledger_of_totals_alone_is_enough():
    totals = {key: value for key, value in examples.ledger().items() if key not in ("entries", "copies")}
    assert "27,951" in render(examples.QUALITY | {"ledger": {**totals, "requested": 27951}})


def test_a_huge_comparison_stays_small():
    result = examples.comparison()
    names = [f"{estimator}{i}" for estimator in result["estimators"] for i in range(3)]
    result["results"] = [row | {"estimator": f"{row['estimator']}{i}"} for row in result["results"] for i in range(3)]
    for part in ("group_risks", "found", "curves"):
        result[part] = [row | {"estimator": f"{row['estimator']}{i}"} for row in result[part] for i in range(3)]
    result["answer"] |= {"estimator": names[0]}
    result["failures"] = []
    result |= {"estimators": names, "metrics": [*result["metrics"]] * 4}
    html = render(result)
    assert len(html.encode()) < 3_000_000
    assert "Not shown, for this page to stay small" in html


def test_many_groups_are_folded_and_few_are_side_by_side():
    result = copy.deepcopy(examples.COMPARISON)
    groups = [f"group {i}" for i in range(60)]
    risk = result["group_risks"][0]
    result["groups"] = [{"group": g, "n_real": i, "n_after": 60} for i, g in enumerate(groups)]
    result["group_risks"] = [
        risk | {"arm": arm["name"], "group": g, "log_loss": {"mean": i, "low": i, "high": i}}
        for arm in result["arms"]
        for i, g in enumerate(groups)
    ]
    text = " ".join(Page(render(result)).text)
    assert "36 more groups" in text
    assert "The 6 groups with the highest risk; 54 more are not drawn." in text


def frame(seed, n):
    rng = np.random.default_rng(seed)
    label = np.repeat(["common", "rare"], [3 * n // 4, n - 3 * n // 4])
    return pd.DataFrame({"a": rng.normal(size=n) + (label == "rare"), "b <i>": rng.normal(size=n), "y": label})


@pytest.mark.parametrize(
    ("n", "mute", "code", "tone"), [(240, [], "no-fault", "good"), (8, ["MWQ12"], "not-judged", "even")]
)
def test_a_fresh_report_is_shown(n, mute, code, tone):
    report = QualityReport(frame(0, n), frame(1, n), target="y", mute=mute)
    assert report.verdict.code == code
    page = Page(render(report.to_dict()))
    assert f"verdict {tone}" in page.all("section", "class")
    assert report.verdict.sentence in " ".join(page.text)


def test_a_fresh_comparison_is_shown():
    found = compare(
        frame(0, 200),
        target="y",
        generator="smoothed-bootstrap",
        estimators=["lr"],
        design=Design(repeats=1),
        arms=["smoothed-bootstrap"],
    )
    html = found.to_html()
    text = " ".join(Page(html).text)
    assert found.verdict.sentence in text
    assert html == render(found.to_dict())
    assert found.answer.text in text
    assert "What a written row costs beside a real one" in text
    assert len(repr(found)) < 120
    card = found._repr_html_()
    assert len(card) < 4000
    assert found.answer.text in card
    assert Page(card).tags.count("table") == 1
    rows = found.to_frame()
    assert rows.columns.tolist()[:3] == ["estimator", "arm", "metric"]
    assert len(rows) == len(found.scores.pairs) * len(found.to_dict()["metrics"])
    assert (rows["low"] <= rows["high"]).all()
    labels = [label.get_text() for label in found.plot().axes[0].get_yticklabels()]
    assert labels == ["smoothed bootstrap, balanced"]
    with pytest.raises(OptionError, match="unknown estimator"):
        found.plot("rf")
    assert "smoothed bootstrap, balanced + calibration" in text


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "makeweight.qualitty"}, "no page for such a result.*did you mean 'makeweight.quality'"),
        ({"format": None}, "no page"),
        ({"version": 3}, "another version.*got 3, expected 1"),
    ],
)
def test_other_results_are_refused(change, match):
    with pytest.raises(OptionError, match=f"(?s){match}"):
        render(examples.QUALITY | change)


@pytest.mark.parametrize("part", ["verdict", "ledger", "checks", "sample"])
def test_incomplete_results_are_refused(part):
    result = {key: value for key, value in examples.QUALITY.items() if key != part}
    with pytest.raises(OptionError, match=part):
        render(result)
