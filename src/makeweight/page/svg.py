"""SVG written by hand: elements, scales, ticks.

Positions along x are percentages of the width and heights are pixels: a drawing fills the width that it is
given, and its text and its marks keep their size. Colours are classes; the style sheet knows the schemes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from makeweight.page.words import clean, number, real_number

#: Larger values are drawn there, and smaller ones at 0; their numbers stand beside.
HUGE, TINY = 1e300, 1e-300


class Ids:
    """Hands out the ids of a page, always the same ones in the same order."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        """Return an id that this page has not seen."""
        return f"{prefix}-{next(self._numbers)}"


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """Return an element; texts are escaped, attributes that are None are left out.

    >>> print(element("text", "a < b", x="50%", class_="tick", text_anchor="middle"))
    <text x="50%" class="tick" text-anchor="middle">a &lt; b</text>
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(clean(_plain(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(clean(child) for child in children if child is not None)
    return Markup(f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>")


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def picture(ids: Ids, *children: object, title: str, description: str, **attributes: object) -> Markup:
    """Return a drawing with its title and description, for those who do not see it."""
    own = ids("picture")
    return element(
        "svg",
        element("title", title, id=f"{own}-title"),
        element("desc", description, id=f"{own}-text"),
        *children,
        role="img",
        aria_labelledby=f"{own}-title {own}-text",
        **attributes,
    )


def text_anchor(position: float, near: float) -> str:
    """Return which end of a text is at a position in percent, for the text to stay inside."""
    return "start" if position < near else "end" if position > 100 - near else "middle"


def plot_frame(
    scale: Scale, ticks: Iterable[tuple[float, str]], height: int, top: int, bottom: int, *, marks: bool = False
) -> list[Markup]:
    """Return lines at every quarter from `bottom` to `top`, and the axis below, with lines at its ticks as `marks`."""
    parts: list[Markup] = []
    for level in (0.25, 0.5, 0.75, 1.0):
        y = top + (bottom - top) * (1 - level)
        parts.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{100 * level:.0f} %", x="100%", y=y - 3, class_="height"))
    for at, text in ticks:
        if marks:
            parts.append(element("line", x1=scale.x(at), x2=scale.x(at), y1=bottom, y2=bottom + 4, class_="grid"))
        anchor = text_anchor(scale.at(at), 5)
        parts.append(element("text", text, x=scale.x(at), y=height - 6, class_="tick", text_anchor=anchor))
    return [*parts, element("line", x1=0, x2="100%", y1=bottom, y2=bottom, class_="base")]


def finite(values: Iterable[object]) -> list[float]:
    """Return the numbers among the values, infinite ones left out, huge ones brought down, tiny ones 0.

    >>> finite([1, None, float("inf"), 10**400, 5e-324])
    [1.0, 1e+300, 0.0]
    """
    kept = [v for v in values if real_number(v) and v not in (math.inf, -math.inf)]
    return [float(min(max(v, -HUGE), HUGE)) if abs(v) >= TINY else 0.0 for v in kept]


@dataclass(frozen=True)
class Scale:
    """A line from a lowest to a higher value, both within 1e300 of 0, and where a value is on it.

    `pad` percent of the width are left free at each end.
    """

    low: float
    high: float
    pad: float = 0.0

    def at(self, value: float) -> float:
        """Return the position of a value in percent; what is outside is at the end."""
        inside = min(max(value, self.low), self.high)
        part = (inside - self.low) / (self.high - self.low)
        return self.pad + part * (100 - 2 * self.pad)

    def x(self, value: float) -> str:
        """Return the position of a value as a percentage.

        >>> Scale(0, 4).x(1), Scale(0, 4).x(9)
        ('25%', '100%')
        """
        return f"{self.at(value):.2f}".rstrip("0").rstrip(".") + "%"

    def holds(self, value: float) -> bool:
        """Return whether a value is between the ends."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 4) -> list[tuple[float, str]]:
        """Return round values between the ends, at most so many, each with what is written beside it.

        >>> Scale(0.31, 0.72).ticks()
        [(0.4, '0.4'), (0.5, '0.5'), (0.6000000000000001, '0.6'), (0.7000000000000001, '0.7')]
        """
        power = math.floor(math.log10((self.high - self.low) / most))
        huge = max(abs(self.low), abs(self.high)) >= 1e7
        for digits, places in ((1, 0), (2, 0), (2.5, 1), (5, 0), (10, -1), (20, -1)):
            step = digits * 10.0**power
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first < most:
                shown = max(places, 0) if huge else min(max(places - power, 0), 12)
                return [(i * step, number(i * step, shown)) for i in range(first, last + 1)]
        return []


def scale_of(values: Sequence[object], *, include: Iterable[object] = (), pad: float = 0.0, far: float = 3.0) -> Scale:
    """Return a scale for values where a few far ones do not squeeze the others, but what is to be included is on it.

    Values further than so many interquartile ranges outside the quartiles are `far`, and off the scale. Missing and
    infinite ones are left out.

    >>> scale_of([1, 2, 3, 4, 1e6])
    Scale(low=1.0, high=4.0, pad=0.0)
    """
    numbers = sorted(finite(values))
    kept = numbers
    if len(numbers) > 3:
        lower, upper = numbers[(len(numbers) - 1) // 4], numbers[(3 * (len(numbers) - 1) + 3) // 4]
        reach = far * max(upper - lower, 0.02 * abs(upper))
        kept = [v for v in numbers if lower - reach <= v <= upper + reach] or numbers
    kept = kept + finite(include)
    low, high = (min(kept), max(kept)) if kept else (0.0, 1.0)
    if not high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    return Scale(low, high, pad)
