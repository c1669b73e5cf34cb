"""Numbers with an exponent: 1.553e+02."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.table.spelling.base import fields_of

__all__ = ["spelled_scientific"]

PATTERN = r"(?P<number>[+-]?\d(?:\.(?P<decimals>\d+))?(?P<letter>[eE])(?P<sign>[+-]?)(?P<exponent>\d{1,3}))"


@dataclass(frozen=True)
class ScientificSpelling:
    """How a column writes numbers with an exponent."""

    decimals: int
    letter: str = "e"
    plus: bool = True  # whether an exponent above zero has a sign as well
    width: int = 2  # digits of the exponent, at least

    @property
    def form(self) -> str:
        """An example."""
        return self.write(pd.Series([1234567.0]))[0]

    @property
    def what(self) -> str:
        """What the values are, for people."""
        return f"numbers written like {self.form}"

    def read(self, texts: pa.Array) -> pd.Series:
        """Return Float64 values, missing where a text is no number of this style."""
        values = pc.cast(fields_of(texts, PATTERN)["number"], pa.float64())
        return pd.Series(pd.arrays.FloatingArray(np.asarray(values.fill_null(0)), np.asarray(values.is_null())))

    def write(self, values: pd.Series) -> list[str]:
        """Return numbers in the column's style."""
        return [self._text(value) for value in values.tolist()]

    def _text(self, value: float) -> str:
        mantissa, _, exponent = f"{value + 0.0:.{self.decimals}e}".partition("e")
        sign = "-" if exponent[0] == "-" else "+" if self.plus else ""
        return f"{mantissa}{self.letter}{sign}{exponent[1:].lstrip('0').zfill(self.width)}"


def spelled_scientific(texts: pa.Array) -> ScientificSpelling | None:
    """Return how a column writes numbers with an exponent, None where it holds others.

    Without decimals and without a sign, as in 2e5, they may as well be names.

    >>> spelled_scientific(pa.array(["1.50e+05", "2.25e-03"], pa.large_string())).form
    '1.23e+06'
    """
    parts = fields_of(texts, PATTERN)
    if parts["number"].null_count:
        return None
    decimals, letters = (pc.unique(field).to_pylist() for field in (pc.utf8_length(parts["decimals"]), parts["letter"]))
    above = parts["sign"].filter(pc.not_equal(parts["sign"], "-")).unique().to_pylist()
    signs = pc.any(pc.not_equal(parts["sign"], "")).as_py()
    if len(decimals) > 1 or len(letters) > 1 or len(above) > 1 or not (decimals[0] or signs):
        return None
    width = pc.min(pc.utf8_length(parts["exponent"])).as_py()
    spelling = ScientificSpelling(decimals[0] or 0, letters[0], above != [""], width)
    return spelling if np.isfinite(spelling.read(texts).to_numpy(float)).all() else None
