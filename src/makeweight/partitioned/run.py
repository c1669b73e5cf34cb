"""Balancing a partitioned table from end to end."""

from __future__ import annotations

import copy
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import makeweight.partitioned.context as context
import makeweight.partitioned.folder as folder
from makeweight.committee.teaching import teacher_of
from makeweight.engine import check_engine
from makeweight.errors import OptionError
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator, traits_of
from makeweight.generators.fill import Limits
from makeweight.generators.forewarning import warn_of_few_rows
from makeweight.generators.ledger import Ledger
from makeweight.generators.limits import report_shortfall
from makeweight.generators.registry import names as generator_names
from makeweight.generators.registry import resolve, stated_options
from makeweight.generators.writing import FIT_STREAM
from makeweight.partitioned.folder import FolderRequest, OutputFolder, PartRecord
from makeweight.partitioned.identifiers import FreshNames
from makeweight.partitioned.result import PartitionedGeneration
from makeweight.partitioned.shared import Shared
from makeweight.partitioned.source import PartSource, to_frame
from makeweight.partitioned.survey import Survey, Workers, survey
from makeweight.partitioned.teaching import TEACHER_ROWS, Teacher, refuse_taken, taught
from makeweight.partitioned.write import CopyTask, Job, WriteTask, entries_of, is_recorded, pieces_of, write
from makeweight.plan import Amount, Groups, Strategy, Target
from makeweight.progress import Progress
from makeweight.rules import Constraints, texts_of
from makeweight.table import Table
from makeweight.table.schema import GroupBy, column_names

__all__ = ["balance_partitions"]

#: Rows to learn from: of all groups, and of one group however many groups there are.
IN_ALL, AT_LEAST = 200_000, 100


def balance_partitions(
    source: str | Path,
    output: str | Path | OutputFolder,
    *,
    target: str,
    group_by: GroupBy = (),
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    sampling_strategy: Strategy = "auto",
    augment: int = 0,
    kinds: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    limits: Limits | None = None,
    random_state: int | None = None,
    engine: str = "local",
    n_jobs: int = 1,
    soft_labels: Any = False,
    progress: Callable[[Progress], object] | None = None,
) -> PartitionedGeneration:
    """Write the rows that a table of any length is missing.

    The table is read twice, in pieces: for schema and groups, then for a sample and the fingerprints of the
    real rows. The generator is fitted once, to the sample. Then every part file is written by itself. No step
    holds more than a piece, the sample and the facts in memory.

    Parameters
    ----------
    source : str or Path
        A Parquet file, or a folder of part files.
    output : str, Path or OutputFolder
        Folder for copies of the real part files, the synthetic ones, and ``_makeweight.json``, which describes
        them; an `OutputFolder` also says how it is written and what happens to one that is there.
    target : str
    group_by : column name or sequence of them, optional
    generator : str or Generator
    options : mapping of str to object, optional
    sampling_strategy : str, float or mapping
    augment : int
    kinds : mapping of column to kind, optional
    constraints : mapping of name to expression, or expressions, optional
        What every row obeys, as for `makeweight.balance`. Real rows are checked in the second reading.
    limits : Limits, optional
        `copies` and `on_shortfall`. With "raise" the parts are kept, and resuming with "warn" finishes the
        folder.
    random_state : int, optional
    engine : str
        "local", or the scheduler of a Dask cluster: "dask://HOST:PORT".
    n_jobs : int
        Processes of the local engine.
    soft_labels : bool, Committee or classifier, default=False
        Let synthetic rows carry p(label | row), as for `makeweight.balance`: they stand once per label, and every part
        file has a column ``makeweight_weight``. The teacher is fitted to 10,000 rows of the sample at most, and labels
        rows in the workers. Real rows keep their label; they weigh one, or where there are grouping attributes what
        makes the groups weigh the same.
    progress : callable, optional
        Called with a `Progress`; done and total are parts.

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
    >>> result = balance_partitions(folder / "big.parquet", folder / "out", target="y", random_state=0)
    >>> result.ledger.accepted, [part.name for part in result.parts]
    (3, ['big.parquet', 'synthetic-00000.parquet'])
    >>> pd.read_parquet(folder / "out")["y"].value_counts().to_dict()
    {'a': 4, 'b': 4}
    """
    work = Workers(engine, n_jobs, progress)
    out = output if isinstance(output, OutputFolder) else OutputFolder(output)
    limits = Limits() if limits is None else limits
    _refuse(random_state, limits)
    check_engine(engine)
    name = generator if isinstance(generator, str) else type(generator).__name__
    if name in generator_names("remote"):
        raise OptionError(
            "a generator that asks an endpoint does not write parts apart from each other",
            got=name,
            hint="choose another generator, or leave out the engine",
        )
    chosen = copy.deepcopy(resolve(generator, options))
    pieces = PartSource.open(source)
    attributes = tuple(map(str, column_names(group_by)))
    if soft_labels is not False:
        refuse_taken(pieces.schema.names)
        teacher_of(soft_labels).checked_members(TEACHER_ROWS, weighed=bool(attributes))
    request = FolderRequest(
        source=tuple((Path(file).name, Path(file).stat().st_size) for file in pieces.files),
        target=target,
        group_by=attributes,
        kinds=dict(kinds or {}),
        generator=name,
        options=dict(stated_options(options)),
        sampling_strategy=repr(sampling_strategy),
        augment=augment,
        copies=limits.copies,
        random_state=random_state,
        synthetic_only=out.synthetic_only,
        rows_per_part=out.rows_per_part,
        context_rows=out.context_rows,
        version=version("makeweight"),
        soft_labels=_teacher_name(soft_labels),
        constraints=texts_of(constraints),
    )
    request = folder.check(out, Path(source), request)
    if request.random_state is None:
        request = replace(request, random_state=secrets.randbits(32))
    columns = Target(target, attributes, kinds or {})
    table = survey(
        pieces,
        columns,
        Amount(sampling_strategy, augment),
        work,
        soft=bool(request.soft_labels),
        constraints=constraints,
    )
    run = _Run(table, Path(out.path), folder.begin(out, request), request, work, soft_labels)
    result = run.result(run.write(chosen), time.perf_counter() - work.start)
    hint = "the parts are kept: finish with existing='resume' and on_shortfall='warn', or take another generator"
    report_shortfall(result, result.ledger, limits.on_shortfall, hint)
    folder.finish(run.output, {"makeweight": 1, "asked": asdict(request), **result.to_dict()})
    return result


@dataclass(frozen=True)
class _Run:
    """One request: what was read, and where the work is done."""

    survey: Survey
    output: Path
    folder: Path
    request: FolderRequest
    work: Workers
    teacher: Any = False

    @property
    def limit(self) -> int:
        """Rows of a group to learn from at most."""
        return min(self.request.context_rows, max(AT_LEAST, IN_ALL // len(self.survey.groups)))

    def write(self, generator: Generator) -> list[PartRecord]:
        """Write all part files, and return their records: real ones first, then by number."""
        pieces = list(pieces_of(self.survey.plan, self.request.rows_per_part))
        copied = [] if self.request.synthetic_only else list(self.survey.source.files)
        real = [Path(file).name for file in copied]
        synthetic = [f"{_free_prefix(real)}-{piece.number:05d}.parquet" for piece in pieces]
        output = str(self.output)
        asking = [*synthetic, *real] if self.request.soft_labels else synthetic
        if all(is_recorded(self.output, part) for part in asking):
            job = Shared("", "")  # nobody reads it
        else:
            job = self.prepare(generator)
        weighing = job if self.request.soft_labels else None
        tasks: list[CopyTask | WriteTask] = [
            CopyTask(source, output, part, weighing) for source, part in zip(copied, real, strict=True)
        ]
        tasks += [WriteTask(output, part, piece, job) for part, piece in zip(synthetic, pieces, strict=True)]
        records = {record.name: record for record in self.work.results(write, tasks, "writing parts")}
        return [records[part] for part in (*real, *synthetic)]

    def prepare(self, generator: Generator) -> Shared:
        """Read the table again for sample and fingerprints, and fit the generator."""
        survey, seed, folder = self.survey, self.request.seed, str(self.folder)
        source, name = survey.source, self.request.generator
        warn_of_few_rows(survey.plan)
        wanted = {entry.group for entry in survey.plan if entry.n_synthetic}
        targeted = np.array([key in wanted for key in survey.groups.keys])
        reading = context.SecondReading.of(survey, limit=self.limit, seed=seed, targeted=targeted, folder=folder)
        shared = Shared.write(self.folder / "reading.pickle", reading)
        tasks = [context.SampleTask(part, n, shared) for n, part in enumerate(source.parts)]
        candidates = context.merged(self.work.results(context.draw, tasks, "drawing a sample"))
        n_targeted = int(survey.groups.counts[targeted].sum())
        buckets = context.BucketTask.all(folder, len(tasks), n_targeted)
        for _ in self.work.results(context.sort_bucket, buckets, "sorting fingerprints"):
            pass
        context.clear(folder, len(tasks))
        table = Table(to_frame(candidates.sample(self.limit)), survey.schema)
        groups = Groups(table)
        checker = context.WholeTableChecker(
            table,
            groups,
            traits_of(generator),
            self.request.copies,
            survey.rules,
            n_real=source.n_rows,
            duplicate_share=context.duplicate_share(candidates.prints, source.n_rows),
            folder=folder,
            n_buckets=len(buckets),
        )
        checker.prepare()
        names = FreshNames.of(survey.facts, table, survey.plan.n_synthetic)
        self.work.say(f"fitting {name}", 0, 1)
        stream = np.random.SeedSequence(seed, spawn_key=(FIT_STREAM,))
        fitted = generator.fit(table, rng=np.random.default_rng(stream))
        job = Job(
            fitted,
            name,
            table,
            groups,
            survey.plan,
            checker,
            names,
            source.schema,
            seed,
            self.taught(candidates) if self.request.soft_labels else None,
        )
        return Shared.write(self.folder / "job.pickle", job)

    def taught(self, candidates: context.SampleCandidates) -> Teacher:
        """Return a teacher, fitted to the first rows of the sample."""
        self.work.say("asking a committee what rows are", 0, 1)
        survey = self.survey
        return taught(
            candidates.sample(min(self.limit, max(AT_LEAST, TEACHER_ROWS // len(survey.groups)))),
            survey.schema,
            survey.groups,
            teacher=self.teacher,
            seed=self.request.seed,
            n_jobs=self.work.n_jobs if self.work.engine == "local" else 1,
        )

    def result(self, records: list[PartRecord], seconds: float) -> PartitionedGeneration:
        """Return what all parts say together."""
        survey = self.survey
        synthetic = [record for record in records if record.kind == "synthetic"]
        return PartitionedGeneration(
            output=self.output,
            parts=tuple(records),
            ledger=Ledger(entries_of(survey.plan, synthetic)),
            plan=survey.plan,
            schema=survey.schema,
            generator=self.request.generator,
            seconds=seconds,
            seed=self.request.seed,
            n_context=int(np.minimum(survey.groups.counts, self.limit).sum()),
            versions={
                "makeweight": version("makeweight"),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "pandas": pd.__version__,
                "pyarrow": version("pyarrow"),
            },
            notes=tuple(dict.fromkeys(note for record in synthetic for note in record.notes)),
        )


def _teacher_name(teacher: Any) -> str:
    """Return who labels rows, for the record; nothing where nobody does."""
    if teacher is False:
        return ""
    return "committee" if teacher is True else type(teacher).__name__


def _free_prefix(real: list[str]) -> str:
    """Return what no real part file's name begins with."""
    prefix = "synthetic"
    while any(name.startswith(f"{prefix}-") for name in real):
        prefix = f"more-{prefix}"
    return prefix


def _refuse(random_state: int | None, limits: Limits) -> None:
    """Refuse a random state that is no seed, and limits that do not go with part files."""
    is_seed = isinstance(random_state, int) and not isinstance(random_state, bool) and random_state >= 0
    if random_state is not None and not is_seed:
        raise OptionError("not a random state", got=repr(random_state), expected="a whole number from 0 on, or None")
    if limits != Limits(limits.copies, limits.on_shortfall):
        raise OptionError(
            "only copies and on_shortfall are limits of a table in parts",
            got=repr(limits),
            hint="stop with Ctrl-C, and resume",
        )
