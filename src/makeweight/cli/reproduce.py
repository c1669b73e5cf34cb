"""``makeweight reproduce``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from makeweight.experiments import Experiment, Run, Store
    from makeweight.progress import Progress

LIST, FIGURES = "list", "figures"


def _values(ctx: click.Context, param: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [part for part in text.split(",") if part]


def _numbers(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",") if part]
    except ValueError:
        raise OptionError(f"--{param.name} takes whole numbers", got=repr(text)) from None


@click.command()
@click.argument("experiment", metavar="EXPERIMENT")
@click.option("--data", metavar="NAME,...", callback=_values, help="Some of the experiment's tables.")
@click.option(
    "--methods",
    "arms",
    metavar="NAME,...",
    callback=_values,
    help="Arms: those of the experiment, or any generator (makeweight generators).",
)
@click.option("--classifiers", "learners", metavar="NAME,...", callback=_values, help="rf, xgb, lr ...")
@click.option("--steps", metavar="N,...", callback=_numbers, help="Some of the experiment's steps.")
@click.option("--seeds", metavar="N,...", callback=_numbers, help="Some of the experiment's seeds.")
@click.option("--scale", metavar="NAME", help="A larger or smaller plan that the experiment's file names.")
@click.option(
    "--fraction",
    metavar="SHARE",
    type=_options.Number(0, 1, min_open=True),
    default=1.0,
    help="Run this share of the tasks, spread over all settings.",
)
@click.option("--engine", metavar="ENGINE", default="local", show_default=True, help="local, or dask://HOST:PORT.")
@_options.jobs_option(1, "Processes of this machine.")
@click.option(
    "--data-dir", metavar="DIR", help="Folder with the stored tables; default: MAKEWEIGHT_DATA, or ../shared/data."
)
@click.option("-o", "--results", metavar="DIR", default="results", show_default=True, help="Where results are kept.")
@click.option(
    "--resume/--no-resume", default=True, show_default=True, help="Skip tasks that have a result, or run them again."
)
@click.option(
    "--max-seconds",
    metavar="S",
    type=_options.Number(min=0, min_open=True),
    help="Stop after this time; the same command goes on from there.",
)
@click.option("--retry-failed", is_flag=True, help="Run tasks again that failed before.")
@click.option("--show-only", is_flag=True, help="Run nothing, show what is there.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write the table of all means as CSV.")
def command(
    experiment: str,
    data: list[str] | None,
    arms: list[str] | None,
    learners: list[str] | None,
    steps: list[int] | None,
    seeds: list[int] | None,
    scale: str | None,
    fraction: float,
    engine: str,
    jobs: int,
    data_dir: str | None,
    results: str,
    resume: bool,
    max_seconds: float | None,
    retry_failed: bool,
    show_only: bool,
    csv_file: str | None,
) -> None:
    """Run the published experiments again, and compare arms that see the same rows.

    EXPERIMENT is a name that `makeweight reproduce list` shows, or the path of a file like
    those (.toml); `figures` draws what has been measured. An interrupted run resumes where it stopped.
    """
    from makeweight.experiments import Store, read_experiment, run_experiment
    from makeweight.experiments.data import data_folder

    _outputs.check("--csv", csv_file, (".csv",), force=True)
    if experiment == LIST:
        _list(Path(results))
        return
    if experiment == FIGURES:
        _draw(Path(results), data_folder(data_dir))
        return
    folder = data_folder(data_dir)
    chosen = read_experiment(experiment).scaled(scale)
    chosen = chosen.select(data=data, arms=arms, learners=learners, steps=steps, seeds=seeds)
    store = Store(Path(results) / chosen.name)
    if not show_only:
        outcome = run_experiment(
            chosen,
            store,
            folder=folder,
            engine=engine,
            n_jobs=jobs,
            fraction=fraction,
            resume=resume,
            max_seconds=max_seconds,
            retry_failed=retry_failed,
            progress=_ProgressLine(),
        )
        _report(outcome, store)
    _print(chosen, store, folder, csv_file)


class _ProgressLine:
    """One line on a terminal, a line every minute elsewhere."""

    def __init__(self) -> None:
        self._err = _show.console(err=True)
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now, last = time.monotonic(), progress.done == progress.total
        every = 0.5 if self._err.is_terminal else 60
        if not last and now - self._last < every:
            return
        self._last = now
        left = _show.seconds(progress.seconds_left or 0.0)
        line = f"{progress.done:,} of {progress.total:,} tasks, {left} left: {progress.detail}"
        self._err.print(f"{line:<90}", end="\r" if self._err.is_terminal and not last else "\n")


def _report(run: Run, store: Store) -> None:
    from makeweight.experiments.runner import failures

    err = _show.console(err=True)
    before = f", {run.before:,} from earlier runs" if run.before else ""
    err.print(f"{run.done:,} tasks done in {_show.seconds(run.seconds)}{before}; results in {store.folder}")
    left = run.planned - run.before - run.done - run.failed
    if left:
        err.print(f"{left:,} tasks are left: the same command goes on from here")
    if run.failed:
        err.print(f"{run.failed:,} tasks failed; --retry-failed runs them again")
        for error, count in failures(store.read()):
            err.print(f"  {count:,} x {error}")


def _list(results: Path) -> None:
    from makeweight.experiments import Store, names, read_experiment

    rows = []
    for name in names():
        known = read_experiment(name)
        statuses = Store(results / name).statuses().values()
        failed = sum(status == "failed" for status in statuses)
        state = f"{len(statuses):,} tasks" + (f", {failed:,} failed" if failed else "") if statuses else "-"
        rows.append([name, known.title, ", ".join(known.data), state])
    _show.show(
        _show.console(),
        _show.table({"name": {"no_wrap": True}, "what": {}, "data": {}, f"results in {results}": {}}, rows),
    )


def _draw(results: Path, folder: Path) -> None:
    from makeweight.experiments.figures import draw_all

    for path in draw_all(results, folder):
        _show.console().print(str(path))


def _print(experiment: Experiment, store: Store, folder: Path, csv_file: str | None) -> None:
    from makeweight.experiments.tables import agreement, published_numbers, summarise

    out, stored, published = _show.console(), store.latest(), published_numbers(experiment, folder)
    means = agreement(summarise(stored), published)
    if csv_file is not None:
        _outputs.write(csv_file, means.to_csv(index=False))
    of_data = means["data"].str.split(" ").str[0]  # a simulated cell begins with its law
    means = means[of_data.isin(experiment.data)]
    means = means[means["arm"].isin(experiment.arms) & means["learner"].isin([*experiment.learners, "all"])]
    if means.empty:
        out.print("no results yet")
        return
    means = means[means["metric"].isin(experiment.metrics) | (means["failed"] > 0)]
    last = max(experiment.steps)
    shown = means[(means["step"] == last) | (means["stage"] == "real")]
    if experiment.kind == "simulation":  # too many cells to print: they are in the file of --csv
        shown = shown.iloc[:0]
    for (data, learner), part in shown.groupby(["data", "learner"], sort=False):
        title = f"{experiment.name}: {data}" + (f", {learner}" if learner else "")
        if len(experiment.steps) > 1:
            title += f", step {last}"
        _show.section(out, title, _means(part, experiment.metrics))
    _summary(out, means)
    if experiment.settings.vary == "augmentation":
        _laws(out, stored, published)
    if experiment.kind == "capacity":
        _rates(out, means)
    if experiment.kind == "simulation":
        _worth(out, stored)
    _differences(out, experiment, stored)


def _worth(out: Any, stored: pd.DataFrame) -> None:
    """Print how many times the real rare rows would have done the same."""
    from makeweight.experiments.tables import worth

    factors = worth(stored)
    if factors.empty:
        return
    wide = factors.pivot_table(index=["data", "arm"], columns="learner", values="times", sort=False)
    rows = [
        [str(data), str(arm), *(_number(value) for value in values)]
        for (data, arm), values in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    columns: dict[str, Any] = {"law": {}, "arm": {}, **dict.fromkeys(map(str, wide.columns), _show.NUMBER)}
    _show.section(out, "does what so many times the real rare rows would do", _show.table(columns, rows))


def _rates(out: Any, means: pd.DataFrame) -> None:
    """Print how fast divergence and distance fall with context rows; the theorem bounds the first by n^(-1/2)."""
    from makeweight.experiments.laws import capacity_rate

    rows = []
    for (metric, data, arm), part in means.groupby(["metric", "data", "arm"], sort=False):
        rate = capacity_rate(part)
        cells = ["-", "-"] if rate is None else [_number(rate.row_exponent), _number(rate.explained)]
        rows.append([str(metric), str(data), str(arm), *cells])
    numbers = ("exponent of n", "explained by a + b / √n")
    columns: dict[str, Any] = {"": {}, "law": {}, "generator": {}, **dict.fromkeys(numbers, _show.NUMBER)}
    _show.section(out, "divergence and distance against context rows", _show.table(columns, rows))


def _differences(out: Any, experiment: Experiment, stored: pd.DataFrame) -> None:
    """Print paired differences to doing nothing, with 95 % intervals, where the arms see the same rows."""
    from makeweight.experiments.tables import DIFFERENCES, versus

    for metric, stage, text in DIFFERENCES.get(experiment.kind, []):
        pairs = versus(stored, metric, stage)
        pairs = pairs[pairs["learner"].isin(experiment.learners) & pairs["arm"].isin(experiment.arms)]
        for data, part in pairs.groupby("data", sort=False):
            learners = [name for name in experiment.learners if (part["learner"] == name).any()]
            rows = []
            for arm in dict.fromkeys(name for name in experiment.arms if (part["arm"] == name).any()):
                of: Any = part[part["arm"] == arm].set_index("learner")
                cells = [
                    _mean(of.loc[name, "difference"], of.loc[name, "half"], "+") if name in of.index else "-"
                    for name in learners
                ]
                rows.append([arm, str(of["n"].max()), *cells])
            columns: dict[str, Any] = {"arm": {}, "n": _show.NUMBER, **dict.fromkeys(learners, _show.NUMBER)}
            title = f"{experiment.name}: {data}, minus doing nothing: {text}"
            _show.section(out, title, _show.table(columns, rows))


def _laws(out: Any, stored: pd.DataFrame, published: pd.DataFrame) -> None:
    from makeweight.experiments.laws import fit_laws, published_laws

    rows = []
    for source, laws in (("reproduced", fit_laws(stored)), ("published", published_laws(published))):
        for curve in laws:
            law = curve.law
            ends = [f"{part.estimate:.3f} ({part.low:.3f} to {part.high:.3f})" for part in (law.floor_, law.exponent_)]
            fitted = ends if law.identifiable_ else ["-", "-"]
            rows.append([curve.data, curve.learner, curve.arm, source, *fitted, law.reason_])
    columns: dict[str, Any] = {"data": {}, "classifier": {}, "arm": {}, "curve": {}}
    columns |= {"floor": _show.NUMBER, "exponent": _show.NUMBER, "": {}}
    if rows:
        _show.section(out, "scaling law, with 95 % intervals", _show.table(columns, sorted(rows)))


def _means(part: pd.DataFrame, metrics: tuple[str, ...]) -> Any:
    """Lay out arms and stages against metrics: means with half their 95 % interval, and what is published."""
    shown = [name for name in metrics if (part["metric"] == name).any()]
    columns: dict[str, Any] = {"arm": {}, "stage": {}, "n": _show.NUMBER, "failed": _show.NUMBER}
    columns |= dict.fromkeys(shown, _show.NUMBER)
    known = part["published"].notna()
    if known.any():
        columns |= {f"{name} published": _show.NUMBER for name in shown if (known & (part["metric"] == name)).any()}
        columns |= {"difference": _show.NUMBER, "": {}}
    rows = []
    for (arm, stage), values in part.groupby(["arm", "stage"], sort=False, dropna=False):
        of: Any = values.set_index("metric")
        cells = [str(arm), _text(stage), str(values["n"].max()), _show.added(int(values["failed"].max()))]
        for name in shown:
            cells.append(_mean(of.loc[name, "mean"], of.loc[name, "half"]) if name in of.index else "-")
        if known.any():
            cells += _beside(of, [name for name in shown if f"{name} published" in columns])
        rows.append(cells)
    return _show.table(columns, rows)


def _beside(of: Any, names: list[str]) -> list[str]:
    """Return published means, the difference of the first, and whether all are within their sd."""
    cells = [
        _mean(of.loc[name, "published"], of.loc[name, "published_sd"]) if name in of.index else "-" for name in names
    ]
    cells.append(_number(of.loc[names[0], "difference"], "+") if names[0] in of.index else "-")
    verdicts = [value for value in of["within"] if value is not None]
    return [*cells, ("within sd" if all(verdicts) else "outside sd") if verdicts else ""]


def _summary(out: Any, means: pd.DataFrame) -> None:
    known = means[means["within"].notna()]
    if known.empty:
        return
    rows = [
        [
            str(arm),
            str(learner),
            f"{int(part['within'].astype(bool).sum())} of {len(part)}",
            _number(float((part["difference"].abs() / part["published"].abs()).max())),
        ]
        for (arm, learner), part in known.groupby(["arm", "learner"], sort=False)
    ]
    numbers = ("within the published sd", "largest relative difference")
    columns: dict[str, Any] = {"arm": {}, "classifier": {}, **dict.fromkeys(numbers, _show.NUMBER)}
    _show.section(out, "published means reproduced, over all steps and metrics", _show.table(columns, rows))


def _mean(value: float, half: float, sign: str = "") -> str:
    if value != value:
        return "-"
    return f"{value:{sign}.4f}" + (f" ±{half:.4f}" if half == half else "")


def _number(value: float, sign: str = "") -> str:
    return "-" if value != value else f"{value:{sign}.4f}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "-"
