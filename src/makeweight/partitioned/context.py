"""The second reading: a sample to learn from, and fingerprints of real rows to know copies by."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from makeweight.generators.check import Checker, fingerprints, mix
from makeweight.partitioned.distinct import HASHES, Distinct
from makeweight.partitioned.shared import Shared
from makeweight.partitioned.source import SourcePart, batches, to_frame
from makeweight.partitioned.survey import Survey
from makeweight.plan import Groups
from makeweight.rules import Constraint, check_rows
from makeweight.table import Schema, Table
from makeweight.table.files import replace_file

#: Different rows of which the copies are counted.
ROWS = 2**17
#: Fingerprints in one file of the index on average: 8 MiB of them.
BUCKET = 2**20


@dataclass(frozen=True)
class SecondReading:
    """What the tasks of the second reading share."""

    schema: Schema
    arrow: pa.Schema
    groups: Groups  # with the counts of the whole table
    chances: np.ndarray  # uint64, shape (n_groups,): a row is a candidate for the sample when its lot is at most this
    limit: int  # rows per group in the sample
    seed: int
    targeted: np.ndarray  # bool, shape (n_groups,): groups that get synthetic rows
    folder: str  # where the fingerprints are written
    rules: tuple[Constraint, ...] = ()  # that every row obeys

    @classmethod
    def of(cls, survey: Survey, *, limit: int, seed: int, targeted: np.ndarray, folder: str) -> SecondReading:
        """Work out the chances: all rows of rare groups, a few more than the limit of common ones."""
        wanted = limit + 6 * np.sqrt(limit) + 10
        share = np.minimum(1.0, wanted / np.maximum(survey.groups.counts, 1))
        chances = np.where(share >= 1, np.uint64(2**64 - 1), (share * HASHES * (1 - 1e-9)).astype(np.uint64))
        read = (survey.schema, survey.source.schema, survey.groups)
        return cls(*read, chances, limit, seed, targeted, folder, survey.rules)


@dataclass(frozen=True)
class SampleTask:
    """A part to be read for the sample."""

    part: SourcePart
    number: int
    reading: Shared  # a `SecondReading`


@dataclass(frozen=True)
class SampleCandidates:
    """Candidates for the sample, and a count of different rows."""

    rows: pa.Table
    offsets: np.ndarray  # their positions in the whole table
    #: what decides who is drawn, and the group of every row
    lots: np.ndarray
    positions: np.ndarray
    prints: Distinct  # fingerprints of all rows

    def merge(self, other: SampleCandidates) -> SampleCandidates:
        """Return the candidates of both pieces."""
        return SampleCandidates(
            pa.concat_tables([self.rows, other.rows]),
            np.concatenate([self.offsets, other.offsets]),
            np.concatenate([self.lots, other.lots]),
            np.concatenate([self.positions, other.positions]),
            self.prints.merge(other.prints),
        )

    def sample(self, limit: int) -> pa.Table:
        """Return the rows with the smallest lots of every group, in the order of the table."""
        order = np.lexsort((self.offsets, self.lots, self.positions))
        positions = self.positions[order]
        rank = np.arange(len(order)) - np.searchsorted(positions, positions)
        drawn = order[rank < limit]
        return self.rows.take(pa.array(drawn[np.argsort(self.offsets[drawn])]))


def draw(task: SampleTask) -> SampleCandidates:
    """Read one part: check the rules, draw candidates, write the fingerprints of rows in groups that get new ones."""
    reading: SecondReading = task.reading.read()
    candidates: list[SampleCandidates] = []
    prints: list[np.ndarray] = []
    for offset, table in batches(task.part, reading.arrow):
        real = Table(to_frame(table), reading.schema)
        check_rows(real, reading.rules, offset)
        local = Groups(real)
        positions = np.array([reading.groups.position(key) for key in local.keys])[local.codes]
        rows = fingerprints(real, positions)
        prints.append(rows[reading.targeted[positions]])
        offsets = np.arange(offset, offset + len(real))
        lots = mix(np.zeros(len(real), dtype=np.uint64), ("context", reading.seed), offsets)
        kept = np.flatnonzero(lots <= reading.chances[positions])
        counted = Distinct.of(rows, np.ones(len(rows)), None, ROWS)
        candidates.append(
            SampleCandidates(table.take(pa.array(kept)), offsets[kept], lots[kept], positions[kept], counted)
        )
    if reading.targeted.any():
        _save(_unsorted(reading.folder, task.number), np.unique(np.concatenate(prints)))
    return merged(candidates)


@dataclass(frozen=True)
class BucketTask:
    """One range of fingerprints to be brought together from the files of all parts."""

    folder: str
    n_parts: int
    number: int
    n_buckets: int

    @classmethod
    def all(cls, folder: str, n_parts: int, n_rows: int) -> list[BucketTask]:
        """Return as many ranges as hold `n_rows` fingerprints in files of a bounded size."""
        n_buckets = -(-n_rows // BUCKET)
        return [cls(folder, n_parts, number, n_buckets) for number in range(n_buckets)]


def sort_bucket(task: BucketTask) -> int:
    """Write the different fingerprints of one range in ascending order, and return how many they are."""
    edges = [_edge(number, task.n_buckets) for number in (task.number, task.number + 1)]
    pieces = []
    for number in range(task.n_parts):
        part = np.load(_unsorted(task.folder, number), mmap_mode="r")
        first = np.searchsorted(part, np.uint64(edges[0]))
        last = len(part) if edges[1] >= 2**64 else np.searchsorted(part, np.uint64(edges[1]))
        pieces.append(np.array(part[first:last]))
    prints = np.unique(np.concatenate(pieces))
    _save(_sorted(task.folder, task.number), prints)
    return len(prints)


class WholeTableChecker(Checker):
    """Checks rows for copies of any real row, though it was given a sample.

    The fingerprints of all real rows lie sorted on disk, in ranges; what is looked up is read from there.

    `n_real`: rows of the whole table. `duplicate_share`: share of them that repeat another one.
    """

    def __init__(self, *checked: Any, n_real: int, duplicate_share: float, folder: str, n_buckets: int) -> None:
        super().__init__(*checked)
        self.n_real = n_real
        self.duplicate_share = duplicate_share
        self.folder, self.n_buckets = folder, n_buckets

    def prepare(self) -> None:
        """Decide whether copies are rejected."""
        _ = self.rejects_copies

    def _are_real(self, position: int, prints: np.ndarray) -> np.ndarray:
        """Tell which fingerprints are those of real rows; they hold their group."""
        order = np.argsort(prints)
        asked = prints[order]
        is_real = np.zeros(len(prints), dtype=bool)
        edges = [_edge(number, self.n_buckets) for number in range(1, self.n_buckets)]
        starts = [0, *np.searchsorted(asked, np.array(edges, dtype=np.uint64)).tolist(), len(asked)]
        for number in range(self.n_buckets):
            here = slice(starts[number], starts[number + 1])
            if here.start == here.stop:
                continue
            real = np.load(_sorted(self.folder, number), mmap_mode="r")
            if not len(real):
                continue
            where = np.searchsorted(real, asked[here])
            is_real[order[here]] = np.asarray(real[np.minimum(where, len(real) - 1)] == asked[here])
        return is_real


def duplicate_share(prints: Distinct, n_rows: int) -> float:
    """Return the share of rows that repeat another one."""
    return 1.0 - prints.number(n_rows) / n_rows


def clear(folder: str, n_parts: int) -> None:
    """Remove the fingerprints of single parts, once they are sorted."""
    for number in range(n_parts):
        _unsorted(folder, number).unlink(missing_ok=True)


def merged(candidates: Iterable[SampleCandidates]) -> SampleCandidates:
    """Return the candidates of all parts."""
    return functools.reduce(SampleCandidates.merge, candidates)


def _edge(number: int, n_buckets: int) -> int:
    return number * 2**64 // n_buckets


def _unsorted(folder: str, number: int) -> Path:
    return Path(folder) / f"part-{number:06d}.npy"


def _sorted(folder: str, number: int) -> Path:
    return Path(folder) / f"real-{number:06d}.npy"


def _save(path: Path, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values)
    replace_file(path, lambda stream: stream.write(buffer.getbuffer()))
