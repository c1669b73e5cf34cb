"""The quality report: run every check, sort the outcomes into drawers, and sum up."""

from __future__ import annotations

import platform
import secrets
import shlex
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, TypeVar

from makeweight.errors import OptionError
from makeweight.notebook import html_block
from makeweight.progress import Progress
from makeweight.quality.account import balance, read_ledger, rejected, shortfall
from makeweight.quality.association import Associations
from makeweight.quality.catalogue import DRAWERS, codes_of
from makeweight.quality.checks import Check, attempt, judge_all
from makeweight.quality.copies import exact_copies, repeats
from makeweight.quality.distances import Distances
from makeweight.quality.judge import label_consistency
from makeweight.quality.marginals import Marginals
from makeweight.quality.nulls import PERMUTATIONS, QualityFinding
from makeweight.quality.reading import read_rows
from makeweight.quality.result import ColumnLeftOut, ComparedData, GroupSizes, QualityResult
from makeweight.quality.rows import FEWEST, MOST_GROUPS, ROWS_IN_ALL, ROWS_PER_GROUP, ComparedRows
from makeweight.quality.twosample import TwoSample, holdout_fresh
from makeweight.quality.values import identifiers, impossible
from makeweight.quality.verdict import NO_TIME, QualityVerdict, reach
from makeweight.table import Schema
from makeweight.table.containers import to_frame
from makeweight.table.schema import GroupBy

__all__ = ["QualityReport"]

#: Checks that fit classifiers or compare all rows with all.
LONG = ("MWQ03", "MWQ06", "MWQ07", "MWQ15", "MWQ16", "MWQ17")
#: Marginals in the result, those that drift most.
MOST_SHOWN = 300
T = TypeVar("T")
PACKAGES = ("makeweight", "numpy", "scipy", "pandas", "scikit-learn")


class QualityReport:
    """Is a synthetic table any good: coded checks, each an issue, a tip, passed, or openly not judged.

    Synthetic rows are compared with real rows of their own group only, so that rows of rare groups are never
    held against the whole table. A check raises an issue where the effect is larger than a stated limit *and*
    chance is ruled out: permutations within groups, the maximum over the statistics of a check, and Holm's
    correction over the checks, so that fresh real rows pass all of them in 95 of 100 reports.

    Parameters
    ----------
    real : table
        The rows that the generator was fitted on; pandas, polars, Arrow or NumPy. Not changed.
    synthetic : table or Generation
        The rows to judge. Real rows that stand in it too are left out.
    target : hashable
        Column with the labels.
    holdout : table, optional
        Real rows that the generator has not seen.
    group_by : column name or iterable of them, optional
        Grouping attributes.
    kinds : mapping of column to kind, optional
        Columns whose kind is not to be inferred.
    ledger : mapping or Generation, optional
        What was asked for and rejected; taken from `synthetic` where that is a Generation.
    mute : iterable of str
        Checks that are not run, by code or name.
    contains_real : bool, optional
        Whether the real rows stand in `synthetic`. By default they are recognised: by the column
        ``makeweight_synthetic``, or as the real table's rows, all of them, in a longer table.
    level : float, default 0.05
        Share of reports on perfect generators in which any check may be mistaken.
    random_state : int or None, default 0
        The same number gives the same report.
    max_seconds : float, optional
        No check begins after this time; those left are skipped, and the verdict says so. What takes longest comes last.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` before every check.
    sources : mapping of str to str, optional
        Names of the files, for the report.

    Attributes
    ----------
    checks : tuple of Check
        In the order of the codes.
    verdict : QualityVerdict

    Raises
    ------
    SchemaError, OptionError
        When the tables or options cannot be used. A check that fails while it runs is an issue instead.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200), "y": ["a", "b"] * 100})
    >>> report = QualityReport(real, real[real["y"] == "a"], target="y")
    >>> report.verdict.code, report["MWQ04"].drawer
    ('copies', 'issue')
    """

    def __init__(
        self,
        real: Any,
        synthetic: Any,
        *,
        target: Hashable,
        holdout: Any = None,
        group_by: GroupBy = (),
        kinds: Mapping[Any, str] | None = None,
        ledger: Any = None,
        mute: Iterable[str] = (),
        contains_real: bool | None = None,
        level: float = 0.05,
        random_state: int | None = 0,
        max_seconds: float | None = None,
        progress: Callable[[Progress], object] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        start = time.monotonic()
        if not 0 < level < 1:
            raise OptionError("a level is a share", got=level, expected="a number between 0 and 1")
        self.level, self.muted = level, codes_of(mute)
        self.seed = secrets.randbits(32) if random_state is None else int(random_state)
        self.sources = dict(sources or {})
        if hasattr(synthetic, "ledger") and hasattr(synthetic, "frame"):
            ledger = synthetic if ledger is None else ledger
            synthetic = synthetic.frame
        self.ledger = read_ledger(ledger)
        frame = to_frame(real)
        schema = Schema.infer(frame, target=target, group_by=group_by, kinds=kinds)
        self._kinds = {str(name): str(kind) for name, kind in (kinds or {}).items()}
        self.rows: ComparedRows = read_rows(
            frame,
            to_frame(synthetic),
            None if holdout is None else to_frame(holdout),
            schema,
            contains_real=contains_real,
            seed=self.seed,
        )
        self._run(start, max_seconds, progress)

    def __getitem__(self, code: str) -> Check:
        (wanted,) = codes_of([code])
        return next(check for check in self.checks if check.code == wanted)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {drawer}" for drawer, n in self.counts.items() if n)
        return f"<QualityReport {self.verdict.code}: {counts}>"

    def _repr_html_(self) -> str:
        facts = [
            ("rows", f"{len(self.rows.synthetic):,} beside {len(self.rows.real):,} real ones"),
            ("next", self.verdict.next),
        ]
        notable = [check for check in self.checks if check.drawer in ("issue", "tip")]
        lines = [(check.drawer, check.info.title, check.explanation) for check in notable]
        return html_block(self.verdict.answer, facts, ("", "check", "what was measured"), lines)

    @property
    def counts(self) -> dict[str, int]:
        """Number of checks in each drawer."""
        n_checks = Counter(check.drawer for check in self.checks)
        return {drawer: n_checks[drawer] for drawer in DRAWERS}

    @property
    def issues(self) -> tuple[Check, ...]:
        """The checks that raise an issue."""
        return tuple(check for check in self.checks if check.drawer == "issue")

    def _run(self, start: float, max_seconds: float | None, progress: Callable[[Progress], object] | None) -> None:
        rows, ledger = self.rows, self.ledger
        self._marginals, self._associations = Marginals(rows), Associations(rows)
        self._distances, two_sample = Distances(rows), TwoSample(rows)
        measures: dict[str, Callable[[], QualityFinding]] = {
            "MWQ01": lambda: shortfall(ledger),
            "MWQ02": lambda: rejected(ledger),
            "MWQ03": lambda: holdout_fresh(rows),
            "MWQ04": lambda: exact_copies(rows),
            "MWQ05": lambda: repeats(rows),
            "MWQ06": self._distances.nearest,
            "MWQ07": self._distances.membership,
            "MWQ08": self._marginals.drift,
            "MWQ09": self._associations.pairs,
            "MWQ10": self._associations.with_label,
            "MWQ11": self._marginals.rare,
            "MWQ12": lambda: impossible(rows),
            "MWQ13": self._marginals.digits,
            "MWQ14": self._marginals.missing,
            "MWQ15": two_sample.overall,
            "MWQ16": two_sample.by_group,
            "MWQ17": lambda: label_consistency(rows),
            "MWQ18": lambda: balance(rows),
            "MWQ19": lambda: identifiers(rows),
        }
        asked = sorted(measures.keys() - self.muted, key=lambda code: (code in LONG, code))
        self._findings: dict[str, QualityFinding | Exception] = {}
        for place, code in enumerate(asked):
            seconds = time.monotonic() - start
            if max_seconds is not None and seconds >= max_seconds:
                self._findings[code] = QualityFinding((), NO_TIME, "skipped")
                continue
            if progress is not None:
                left = None if max_seconds is None else max_seconds - seconds
                progress(Progress("checking", place, len(asked), seconds, left, f"{code}, {place + 1} of {len(asked)}"))
            self._findings[code] = attempt(measures[code])
        self.checks = judge_all(self._findings, self.muted, self.level)
        self.verdict: QualityVerdict = reach(self.checks, shlex.join(self._table()))

    @cached_property
    def result(self) -> QualityResult:
        """The whole report as one value."""
        drift = self._findings.get("MWQ08")
        failures: list[str] = []

        def shown(name: str, part: Callable[[], T]) -> T | None:
            value = attempt(part)
            if isinstance(value, Exception):
                failures.append(f"{name} cannot be shown: {value}")
                return None
            return value

        finding = drift if isinstance(drift, QualityFinding) else None
        return QualityResult(
            verdict=self.verdict,
            marginals=shown("marginals", lambda: self._marginals.shown(finding)[:MOST_SHOWN]),
            associations=shown("associations", self._associations.maps),
            distances=shown("distances", self._distances.curves),
            sample=shown("sample", self._distances.sample),
            data=self._data(failures),
            groups=self._sizes(),
            counts=self.counts,
            checks=self.checks,
            ledger=self.ledger,
            settings={
                "level": self.level,
                "permutations": PERMUTATIONS,
                "fewest_rows": FEWEST,
                "rows_per_group": ROWS_PER_GROUP,
                "rows_in_all": ROWS_IN_ALL,
                "most_groups": MOST_GROUPS,
                "mute": sorted(self.muted),
                "kinds": self._kinds,
            },
            reproduce={
                "command": self._command(),
                "seed": self.seed,
                "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
            },
        )

    def _data(self, failures: Sequence[str]) -> ComparedData:
        rows, schema = self.rows, self.rows.schema
        compared = {column.name for column in rows.columns}
        return ComparedData(
            real=self.sources.get("real"),
            synthetic=self.sources.get("synthetic"),
            holdout=self.sources.get("holdout"),
            n_real=len(rows.real),
            n_synthetic=len(rows.synthetic),
            n_holdout=None if rows.holdout is None else len(rows.holdout),
            n_columns=len(schema.columns),
            target=str(schema.target),
            group_by=[str(name) for name in schema.group_by],
            original_rows_removed=rows.removed,
            not_compared=[
                ColumnLeftOut(str(column.name), f"{column.kind.value}: {column.reason}")
                for column in sorted(schema.features, key=lambda c: str(c.name))
                if column.name not in compared
            ],
            notes=[*self._notes(), *failures],
        )

    def _sizes(self) -> list[GroupSizes]:
        compared = {group.name for group in self.rows.compared}
        return [
            GroupSizes(g.name, len(g.real), len(g.synthetic), len(g.holdout), g.name in compared)
            for g in self.rows.groups
        ]

    def to_dict(self) -> dict[str, object]:
        """Return the whole report as plain values for JSON; the page is written from it."""
        return self.result.to_dict()

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        from makeweight.page.render import render

        return render(self.to_dict())

    def _notes(self) -> list[str]:
        rows, notes = self.rows, []
        if rows.removed:
            notes.append(f"{rows.removed:,} real rows stood in the synthetic table and were left out")
        if rows.ignored:
            notes.append(f"columns that the real table does not have were ignored: {', '.join(rows.ignored)}")
        unknown = int((rows.synthetic.group < 0).sum())
        if unknown:
            notes.append(f"{unknown:,} synthetic rows have a label or attribute that no real row has")
        small = [g.name for g in rows.groups if len(g.synthetic) and min(len(g.real), len(g.synthetic)) < FEWEST]
        if small:
            shown = "; ".join(small[:5]) + (f"; and {len(small) - 5} more" if len(small) > 5 else "")
            notes.append(f"groups with fewer than {FEWEST} rows on a side were not compared: {shown}")
        largest = max((len(side) for g in rows.compared for side in (g.real, g.synthetic)), default=0)
        most = min(ROWS_PER_GROUP, max(200, ROWS_IN_ALL // max(1, len(rows.compared))))
        if largest > most:
            notes.append(f"of larger groups, {most:,} rows per side were drawn for MWQ03, MWQ06 to 11 and MWQ13 to 17")
        return notes

    def _roles(self) -> list[str]:
        """Return target and attributes as words of the command line."""
        schema = self.rows.schema
        return ["--target", str(schema.target), *(w for name in schema.group_by for w in ("--group-by", str(name)))]

    def _options(self) -> list[str]:
        return [option for option in self.sources.get("options", "").split("\0") if option]

    def _table(self) -> list[str]:
        """Return the words of the command line that name the real table, and say how it is read."""
        reading = [option for option in self._options() if option.startswith(("--kind", "--missing", "--no-header"))]
        return [self.sources.get("real", "real.csv"), *self._roles(), *reading]

    def _command(self) -> str | None:
        if not self.sources:
            return None
        parts = ["makeweight", "report", self.sources["real"], self.sources["synthetic"], *self._roles()]
        if "holdout" in self.sources:
            parts += ["--holdout", self.sources["holdout"]]
        parts += self._options()
        for code in sorted(self.muted):
            parts += ["--mute", code]
        parts += ["--seed", str(self.seed)]
        return shlex.join(parts)
