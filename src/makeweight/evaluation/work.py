"""The splits of a comparison, one wave after the other, as many and with as many arms as there is time for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np

from makeweight.committee import soft_counts
from makeweight.engine import run
from makeweight.evaluation.arms import Arm, ArmSource
from makeweight.evaluation.budget import LEAST_SPLITS, Clock
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.store import Key, Log
from makeweight.evaluation.taught import soft_plan
from makeweight.evaluation.training import Settings, Task, run_task
from makeweight.generators.base import Generator
from makeweight.plan import Groups, Plan
from makeweight.progress import Progress

#: Splits for which arms that can wait are left out.
ENOUGH = 5
#: Shares of the time of that many splits in which rows with soft labels are written, by the generator's own forecast:
#: at most and at least, and together with the rows of the balanced arm. The rest is for fits, and other generators.
SOFT_SHARE, LEAST_SHARE, WRITING_SHARE = 0.25, 0.1, 0.45
#: Share of the time that is planned for; the rest is for what is not foreseen.
PLANNED = 0.95
#: `SyntheticClassifier` writes as often as the arms of its generator and of the committee together, and fits more.
AUTO_FACTOR = 2.0
#: Seconds that a fit usually takes, and more for every row.
FIT, FIT_ROW = 0.05, 5e-5


def affordable_soft_rows(
    problem: EvaluationProblem, generator: Generator, teaching: Generator, seconds: float | None, n_jobs: int, fits: int
) -> int:
    """Return how many rows with soft labels, on the whole table, can be written in each of `ENOUGH` splits.

    By what the one that writes them says that they cost, and the other one says that rows of the balanced arm cost,
    which it writes after each of `fits`; all where nothing limits the time.
    """
    total = int(soft_counts(problem.counts, by_group=bool(problem.group_by)).sum())
    if seconds is None:
        return total
    groups = Groups(problem.table(np.arange(len(problem))))
    split = seconds * processes(n_jobs) / ENOUGH
    left = WRITING_SHARE - fits * generator.cost(Plan.make(groups)).seconds / split
    share = min(SOFT_SHARE, max(left, LEAST_SHARE))
    return min(total, int(total * share * split / max(teaching.cost(soft_plan(groups)).seconds, 1e-9)))


def forecast(
    problem: EvaluationProblem, sources: Sequence[ArmSource], settings: Settings, splits: int, n_jobs: int
) -> float:
    """Return the seconds that splits are expected to take, by what generators say of their rows."""
    groups = Groups(problem.table(np.arange(len(problem))))
    total = 0.0
    for source in sources:
        fits = len(source.variants) * len(settings.estimators) * (1 + settings.inner_folds)
        total += fits * (FIT + FIT_ROW * len(problem))
        if source.generator is None:
            continue
        extra = round(settings.augment * int(groups.counts.max())) * any(a.variant == "augmented" for a in source.arms)
        plan = soft_plan(groups, settings.softness) if source.kind == "taught" else Plan.make(groups, augment=extra)
        chosen = any(arm.focus for arm in source.arms)
        inner = settings.calibration_folds if chosen else settings.inner_folds
        times = 1 if source.kind == "taught" else 1 + inner
        total += times * source.generator.cost(plan).seconds
    return splits * total / processes(n_jobs)


def can_wait(arm: Arm) -> bool:
    """Return whether an arm is left out where that makes room for enough splits."""
    return arm.focus and (arm.source == "auto" or arm.variant == "augmented")


def processes(n_jobs: int) -> int:
    """Return how many processes work at the same time."""
    return max(1, int(joblib.effective_n_jobs(n_jobs)))


@dataclass(eq=False)
class Work:
    """Splits to run, their records so far, and what was left out."""

    problem: EvaluationProblem
    settings: Settings
    sources: Sequence[ArmSource]  # all that is asked for
    splits: tuple[tuple[int, int], ...]
    clock: Clock
    log: Log
    engine: str
    n_jobs: int
    progress: Callable[[Progress], object] | None
    by_name: bool = True  # whether the arms were asked for by name: then none is left out
    left_out: tuple[str, ...] = ()

    @property
    def arms(self) -> list[Arm]:
        """Those that were run."""
        return [arm for source in self.sources for arm in source.arms]

    def run(self) -> int:
        """Return how many splits were run until all were done or the time was up."""
        there = {record.key for record in self.log.records}
        waiting: Sequence[ArmSource] = ()
        if not self.by_name and self.clock.budget is not None:
            waiting, self.sources = self.sources, _without(self.sources, [arm for arm in self.arms if can_wait(arm)])
        done = pieces = 0
        while done < len(self.splits):
            wave = self.clock.next_wave(done, len(self.splits), self.settings.folds)
            if not wave:
                break
            tasks = self._missing(self.splits[done : done + wave], there)
            began = self.clock.seconds
            for place, (_, records) in enumerate(run(run_task, tasks, engine=self.engine, n_jobs=self.n_jobs), start=1):
                new = [record for record in records if record.key not in there]
                self.log.add(new)
                there.update(record.key for record in new)
                pieces += 1
                self._tell(pieces, len(tasks) - place, done, wave)
            done += wave
            if tasks:
                self.clock.measured = (self.clock.seconds - began) / len(tasks) * len(self.sources)
            if waiting:
                self._decide(waiting)
                waiting = ()
                done = 0 if self._missing(self.splits[:done], there) else done
        return done

    def _tell(self, pieces: int, left: int, done: int, wave: int) -> None:
        if self.progress is not None:
            here = left + len(self.sources) * max(0, LEAST_SPLITS - done - wave)
            later = len(self.sources) * (len(self.splits) - max(LEAST_SPLITS, done + wave))
            self.progress(self.clock.progress(pieces, here, max(later, 0), done, len(self.splits)))

    def _decide(self, everything: Sequence[ArmSource]) -> None:
        """Take in the arms that can wait, one by one, as far as there is time for them in enough splits."""
        arms = [arm for source in everything for arm in source.arms if can_wait(arm)]
        needs = self._needs(everything)
        split, budget = self.clock.measured or 0.0, self.clock.budget or 0.0
        spare = PLANNED * budget - self.clock.seconds - (ENOUGH - 1) * split
        refused: list[Arm] = []
        for name, seconds in needs.items():
            mine = [arm for arm in arms if (arm.source == "auto") == (name == "auto")]
            if not mine:
                continue
            if ENOUGH * seconds <= spare:
                spare -= ENOUGH * seconds
                self.clock.measured = split = split + seconds
            else:
                refused += mine
                takes = f"it takes about {seconds:.0f} s a split, and {ENOUGH} splits with it more than"
                why = takes if spare > 0 else f"{ENOUGH} splits of the other arms take all of"
                why += f" the budget of {budget:.0f} s; --arm or --max-seconds 0 runs it"
                self.left_out += (f"{mine[0].name} was left out: {why}",)
        self.sources = _without(everything, refused)

    def _needs(self, everything: Sequence[ArmSource]) -> dict[str, float]:
        """Return the seconds a split that arms that can wait are expected to take, from what others took."""
        took = dict.fromkeys((source.name for source in everything), 0.0)
        for record in self.log.records:
            if (record.repeat, record.fold) == self.splits[0]:
                took[record.source] += record.task_seconds
        parallel = processes(self.n_jobs)
        written = {type(s.generator): took[s.name] for s in everything if s.kind == "generator"}
        both = took.get("committee", 0.0)
        both += sum(written.get(type(s.generator), 0.0) for s in everything if s.kind == "auto")
        needs = {"auto": AUTO_FACTOR * both / parallel}
        chosen = next((s for s in everything if any(arm.variant == "augmented" for arm in s.arms)), None)
        if chosen is not None and chosen.generator is not None:
            groups = Groups(self.problem.table(np.arange(len(self.problem))))
            extra = round(self.settings.augment * int(groups.counts.max()))
            costs = [chosen.generator.cost(Plan.make(groups, augment=n)).seconds for n in (0, extra)]
            needs["augment"] = took[chosen.name] * max(costs[1] / max(costs[0], 1e-9) - 1.0, 0.0) / parallel
        return needs

    def _missing(self, splits: Sequence[tuple[int, int]], there: set[Key]) -> list[Task]:
        """Return the tasks whose results are not there; in every split what takes longest first."""
        ordered = sorted(self.sources, key=lambda s: -len(s.variants) - 2 * (s.kind in ("auto", "taught")))
        return [
            Task(self.problem, self.settings, source, *split)
            for split in splits
            for source in ordered
            if any((*split, arm.name, name) not in there for arm in source.arms for name in self.settings.estimators)
        ]


def _without(sources: Sequence[ArmSource], arms: Sequence[Arm]) -> list[ArmSource]:
    """Return sources without some of their arms; a source with none left is left out."""
    kept = [replace(source, arms=tuple(arm for arm in source.arms if arm not in arms)) for source in sources]
    return [source for source in kept if source.arms]
