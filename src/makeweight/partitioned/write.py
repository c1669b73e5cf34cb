"""Writing part files, each by itself: copies of the real ones, and synthetic ones."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet

from makeweight.errors import GeneratorError
from makeweight.generators.base import Generator
from makeweight.generators.check import Checker
from makeweight.generators.fill import Generation, Limits, ShortfallWarning, fill
from makeweight.generators.ledger import LedgerEntry, accounts_of
from makeweight.partitioned.folder import PartAccount, PartRecord, record_of, write_json
from makeweight.partitioned.identifiers import FreshNames
from makeweight.partitioned.shared import Shared
from makeweight.partitioned.source import to_arrow
from makeweight.partitioned.teaching import WEIGHT, Teacher
from makeweight.plan import GroupPlan, Groups, Plan
from makeweight.table import Table
from makeweight.table.files import replace_file
from makeweight.table.records import typed

#: Keeps the streams of the parts apart from that of the fit.
PART_STREAM = 2


@dataclass(frozen=True)
class Piece:
    """The rows of one synthetic part file."""

    number: int
    wants: tuple[tuple[int, int, int], ...]  # position of a group in the plan, rows to balance it, further rows
    before: int  # rows in earlier parts


@dataclass(frozen=True)
class Job:
    """All that it takes to write any synthetic part."""

    generator: Generator  # fitted
    name: str  # of the generator
    table: Table  # the sample that it was fitted to
    groups: Groups  # of the sample
    plan: Plan  # of the whole table
    checker: Checker
    names: FreshNames
    arrow: pyarrow.Schema
    entropy: int
    taught: Teacher | None = None  # who labels the rows

    def rows(self, generation: Generation) -> pyarrow.Table:
        """Return the rows of a part file: as they were written, or once per label."""
        if self.taught is None:
            return to_arrow(generation.frame, self.arrow)
        return self.taught.label(generation.frame, self.arrow)

    def generate(self, piece: Piece) -> Generation:
        """Write the rows of one piece: a function of seed, groups and the piece's number alone."""
        whole = self.plan.groups
        wants = (
            GroupPlan(whole[position].group, whole[position].n_real, n_balance, n_augment)
            for position, n_balance, n_augment in piece.wants
        )
        plan = Plan(tuple(wants), self.plan.columns)
        seed = np.random.SeedSequence(self.entropy, spawn_key=(PART_STREAM, piece.number))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ShortfallWarning)  # one warning for all parts together
                generation = fill(
                    self.generator,
                    self.table,
                    plan,
                    seed=seed,
                    groups=self.groups,
                    name=self.name,
                    limits=Limits(on_shortfall="warn"),
                    checker=self.checker,
                    identifiers=lambda column, n, rng: self.names.make(column, n, rng, piece.before),
                )
        except GeneratorError as error:
            if error.generation is None:
                raise
            generation = error.generation  # without a row; the ledger says why
        if generation.ledger.interrupted:
            raise KeyboardInterrupt
        return generation


@dataclass(frozen=True)
class CopyTask:
    """A real part file to be copied, byte for byte, or with what its rows weigh."""

    #: file, folder, and the name in it
    source: str
    output: str
    name: str
    job: Shared | None = None  # a `Job` with a teacher, which says what the rows weigh


@dataclass(frozen=True)
class WriteTask:
    """A synthetic part file to be written."""

    output: str
    name: str
    piece: Piece
    job: Shared  # a `Job`


def write(task: CopyTask | WriteTask) -> PartRecord:
    """Write one part file and a record of it; where both are there already, only return the record.

    A file appears under its name when it is complete, and its record after that, so that a worker may be
    killed at any time, and a task may run twice.
    """
    path = Path(task.output) / task.name
    record_path = record_of(Path(task.output), task.name)
    known = _valid(path, record_path)
    if known is not None:
        return known
    generation: Generation | None = None
    ledger: tuple[PartAccount, ...] = ()
    if isinstance(task, CopyTask) and task.job is not None:
        weighing: Job = task.job.read()
        replace_file(path, lambda stream: _write_weighed(weighing, task.source, stream))
    elif isinstance(task, CopyTask):
        with Path(task.source).open("rb") as source:
            replace_file(path, lambda stream: shutil.copyfileobj(source, stream, 2**20))
    else:
        job: Job = task.job.read()
        generation = job.generate(task.piece)
        table = job.rows(generation)
        replace_file(path, lambda stream: _write_parquet(table, stream))
        by_group = {job.plan.groups[position].group: position for position, *_ in task.piece.wants}
        accounts = ({"position": by_group[e.group], **e.to_dict()} for e in generation.ledger)
        ledger = tuple(typed(PartAccount, account) for account in accounts)
    record = PartRecord(
        task.name,
        "real" if generation is None else "synthetic",
        pyarrow.parquet.read_metadata(path).num_rows,
        path.stat().st_size,
        _digest(path),
        ledger,
        () if generation is None else generation.notes,
        None if generation is None else round(generation.seconds, 3),
    )
    write_json(record_path, record.to_dict())
    return record


def _write_parquet(table: Any, stream: IO[bytes]) -> None:
    pyarrow.parquet.write_table(table, stream)


def _write_weighed(job: Job, source: str, stream: IO[bytes]) -> None:
    """Write a real part file with the column of weights."""
    assert job.taught is not None
    schema = job.arrow.append(pyarrow.field(WEIGHT, pyarrow.float64()))
    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        for table in job.taught.real(source, job.arrow):
            writer.write_table(table)


def _valid(path: Path, record_path: Path) -> PartRecord | None:
    """Return the record of a part that is there and is what was recorded."""
    if not record_path.is_file() or not path.is_file():
        return None
    known = PartRecord.read(record_path)
    return known if path.stat().st_size == known.bytes and _digest(path) == known.sha256 else None


def is_recorded(output: Path, name: str) -> bool:
    """Tell whether a part file is there and is what was recorded."""
    return _valid(output / name, record_of(output, name)) is not None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pieces_of(plan: Plan, rows_per_part: int) -> Iterator[Piece]:
    """Cut a plan into pieces of a size; small groups share one.

    >>> plan = Plan((GroupPlan(("a",), 9, 0, 1), GroupPlan(("b",), 4, 5, 1)), ("y",))
    >>> [piece.wants for piece in pieces_of(plan, 3)]
    [((0, 0, 1), (1, 2, 0)), ((1, 3, 0),), ((1, 0, 1),)]
    """
    number = before = 0
    wants: dict[tuple[int, int], int] = {}
    room = rows_per_part
    for position, entry in enumerate(plan):
        for purpose, n in enumerate((entry.n_balance, entry.n_augment)):
            left = n
            while left:
                taken = min(left, room)
                wants[position, purpose] = taken
                left -= taken
                room -= taken
                if not room:
                    yield _piece(number, wants, before)
                    number, before = number + 1, before + rows_per_part
                    wants, room = {}, rows_per_part
    if wants:
        yield _piece(number, wants, before)


def _piece(number: int, wants: dict[tuple[int, int], int], before: int) -> Piece:
    positions = dict.fromkeys(position for position, _ in wants)
    rows = tuple((position, wants.get((position, 0), 0), wants.get((position, 1), 0)) for position in positions)
    return Piece(number, rows, before)


def entries_of(plan: Plan, records: Sequence[PartRecord]) -> tuple[LedgerEntry, ...]:
    """Add up the accounts of all parts: one per group and purpose, as for a table in memory."""
    total = {(position, entry.purpose): entry for position, entry in accounts_of(plan)}
    for record in records:
        for account in record.ledger:
            entry = total[account.position, account.purpose]
            entry.accepted += account.accepted
            entry.proposed += account.proposed
            entry.copies += account.copies
            entry.rounds += account.rounds
            entry.seconds += account.seconds
            entry.rejected.update(Counter(account.rejected))
            if entry.stopped in ("not started", "full"):
                entry.stopped = account.stopped
    return tuple(total.values())
