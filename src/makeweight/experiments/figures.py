"""Figures from stored results alone: intervals drawn, published values as hollow marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.evaluation.figures import panels
from makeweight.experiments.laws import WIDTH_OF_MODEL, capacity_rate, fit_laws
from makeweight.experiments.records import DONE
from makeweight.experiments.spec import Experiment, names, read_experiment
from makeweight.experiments.store import Store
from makeweight.experiments.tables import DIFFERENCES, agreement, published_numbers, summarise, versus

__all__ = ["draw_all"]

INK, GREY = "#333333", "#8a8a8a"
#: Okabe and Ito's colours, which colour-blind readers tell apart; an arm has one colour in all figures.
COLOURS = {
    "nothing": INK,
    "real-rows": INK,
    "oracle": INK,
    "ros": "#E69F00",
    "random": "#E69F00",
    "smote": "#56B4E9",
    "adasyn": "#0072B2",
    "weights": "#999999",
    "undersample": "#999999",
    "gpt2_finetuned": "#CC79A7",
    "gpt4": "#CC79A7",
    "smoothed-bootstrap": "#009E73",
    "transport": "#D55E00",
    "transformer": "#7B3FA0",
    "right-structure": INK,
}
LABELS = {
    "right-structure": "the law's own family, fitted",
    "ros": "ROS",
    "random": "ROS",
    "smote": "SMOTE",
    "adasyn": "ADASYN",
    "nothing": "no synthetic row",
    "gpt2_finetuned": "GPT-2 (saw withheld rows)",
    "real-rows": "real rows (withheld)",
    "gpt4": "GPT-4",
    "weights": "class weights",
    "undersample": "undersampling",
}
#: Inches of a page's text width, and of one panel's height.
WIDTH, HEIGHT = 7.2, 2.7
STYLE = {"font.size": 8, "axes.titlesize": 8, "svg.fonttype": "none"}
CONSTANT = float(np.log(2))
#: Name and figure, one after the other.
Drawn = Iterator[tuple[str, Any]]


def draw_all(results: Path, folder: Path) -> Iterator[Path]:
    """Draw every experiment that has results, as SVG and PNG, and yield the files.

    `results` has one folder of a `Store` per experiment, and the figures land in its folder ``figures``; `folder` has
    the published numbers. Without matplotlib it is a MissingDependency.
    """
    for name in names():
        experiment = read_experiment(name)
        rows = Store(results / name).latest()
        if not (rows["status"] == DONE).any():
            continue
        summary = agreement(summarise(rows), published_numbers(experiment, folder))
        for title, figure in DRAWERS[experiment.kind](experiment, summary, rows):
            for suffix in ("svg", "png"):
                path = results / "figures" / f"{title}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(path, dpi=160)
                yield path


def _panels(n: int, columns: int, height: float = HEIGHT) -> tuple[Any, list[Any]]:
    columns = min(columns, n)
    lines = -(-n // columns)
    figure, axes = panels(WIDTH, height * lines + 0.5, lines, columns, STYLE)
    for spare in axes[n:]:
        spare.set_axis_off()
    for ax in axes[:n]:
        ax.tick_params(labelsize=7)
    return figure, axes


def _legend(figure: Any, axes: list[Any]) -> None:
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=7)


def _curve(ax: Any, part: pd.DataFrame, arm: str, x: Callable[[Any], Any], style: str = "-") -> None:
    part = part.sort_values("step")
    colour = COLOURS.get(arm, GREY)
    look = {"fmt": f"o{style}", "color": colour, "ms": 3, "lw": 1, "capsize": 2}
    ax.errorbar(x(part["step"]), part["mean"], yerr=part["half"].fillna(0), label=LABELS.get(arm, arm), **look)
    known = part[part["published"].notna()]
    if len(known):
        look = {"mfc": "none", "mec": colour, "ms": 6, "lw": 0}
        ax.plot(x(known["step"]), known["published"], "o", label="published (hollow)", **look)


def _pairs(chosen: pd.DataFrame, xlabel: str, ylabel: str) -> tuple[Any, list[tuple[Any, str, str, pd.DataFrame]]]:
    """Return a figure and, for every pair of table and classifier, panel, table, classifier and rows."""
    pairs = [
        (str(data), str(learner), part) for (data, learner), part in chosen.groupby(["data", "learner"], sort=False)
    ]
    figure, axes = _panels(len(pairs), 2)
    for ax, (data, learner, _) in zip(axes, pairs, strict=False):
        ax.set_title(f"{data}, {learner}", loc="left", fontsize=8)
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
    return figure, [(ax, *pair) for ax, pair in zip(axes, pairs, strict=False)]


def _published(experiment: Experiment, summary: pd.DataFrame, rows: pd.DataFrame) -> Drawn:
    if experiment.settings.vary == "augmentation":
        yield from _augmentation(experiment, summary, rows)
        return
    for metric, text in (("bce", "balanced log-loss"), ("bce_ranking", "after equal calibration")):
        chosen = summary[summary["metric"] == metric]
        figure, panels = _pairs(chosen, "majority rows, 100 in the minority, then balanced", text)
        for ax, _, _, part in panels:
            for arm in experiment.arms:
                stage = "raw" if arm == "nothing" else "balanced"
                mine = part[(part["arm"] == arm) & (part["stage"] == stage)]
                if len(mine):
                    _curve(ax, mine, arm, lambda step: 100 + 100 * step)
            ax.axhline(CONSTANT, color=GREY, ls=":", lw=0.8)
        _legend(figure, [panel[0] for panel in panels])
        yield f"{experiment.name}-{metric}", figure


def _augmentation(experiment: Experiment, summary: pd.DataFrame, rows: pd.DataFrame) -> Drawn:
    laws = fit_laws(rows)
    chosen = summary[summary["metric"] == "log_bce"]
    measured = chosen["stage"].eq("augmented").groupby([chosen["data"], chosen["learner"]]).transform("any")
    figure, panels = _pairs(
        chosen[measured], "augmentation rows in all; lines: fitted law", "log of the balanced log-loss"
    )
    for ax, data, learner, part in panels:
        for arm in experiment.arms:
            mine = part[(part["arm"] == arm) & (part["stage"] == "augmented")]
            if len(mine):
                _curve(ax, mine, arm, lambda step: 400 * step, style="")
        real = part[part["stage"] == "real"]
        if len(real):
            ax.axhline(float(real["mean"].iloc[0]), color=INK, ls="--", lw=0.8, label=LABELS["real-rows"])
        for curve in laws:
            if (curve.data, curve.learner) == (data, learner) and curve.law.identifiable_:
                grid = np.linspace(0, 1800, 100)
                ax.plot(2 * grid, np.log(curve.law.predict(grid)), color=COLOURS.get(curve.arm, GREY), lw=1)
    _legend(figure, [panel[0] for panel in panels])
    yield experiment.name, figure


def _differences(experiment: Experiment, summary: pd.DataFrame, rows: pd.DataFrame) -> Drawn:
    """Draw paired differences to doing nothing, one line per arm and classifier."""
    for metric, stage, text in DIFFERENCES[experiment.kind]:
        differences = versus(rows, metric, stage)
        if len(differences):
            better = "right" if metric == "auroc" else "left"
            label = f"{text}\nminus that of doing nothing ({better} is better)"
            yield f"{experiment.name}-{metric}", _forest(experiment, differences, label)


def _forest(experiment: Experiment, differences: pd.DataFrame, label: str) -> Any:
    tables = [data for data in experiment.data if data in set(differences["data"])]
    learners = list(dict.fromkeys(differences["learner"]))
    arms = [arm for arm in experiment.arms if arm in set(differences["arm"])]
    columns = min(3, len(tables))
    figure, axes = _panels(len(tables), columns, 0.32 * len(arms) + 1)
    for place_of_panel, (ax, data) in enumerate(zip(axes, tables, strict=False)):
        for k, learner in enumerate(learners):
            part = differences[(differences["data"] == data) & (differences["learner"] == learner)].set_index("arm")
            part = part.reindex(arms)
            place = np.arange(len(arms)) + (k - (len(learners) - 1) / 2) * 0.18
            look = {"fmt": "osD^v"[k % 5], "color": f"C{k}", "ms": 3, "lw": 1, "capsize": 0}
            ax.errorbar(part["difference"], place, xerr=part["half"], label=learner, **look)
        ax.axvline(0, color=INK, lw=0.8)
        ax.locator_params(axis="x", nbins=4)
        ax.set_yticks(range(len(arms)), [LABELS.get(arm, arm) for arm in arms])
        ax.invert_yaxis()
        ax.set_title(data, loc="left", fontsize=8)
        ax.set_xlabel("" if place_of_panel else label, fontsize=7, loc="left")
        if place_of_panel % columns:
            ax.set_yticklabels([])
    _legend(figure, axes)
    return figure


def _capacity(experiment: Experiment, summary: pd.DataFrame, rows: pd.DataFrame) -> Drawn:
    for metric, text in (("divergence", "KL(law || generator), nats"), ("distance", "energy distance from the law")):
        chosen = summary[(summary["metric"] == metric) & np.isfinite(summary["mean"])]
        tables = [data for data in experiment.data if data in set(chosen["data"])]
        if not tables:
            continue
        figure, axes = _panels(len(tables), 2)
        for ax, data in zip(axes, tables, strict=False):
            for arm in experiment.arms:
                mine = chosen[(chosen["data"] == data) & (chosen["arm"] == arm)].sort_values("step")
                if mine.empty:
                    continue
                _curve(ax, mine, arm, lambda step: step)
                rate = capacity_rate(mine)
                if rate is not None:
                    grid = np.geomspace(mine["step"].min(), mine["step"].max(), 50)
                    fitted = rate.predict(grid, np.full(50, WIDTH_OF_MODEL))
                    ax.plot(grid, fitted, color=COLOURS.get(arm, GREY), ls=":", lw=1)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xticks(experiment.steps, [str(step) for step in experiment.steps])
            ax.minorticks_off()
            ax.set_title(data, loc="left", fontsize=8)
            ax.set_xlabel("context rows n; dotted: a + b / √n, fitted")
            ax.set_ylabel(text)
        _legend(figure, axes)
        yield f"{experiment.name}-{metric}", figure


DRAWERS: dict[str, Callable[[Experiment, pd.DataFrame, pd.DataFrame], Drawn]] = {
    "published": _published,
    "same-information": _differences,
    "opal": _differences,
    "capacity": _capacity,
    "simulation": _differences,
}
