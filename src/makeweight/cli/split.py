"""``makeweight split``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _show
from makeweight.errors import FileProblem

if TYPE_CHECKING:
    import numpy as np

    from makeweight.plan import Groups
    from makeweight.table.io import TableFile

#: Parts that a table is cut into, of which some are held out; at most.
MOST_PARTS = 20


@click.command()
@_options.data_options
@_options.target_option
@click.option(
    "--share",
    metavar="S",
    type=_options.Number(0.01, 0.99),
    default=0.25,
    show_default=True,
    help="Share of the rows of every group that is held out, to the nearest twentieth.",
)
@click.option(
    "-o", "--output", metavar="FOLDER", default=".", show_default=True, help="Where train and held are written."
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@_options.seed_option
@_options.json_option
def command(
    data: str,
    group_by: tuple[str, ...],
    kinds: dict[str, str],
    missing: tuple[str, ...],
    no_header: bool,
    target: str,
    share: float,
    output: str,
    force: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Split a table into rows to learn from and rows to judge by, before it is balanced.

    Every group (label x attributes) is split by itself. Rows that are equal in all columns that are learned stay
    together, so that no held-out row was seen. Rows are written as they were, in their order, to train and held with
    the ending of DATA.

    \b
    makeweight split customers.csv --target churn
    makeweight balance train.csv --target churn -o balanced.csv
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    import numpy as np

    from makeweight.measure.splits import Strata
    from makeweight.plan import Groups
    from makeweight.table import Table
    from makeweight.table.files import check_place
    from makeweight.table.io import write_real_rows

    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise FileProblem("not a folder", where=output, hint="-o FOLDER gets train and held")
    file = _options.load(data, kinds, missing, no_header)
    places = {name: str(folder / f"{name}.{file.format}") for name in ("train", "held")}
    for place in places.values() if folder.exists() else ():
        check_place(place, force=force, data=data)
    table = Table(file.frame, _options.infer(file, target, group_by, kinds))
    groups = Groups(table)
    part = max(Fraction(share).limit_denominator(MOST_PARTS), Fraction(1, MOST_PARTS))
    strata = Strata.of(table, groups)
    folds = strata.assign(part.denominator, np.random.default_rng(seed))
    held = folds >= part.denominator - part.numerator  # a group of one row is for learning
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", ~held), ("held", held)):
        write_real_rows(file, np.flatnonzero(rows), places[name])
    lines = _lines(groups, held)
    twins = len(strata.units) - len(np.unique(strata.units))
    if as_json:
        _show.print_json({"source": file.source, "seed": seed, "files": places, "groups": lines, "twins": int(twins)})
        return
    _print(file, places, lines, int(twins), seed, target)


def _lines(groups: Groups, held: np.ndarray) -> list[dict[str, Any]]:
    import numpy as np

    out = np.bincount(groups.codes[held], minlength=len(groups)).tolist()
    counts = zip(groups.keys, groups.counts.tolist(), out, strict=True)
    return [{"group": groups.describe(key), "train": total - away, "held": away} for key, total, away in counts]


def _print(
    file: TableFile, places: dict[str, str], lines: list[dict[str, Any]], twins: int, seed: int, target: str
) -> None:
    out = _show.console()
    n_train, n_held = (sum(line[name] for line in lines) for name in ("train", "held"))
    out.print(f"{file.source}: {n_train:,} rows to {places['train']}, {n_held:,} to {places['held']}, seed {seed}")
    columns = {"group": _show.NAME, "train": _show.NUMBER, "held": _show.NUMBER}
    rows = [(line["group"], _show.count(line["train"]), _show.count(line["held"])) for line in lines[:40]]
    _show.section(out, "groups", _show.table(columns, rows))
    if twins:
        out.print(f"{twins:,} rows repeat another one; equal rows are on one side")
    for line in lines:
        if not line["held"]:
            out.print(f"warning: no row of {line['group']} is held out: it has too few different rows to judge by")
    out.print()
    out.print(f"next: makeweight balance {places['train']} --target {target} -o balanced.{file.format}")
