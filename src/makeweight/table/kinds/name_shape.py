"""The shape that names of rows have in common, and new names of that shape."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

__all__ = ["NameShape"]

#: Fewer names than this share characters by chance.
ENOUGH = 20
#: Different characters in one place, at most, where a format allows no others.
FEW_CHARACTERS = 5
#: Longer numbers within a name are drawn digit by digit.
MOST_DIGITS = 15
#: First and last character of a class, and how many of it are hexadecimal digits.
CLASSES = (("0", "9", 10), ("a", "z", 6), ("A", "Z", 6))
NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class NameShape:
    """What names have in common: characters at both ends, numbers within bounds, few characters in a place.

    A digit stays a digit and a letter a letter of the same case. Where all names hold the same number of numbers
    (2020-W07-3), each number stays between its least and its largest.
    """

    real: tuple[str, ...]
    keep: int  # characters that all begin with
    end: int  # characters that all end in
    hexadecimal: bool
    bounds: (
        tuple[tuple[int, int], ...] | None
    )  # of the numbers of a name, None where names differ in how many they hold
    padded: tuple[bool, ...] = ()  # whether such a number has leading zeros

    @classmethod
    def of(cls, real: list[str]) -> Self:
        """Read the shape off names."""
        keep, end = (common(real), common([value[::-1] for value in real])) if len(real) >= ENOUGH else (0, 0)
        end = min(end, min(map(len, real)) - keep)
        inner = set(chain.from_iterable(value[keep : len(value) - end].casefold() for value in real))
        numbers = [NUMBER.findall(value) for value in real]
        n = len(numbers[0])
        several = len(real) >= ENOUGH and n and all(len(row) == n for row in numbers)
        if not several or max(map(len, chain.from_iterable(numbers))) > MOST_DIGITS:
            return cls(tuple(real), keep, end, inner <= set("0123456789abcdef-:."), None)
        fields = list(zip(*numbers, strict=True))
        bounds = tuple((min(map(int, field)), max(map(int, field))) for field in fields)
        padded = tuple(any(len(text) > 1 and text[0] == "0" for text in field) for field in fields)
        return cls(tuple(real), keep, end, inner <= set("0123456789abcdef-:."), bounds, padded)

    @property
    def bits(self) -> float:
        """How much chance there is, at least, in what is drawn anew."""
        in_numbers = sum(math.log2(high - low + 1) for low, high in self.bounds or ())
        places = self._places()
        least = math.inf
        for value in self.real:
            bits = in_numbers
            for place in range(self.keep, len(value) - self.end):
                first = next((c for c in CLASSES if c[0] <= value[place] <= c[1]), None)
                if first is None or (first[0] == "0" and self.bounds is not None):
                    continue
                few = places.get(place)
                wide = ord(first[1]) - ord(first[0]) + 1
                bits += math.log2(len(few) if few is not None else first[2] if self.hexadecimal else wide)
            least = min(least, bits)
        return least

    def draw(self, n: int, rng: np.random.Generator, widen: int = 1) -> list[str]:
        """Draw `n` names, of which some may be equal; `widen`: how much further the widest of the numbers may lie."""
        every = np.array(self.real, dtype=np.str_)
        templates = every[rng.integers(0, len(self.real), n)]
        width = max(1, templates.dtype.itemsize // 4)
        letters = np.ascontiguousarray(templates).view(np.uint32).reshape(n, width).copy()
        fixed = letters.copy()
        for first, last, in_hex in CLASSES:
            last_here = chr(ord(first) + in_hex - 1) if self.hexadecimal else last
            here = (letters >= ord(first)) & (letters <= ord(last_here))
            letters[here] = rng.integers(ord(first), ord(last_here) + 1, int(here.sum()), dtype=np.uint32)
        if len(self.real) >= ENOUGH:
            until = np.array([[len(value)] for value in templates.tolist()]) - self.end
            places = np.arange(width)
            letters = np.where((places < self.keep) | (places >= until), fixed, letters)
            for place, seen in self._places().items():
                letters[:, place] = fixed[:, place] if len(seen) == 1 else rng.choice(seen, n)
        values = [str(value) for value in letters.view(f"U{width}").ravel()]
        return values if self.bounds is None else _with_numbers(values, self.bounds, self.padded, rng, widen)

    def _places(self) -> dict[int, np.ndarray]:
        """Return the characters of places that have few, in names of one length."""
        if len(self.real) < ENOUGH or len({len(value) for value in self.real}) > 1:
            return {}
        known = np.array(self.real, dtype=np.str_).view(np.uint32).reshape(len(self.real), -1)
        columns = {place: np.unique(known[:, place]) for place in range(self.keep, known.shape[1])}
        return {place: seen for place, seen in columns.items() if len(seen) <= FEW_CHARACTERS}


def _with_numbers(
    values: list[str],
    bounds: tuple[tuple[int, int], ...],
    padded: tuple[bool, ...],
    rng: np.random.Generator,
    widen: int,
) -> list[str]:
    """Replace the numbers of names by numbers within their bounds."""
    widest = max(range(len(bounds)), key=lambda i: bounds[i][1] - bounds[i][0])
    drawn = []
    for i, (low, high) in enumerate(bounds):
        above = low + (high - low + 1) * (widen if i == widest else 1)
        drawn.append(rng.integers(low, above, len(values)).tolist())
    out = []
    for value, *numbers in zip(values, *drawn, strict=True):
        pieces = NUMBER.split(value)
        if len(pieces) == 2 * len(numbers) + 1:
            for i, number in enumerate(numbers):
                pieces[2 * i + 1] = f"{number:0{len(pieces[2 * i + 1])}d}" if padded[i] else str(number)
        out.append("".join(pieces))
    return out


def common(real: list[str]) -> int:
    """Return how many characters all strings begin with.

    >>> common(["K17", "K18"])
    2
    """
    low, high = min(real), max(real)
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
