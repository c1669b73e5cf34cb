import re
from importlib import resources

import pytest

CSS = (resources.files("makeweight.page") / "templates" / "page.css").read_text(encoding="utf-8")
SCHEMES = ("light", "dark", "print")
#: Text on what is behind it: 4.5 in WCAG 2.2, 1.4.3.
TEXT = [
    *[(ink, paper) for ink in ("ink", "soft", "link") for paper in ("paper", "raised")],
    *[(ink, f"{tone}-paper") for tone in ("good", "caution", "bad", "even") for ink in ("ink", "link", tone)],
    *[(tone, "paper") for tone in ("good", "caution", "bad", "even", "synthetic")],
]
#: Marks of drawings: 3 in 1.4.11.
MARKS = [(mark, paper) for mark in ("real", "synthetic", "held-out", "soft") for paper in ("paper", "raised")]


def block(selector):
    """Return the declarations of the first block with a selector."""
    begin = CSS.index(selector) + len(selector)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", CSS[begin : CSS.index("}", begin)]))


def colours(scheme):
    light = block(":root {")
    if scheme == "light":
        return light
    if scheme == "dark":
        return light | block("@media screen and (prefers-color-scheme: dark) {")
    return light | block("@media print {\n  :root {")


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_the_guidelines_say():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_the_dark_scheme_changes_every_colour():
    assert set(colours("dark")) == set(colours("light"))
    assert all(colours("dark")[name] != colour for name, colour in colours("light").items())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("least", "pairs"), [(4.5, TEXT), (3.0, MARKS)], ids=["text", "marks"])
def test_contrast(scheme, least, pairs):
    found = colours(scheme)
    low = {(a, b): contrast(found[a], found[b]) for a, b in pairs if contrast(found[a], found[b]) < least}
    assert not low


def test_every_colour_is_a_variable():
    begin = CSS.index("/* Type and page */")
    assert not re.findall(r"(?:#[0-9a-f]{3,8}\b|rgb|hsl)", CSS[begin : CSS.index("@media print")])


def test_the_style_loads_nothing():
    assert "@import" not in CSS
    assert "@font-face" not in CSS
    assert set(re.findall(r"url\([^)]*\)", CSS)) == {"url(#hatch)"}
