"""``makeweight demo``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.cli._report import print_generation, report_of
from makeweight.errors import FileProblem

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from makeweight.cli._effect import Effect

FILES = {"train": "train.csv", "test": "test.csv", "balanced": "balanced.csv"}


@click.command()
@click.option("--output", metavar="DIR", default="makeweight-demo", show_default=True, help="Folder for the files.")
@click.option("--force", is_flag=True, help="Replace files of an earlier demo.")
@_options.seed_option
@click.option(
    "--repeats",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Times the effect is measured.",
)
@_options.json_option
def command(output: str, force: bool, seed: int, repeats: int, as_json: bool) -> None:
    """Balance a real table from end to end, and measure whether it helped.

    The breast-cancer table that scikit-learn ships loses most of its malignant rows, until they are 5 % of
    it; `makeweight balance` then brings them up again. The effect is measured on rows set aside before.
    """
    from makeweight.cli import _effect
    from makeweight.cli._progress import Reporter
    from makeweight.cli._request import BalanceRequest
    from makeweight.cli.balance import run
    from makeweight.table.io import read_table

    start = time.perf_counter()
    out, err = _show.console(), _show.console(err=True)
    folder = Path(output)
    paths = {name: str(folder / file) for name, file in FILES.items()}
    _prepare(folder, paths, force)
    all_splits = _effect.splits(_effect.breast_cancer(), seed, repeats)
    first = next(all_splits)
    for name, side in (("train", first.train), ("test", first.test)):
        _outputs.write(paths[name], side.to_csv(index=False))
    request = BalanceRequest(paths["train"], _effect.TARGET, output=paths["balanced"], seed=seed, force=True)
    if not as_json:
        out.print(f"$ makeweight balance {request.data} --target {request.target} --seed {seed} -o {request.output}")
    outcome = run(request)
    if not as_json:
        print_generation(out, outcome)
    measured = [_effect.measure(first, read_table(paths["balanced"]).frame, seed)]
    with Reporter(err) as progress:
        for number, split in enumerate(all_splits, start=2):
            progress.say(f"measuring the effect, split {number} of {repeats}")
            measured.append(_effect.measure(split, _balanced(split.train, seed + number), seed))
    effect = _effect.summary(measured)
    if as_json:
        _show.print_json({"files": paths, "balance": report_of(outcome), "effect": asdict(effect)})
        return
    _print_effect(out, effect)
    _show.section(out, "files", _show.table({"": {}, " ": {}}, paths.items(), headings=False))
    out.print()
    out.print(f"done in {_show.seconds(time.perf_counter() - start)}; now try")
    out.print(f"  makeweight inspect {paths['train']} --target {_effect.TARGET}")


def _prepare(folder: Path, paths: dict[str, str], force: bool) -> None:
    there = [path for path in paths.values() if Path(path).exists()]
    if there and not force:
        raise FileProblem(
            "there is a demo already", where=there[0], hint="--force replaces it, or choose another --output DIR"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem("cannot make the folder", where=str(folder), got=error.strerror) from error


def _balanced(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    import pandas as pd

    from makeweight.balancing import balance
    from makeweight.cli._effect import TARGET
    from makeweight.table.containers import append_rows

    rows = balance(train, target=TARGET, random_state=seed).frame
    return pd.DataFrame(append_rows(train, rows))


def _print_effect(out: Console, effect: Effect) -> None:
    from makeweight.cli._effect import OURS, SHIFTED

    rows = []
    for arm, metrics in effect.arms.items():
        cells = [f"{m.mean:.3f} ({m.low:.3f} to {m.high:.3f})" for m in metrics.values()]
        rows.append((arm, *cells))
    columns = {"arm": {"no_wrap": True}, "balanced log-loss": {}, "AUROC": {}}
    n = effect.repeats
    splits = f"mean over {n} splits, and their middle 80 %" if n > 1 else "one split"
    _show.section(out, f"effect on rows set aside ({splits})", _show.table(columns, rows))
    best = min(effect.arms, key=lambda arm: effect.arms[arm]["balanced_log_loss"].mean)
    won = effect.makeweight_better_in
    out.print()
    out.print("Learner: logistic regression. Balanced log-loss: mean over the two classes; lower is better.")
    out.print("The logit shift moves every score by the training odds, and needs no new row.")
    out.print(
        f"Lowest mean balanced log-loss: {best}. Against {SHIFTED!r}, {OURS} was better in "
        f"{won['balanced_log_loss'][SHIFTED]} of {n} splits by balanced log-loss and in "
        f"{won['auroc'][SHIFTED]} of {n} by AUROC."
    )
