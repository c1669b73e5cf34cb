"""IPv4 addresses: four numbers below 256, which are one whole number."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import numpy as np
import pandas as pd
import pyarrow as pa

from makeweight.table.spelling.base import fields_of, whole

NUMBER = r"0|[1-9]\d{0,2}"
PATTERN = r"\.".join(f"(?P<b{i}>{NUMBER})" for i in range(4))


@dataclass(frozen=True)
class AddressSpelling:
    """How a column writes IPv4 addresses."""

    after: str = ""  # what stands behind every address: a port, a width of the network

    @property
    def form(self) -> str:
        """An example."""
        return f"10.0.0.7{self.after}"

    @property
    def what(self) -> str:
        """What the values are, for people."""
        return "IPv4 addresses"

    def read(self, texts: pa.Array) -> pd.Series:
        """Return addresses as whole numbers, missing where a text is none."""
        fields = fields_of(texts, rf"{PATTERN}(?P<after>[/:]\d{{1,5}})?")
        parts = [whole(fields[f"b{i}"]) for i in range(4)]
        fits = np.all([(part >= 0) & (part < 256) for part in parts], axis=0)
        fits &= np.array([(text or "") == self.after for text in fields["after"].to_pylist()], dtype=bool)
        number = parts[0] * 2**24 + parts[1] * 2**16 + parts[2] * 2**8 + parts[3]
        return pd.Series(pd.arrays.IntegerArray(np.where(fits, number, 0), ~fits))

    def write(self, values: pd.Series) -> list[str]:
        """Return whole numbers as addresses."""
        return [f"{IPv4Address(int(value))}{self.after}" for value in values.tolist()]


def spelled_addresses(texts: pa.Array) -> AddressSpelling | None:
    """Return how a column writes IPv4 addresses, None where it holds others."""
    after = fields_of(texts[:1], r"[\d.]+(?P<after>[/:]\d{1,5})?")["after"][0].as_py() or ""
    spelling = AddressSpelling(after)
    return None if spelling.read(texts).isna().any() else spelling
