"""Balancing a partitioned table from end to end."""

from __future__ import annotations

import copy
import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

import makeweight.partitioned.context as context
import makeweight.partitioned.folder as folder
from makeweight.engine import check_engine
from makeweight.errors import OptionError
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator, traits_of
from makeweight.generators.check import CopyPolicy
from makeweight.generators.ledger import Ledger
from makeweight.generators.registry import names as generator_names
from makeweight.generators.registry import resolve, stated_options
from makeweight.generators.writing import FIT_STREAM
from makeweight.partitioned.identifiers import FreshNames
from makeweight.partitioned.result import PartitionedGeneration, tell_shortfall
from makeweight.partitioned.shared import Shared
from makeweight.partitioned.source import Source, to_frame
from makeweight.partitioned.survey import Survey, Watch, results, survey
from makeweight.partitioned.write import CopyTask, Job, WriteTask, entries_of, is_recorded, pieces_of, write
from makeweight.plan import Groups, Strategy
from makeweight.table import Table

__all__ = ["balance_partitions"]

ROWS_PER_PART = 100_000
#: Rows to learn from: of one group, of all groups, and of one group however many groups there are.
PER_GROUP, IN_ALL, AT_LEAST = 10_000, 200_000, 100


def balance_partitions(
    source: str | Path,
    output: str | Path,
    *,
    target: str,
    group_by: Sequence[str] = (),
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    sampling_strategy: Strategy = "auto",
    augment: int = 0,
    kinds: Mapping[str, str] | None = None,
    copies: CopyPolicy = "auto",
    on_shortfall: Literal["raise", "warn"] = "raise",
    synthetic_only: bool = False,
    rows_per_part: int = ROWS_PER_PART,
    context_rows: int = PER_GROUP,
    seed: int | None = None,
    engine: str = "local",
    n_jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    watch: Watch | None = None,
) -> PartitionedGeneration:
    """Write the rows that a table of any length is missing.

    The table is read twice, in pieces: for schema and groups, then for a sample and the fingerprints of the
    real rows. The generator is fitted once, to the sample. Then every part file is written by itself. No step
    holds more than a piece, the sample and the facts in memory.

    Parameters
    ----------
    source : str or Path
        A Parquet file, or a folder of part files.
    output : str or Path
        Folder for copies of the real part files, the synthetic ones, and ``_makeweight.json``, which tells of
        them. Every worker has to see both under the same paths.
    target : str
    group_by : sequence of str
    generator : str or Generator
    options : mapping of str to object, optional
    sampling_strategy : str, float or mapping
    augment : int
    kinds : mapping of column to kind, optional
    copies : {"auto", "reject", "accept"}
    on_shortfall : {"raise", "warn"}
        With "raise" the parts are kept, and `resume` with "warn" finishes the folder.
    synthetic_only : bool
        Leave the real part files out.
    rows_per_part : int
        Of synthetic part files.
    context_rows : int
        Rows of each group in the sample at most; fewer where groups are many.
    seed : int, optional
    engine : str
        "local", or the scheduler of a Dask cluster: "dask://HOST:PORT".
    n_jobs : int
        Processes of the local engine.
    resume : bool
        Go on with a folder that the same request began.
    force : bool
        Replace a folder that makeweight wrote.
    watch : callable, optional
        Called with the name of a step, and how many of how many parts are done.

    Returns
    -------
    PartitionedGeneration

    Raises
    ------
    FileProblem
        When there is no input, or something in the way of the output.
    SchemaError, PlanError, OptionError
        When table, groups or parameters do not fit.
    GeneratorError
        When the generator cannot learn from the sample.
    GenerationShortfall
        When fewer rows than asked for could be accepted.

    Notes
    -----
    The rows are a function of the table, the request and the seed. How the table is cut into files and row
    groups, the engine, and the number of workers do not matter.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5, 5.5], "y": ["a", "a", "a", "a", "b"]})
    >>> frame.to_parquet(folder / "big.parquet", row_group_size=2)
    >>> made = balance_partitions(folder / "big.parquet", folder / "out", target="y", seed=0)
    >>> made.ledger.accepted, [part["name"] for part in made.parts]
    (3, ['big.parquet', 'synthetic-00000.parquet'])
    >>> pd.read_parquet(folder / "out")["y"].value_counts().to_dict()
    {'a': 4, 'b': 4}
    """
    start = time.perf_counter()
    output = Path(output)
    _check_numbers(rows_per_part, context_rows, seed, on_shortfall)
    check_engine(engine)
    name = generator if isinstance(generator, str) else type(generator).__name__
    if name in generator_names("remote"):
        raise OptionError(
            "a generator that asks an endpoint does not write parts apart from each other",
            got=name,
            hint="choose another generator, or leave out the engine",
        )
    chosen = copy.deepcopy(resolve(generator, options))
    pieces = Source.open(source)
    asked = {
        "source": [[Path(file).name, Path(file).stat().st_size] for file in pieces.files],
        "target": target,
        "group_by": list(group_by),
        "kinds": dict(kinds or {}),
        "generator": name,
        "options": stated_options(options),
        "strategy": repr(sampling_strategy),
        "augment": augment,
        "copies": copies,
        "seed": seed,
        "rows_per_part": rows_per_part,
        "context_rows": context_rows,
        "synthetic_only": synthetic_only,
        "version": version("makeweight"),
    }
    folder.check(output, Path(source), asked, resume=resume, force=force)
    if asked["seed"] is None:
        asked["seed"] = secrets.randbits(32)
    found = survey(
        pieces,
        target=target,
        group_by=group_by,
        kinds=kinds,
        sampling_strategy=sampling_strategy,
        augment=augment,
        engine=engine,
        n_jobs=n_jobs,
        watch=watch,
    )
    work = folder.begin(output, asked, resume=resume)
    run = _Run(found, output, work, asked, engine, n_jobs, watch)
    records = run.write(chosen, name)
    result = run.result(records, name, time.perf_counter() - start)
    tell_shortfall(result, on_shortfall)
    folder.finish(output, {"makeweight": 1, "asked": asked, **result.to_dict()})
    return result


@dataclass(frozen=True)
class _Run:
    """One request: what was found, and where the work is done."""

    found: Survey
    output: Path
    work: Path
    asked: dict[str, Any]
    engine: str
    n_jobs: int
    watch: Watch | None

    @property
    def limit(self) -> int:
        """Rows of a group to learn from at most."""
        return min(int(self.asked["context_rows"]), max(AT_LEAST, IN_ALL // len(self.found.groups)))

    def spread(self, function: Callable[[Any], Any], tasks: Sequence[Any], step: str) -> Iterator[Any]:
        """Yield the results of tasks in any order."""
        return results(function, tasks, self.engine, self.n_jobs, step, self.watch)

    def write(self, generator: Generator, name: str) -> list[dict[str, Any]]:
        """Write all part files, and return their records: real ones first, then by number."""
        pieces = list(pieces_of(self.found.plan, self.asked["rows_per_part"]))
        copied = [] if self.asked["synthetic_only"] else list(self.found.source.files)
        real = [Path(file).name for file in copied]
        made = [f"{_free_prefix(real)}-{piece.number:05d}.parquet" for piece in pieces]
        output = str(self.output)
        tasks: list[CopyTask | WriteTask] = [
            CopyTask(source, output, part) for source, part in zip(copied, real, strict=True)
        ]
        if all(is_recorded(self.output, part) for part in made):
            job = Shared("", "")  # nobody reads it
        else:
            job = self.prepare(generator, name)
        tasks += [WriteTask(output, part, piece, job) for part, piece in zip(made, pieces, strict=True)]
        records = {record["name"]: record for record in self.spread(write, tasks, "writing parts")}
        return [records[part] for part in (*real, *made)]

    def prepare(self, generator: Generator, name: str) -> Shared:
        """Read the table again for sample and fingerprints, and fit the generator."""
        found, seed = self.found, int(self.asked["seed"])
        wanted = {entry.group for entry in found.plan if entry.n_synthetic}
        targeted = np.array([key in wanted for key in found.groups.keys])
        reading = context.Reading.of(
            found.schema,
            found.source.schema,
            found.groups,
            limit=self.limit,
            seed=seed,
            targeted=targeted,
            folder=str(self.work),
        )
        shared = Shared.write(self.work / "reading.pickle", reading)
        tasks = [context.ContextTask(part, n, shared) for n, part in enumerate(found.source.parts)]
        drawn = context.merged(self.spread(context.draw, tasks, "drawing a sample"))
        n_targeted = int(found.groups.counts[targeted].sum())
        buckets = context.BucketTask.all(str(self.work), len(tasks), n_targeted)
        for _ in self.spread(context.sort_bucket, buckets, "sorting fingerprints"):
            pass
        context.clear(str(self.work), len(tasks))
        table = Table(to_frame(drawn.sample(self.limit)), found.schema)
        groups = Groups(table)
        checker = context.WholeTableChecker(
            table,
            groups,
            traits_of(generator),
            self.asked["copies"],
            n_real=found.source.n_rows,
            duplicate_share=context.duplicate_share(drawn.prints, found.source.n_rows),
            folder=str(self.work),
            n_buckets=len(buckets),
        )
        checker.prepare()
        names = FreshNames.of(found.facts, table, found.plan.n_synthetic)
        if self.watch is not None:
            self.watch(f"fitting {name}", 0, 1)
        stream = np.random.SeedSequence(seed, spawn_key=(FIT_STREAM,))
        fitted = generator.fit(table, rng=np.random.default_rng(stream))
        job = Job(fitted, name, table, groups, found.plan, checker, names, found.source.schema, seed)
        return Shared.write(self.work / "job.pickle", job)

    def result(self, records: list[dict[str, Any]], name: str, seconds: float) -> PartitionedGeneration:
        """Add up what the parts say."""
        found = self.found
        made = [record for record in records if record["kind"] == "synthetic"]
        notes = dict.fromkeys(note for record in made for note in record["notes"])
        return PartitionedGeneration(
            output=self.output,
            parts=tuple(records),
            ledger=Ledger(entries_of(found.plan, made)),
            plan=found.plan,
            schema=found.schema,
            generator=name,
            seconds=seconds,
            seed=int(self.asked["seed"]),
            n_context=int(np.minimum(found.groups.counts, self.limit).sum()),
            versions={
                "makeweight": version("makeweight"),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "pandas": pd.__version__,
                "pyarrow": version("pyarrow"),
            },
            notes=tuple(notes),
        )


def _free_prefix(real: list[str]) -> str:
    """Return what no real part file's name begins with."""
    prefix = "synthetic"
    while any(name.startswith(f"{prefix}-") for name in real):
        prefix = f"more-{prefix}"
    return prefix


def _check_numbers(rows_per_part: int, context_rows: int, seed: int | None, on_shortfall: str) -> None:
    for name, value in (("rows_per_part", rows_per_part), ("context_rows", context_rows)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise OptionError(f"{name} is a number of rows", got=repr(value), expected="1 or more")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise OptionError("not a seed", got=repr(seed), expected="a whole number from 0 on, or None")
    if on_shortfall not in ("raise", "warn"):
        raise OptionError("unknown on_shortfall", got=repr(on_shortfall), expected="raise or warn")
