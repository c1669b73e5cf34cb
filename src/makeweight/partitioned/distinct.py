"""The different values of a column, in bounded memory, whatever the order in which pieces of it are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.types as kinds

from makeweight.generators.check import mix

#: Values of a column that take more bytes than this are no categories, and are let go.
MAX_BYTES = 2**25
HASHES = 2.0**64


@dataclass(frozen=True)
class Distinct:
    """All different values up to a limit; beyond it those with the smallest hashes, which are a fair sample.

    The union of two pieces' smallest hashes holds the smallest of both together, so that the result is a
    function of the values alone. Source: bottom-k sketches (Cohen and Kaplan 2007, Beyer et al. 2007).
    """

    limit: int
    hashes: np.ndarray  # uint64, shape (at most limit,): ascending
    counts: np.ndarray  # int64, shape (at most limit,): how often each of them occurs
    values: Any  # the values; None once there are more than `limit` or they are large
    is_cut: bool = False  # whether there are more than `limit`

    @classmethod
    def of(cls, hashes: np.ndarray, counts: np.ndarray, values: pa.Array | None, limit: int) -> Distinct:
        """Keep the smallest of some hashes, which may occur several times."""
        kept, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        counts = np.bincount(inverse, weights=counts, minlength=len(kept)).astype(np.int64)
        is_cut = len(kept) > limit
        if values is not None:
            values = None if is_cut or values.nbytes > MAX_BYTES else values.take(pa.array(first))
        return cls(limit, kept[:limit], counts[:limit], values, is_cut)

    def merge(self, other: Distinct) -> Distinct:
        """Return what is known of both pieces together."""
        hashes = np.concatenate([self.hashes, other.hashes])
        counts = np.concatenate([self.counts, other.counts])
        values = None
        if self.values is not None and other.values is not None:
            values = pa.concat_arrays([self.values, other.values])
        merged = Distinct.of(hashes, counts, values, self.limit)
        is_cut = self.is_cut or other.is_cut or merged.is_cut
        return Distinct(self.limit, merged.hashes, merged.counts, merged.values, is_cut)

    @property
    def all_differ(self) -> bool:
        """Whether every value occurs once: of all values up to the limit, of the sample beyond it."""
        return bool((self.counts == 1).all())

    def number(self, n_present: int) -> int:
        """Return how many different values there are: exact up to the limit, an estimate beyond it.

        The estimate's relative standard error is 1 / sqrt(limit).
        """
        if not self.is_cut:
            return len(self.hashes)
        if self.all_differ:
            return n_present
        return min(n_present - 1, round((len(self.hashes) - 1) * HASHES / float(self.hashes[-1])))


def hashes_of(values: pa.Array) -> np.ndarray:
    """Return a 64-bit hash of every value of an Arrow array without missing values."""
    dtype = values.type
    if kinds.is_floating(dtype) or kinds.is_integer(dtype):
        numbers = values.to_numpy(zero_copy_only=False)
        numbers = numbers.astype(np.float64) if kinds.is_floating(dtype) else numbers
    elif kinds.is_boolean(dtype):
        numbers = values.cast(pa.int8()).to_numpy(zero_copy_only=False)
    elif kinds.is_temporal(dtype):
        numbers = values.view(pa.int32() if dtype.bit_width == 32 else pa.int64()).to_numpy()
    else:
        texts = values.cast(pa.string()) if kinds.is_decimal(dtype) else values
        objects = texts.to_numpy(zero_copy_only=False).astype(object)
        numbers = pd.util.hash_array(objects, categorize=False)
    return mix(np.zeros(len(values), dtype=np.uint64), "value", numbers)
