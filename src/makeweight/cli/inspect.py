"""``makeweight inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _show

if TYPE_CHECKING:
    from makeweight.plan import Groups, Plan
    from makeweight.table import Column, Schema
    from makeweight.table.io import TableFile

SHOWN_CATEGORIES = 12
SHOWN_GROUPS = 40


@click.command()
@_options.data_options
@click.option("--target", metavar="COL", help="Column with the labels; without it, only the columns are shown.")
@_options.json_option
def command(
    data: str,
    target: str | None,
    group_by: tuple[str, ...],
    kinds: dict[str, str],
    missing: tuple[str, ...],
    no_header: bool,
    as_json: bool,
) -> None:
    """Show the kind of every column, with the reason, and the groups with their counts.

    Columns that follow from others in every row are named, too.

    DATA is a CSV, TSV, Parquet or Feather file, or - for standard input.
    """
    file = _options.load(data, kinds, missing, no_header)
    schema = _options.infer(file, target, group_by, kinds)
    groups, plan = _groups(file, schema) if target is not None else (None, None)
    if as_json:
        _show.print_json({**_as_dict(file, schema, groups, plan), "determined": _determined(file, schema)})
    else:
        _print(file, schema, groups, plan)


def _groups(file: TableFile, schema: Schema) -> tuple[Groups, Plan]:
    from makeweight.plan import Groups, Plan
    from makeweight.table import Table

    groups = Groups(Table(file.frame, schema))
    return groups, Plan.make(groups)


def _determined(file: TableFile, schema: Schema) -> list[str]:
    """Return how columns follow from others in every row."""
    from makeweight.generators.frame.deriving import find_derived
    from makeweight.table import Table

    return [rule.says(schema.learned) for rule in reversed(find_derived(Table(file.frame, schema)))]


def _warnings(file: TableFile, schema: Schema) -> list[tuple[str, str]]:
    """Return what a user should look at, by column."""
    warnings = [(str(column.name), text) for column in schema.columns for text in column.warnings]
    return [*warnings, *file.notes.items()]


def _as_dict(file: TableFile, schema: Schema, groups: Groups | None, plan: Plan | None) -> dict[str, Any]:
    report: dict[str, Any] = {
        "source": file.source,
        "format": file.format,
        "n_rows": len(file.frame),
        "n_columns": len(schema.columns),
        "target": schema.target,
        "group_by": schema.group_by,
        "columns": [_column_dict(column) for column in schema.columns],
        "warnings": [{"column": name, "warning": text} for name, text in _warnings(file, schema)],
    }
    if groups is not None and plan is not None:
        report["groups"] = [
            {
                "group": groups.describe(entry.group),
                "values": dict(zip(map(str, groups.columns), entry.group, strict=True)),
                "n_real": entry.n_real,
                "n_balance": entry.n_balance,
            }
            for entry in plan
        ]
        report["empty_cells"] = [groups.describe(cell) for cell in groups.empty_cells()]
    return report


def _column_dict(column: Column) -> dict[str, Any]:
    low, high = _range(column) or (None, None)
    categories = column.categories
    return {
        "name": column.name,
        "kind": column.kind.value,
        "reason": column.reason,
        "dtype": str(column.dtype),
        "n_missing": column.n_missing,
        "missing_share": column.missing_share,
        "n_distinct": column.n_distinct,
        "low": low,
        "high": high,
        "decimals": column.decimals,
        "categories": None if categories is None else categories[:100].tolist(),
        "warnings": column.warnings,
    }


def _range(column: Column) -> tuple[str, str] | None:
    """Return the lowest and the highest value as text."""
    import numpy as np

    from makeweight.table.kinds import codec

    if not column.kind.is_numeric or column.low is None:
        return None
    low, high = codec(column.kind).decode(column, np.array([column.low, column.high])).tolist()
    return _plain_value(low), _plain_value(high)


def _plain_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"
    text = str(value)
    return text.removesuffix(" 00:00:00")


def _values(column: Column, width: int) -> str:
    """Return the range, or as many categories as there is room for."""
    limits = _range(column)
    if limits is not None:
        return f"{limits[0]} to {limits[1]}"
    if column.categories is None:
        return f"{column.n_distinct:,} distinct"
    text, end = "", ""
    for position, value in enumerate(column.categories[:SHOWN_CATEGORIES]):
        longer = f"{text}, {value}" if text else str(value)
        left = column.n_distinct - position - 1
        rest = f", +{left:,} more" if left else ""
        if text and len(longer) + len(rest) > width:
            break
        text, end = longer, rest
    return text + end


def _print(file: TableFile, schema: Schema, groups: Groups | None, plan: Plan | None) -> None:
    out = _show.console()
    out.print(f"{file.source}: {len(file.frame):,} rows x {len(schema.columns)} columns")
    # Names, kinds and shares get the room they need; reasons and values share what is left.
    names = min(max(len(str(name)) for name in schema.names), max(12, out.width // 5))
    rest = out.width - 2 - names - len("categorical") - len("missing") - 4 * 2
    reasons = max(8, min(max(len(column.reason) for column in schema.columns), rest // 2))
    values = max(8, rest - reasons)
    columns: dict[str, dict[str, Any]] = {
        "column": {"overflow": "fold", "min_width": names, "max_width": names},
        "kind": {"no_wrap": True, "min_width": len("categorical")},
        "why": {"min_width": reasons, "max_width": reasons},
        "missing": {**_show.NUMBER, "min_width": len("missing")},
        "values": {"no_wrap": True, "overflow": "ellipsis", "max_width": values},
    }
    rows = [
        (
            str(column.name),
            column.kind.value,
            column.reason,
            _show.share(column.n_missing, column.n_rows),
            _values(column, values),
        )
        for column in schema.columns
    ]
    _show.section(out, "columns", _show.table(columns, rows))
    determined = _determined(file, schema)
    if determined:
        lines = _show.table({"": {"overflow": "fold"}}, [(line,) for line in determined], headings=False)
        _show.section(out, "columns that others determine", lines)
    if groups is not None and plan is not None:
        _print_groups(out, groups, plan)
    warned = _warnings(file, schema)
    if warned:
        _show.section(out, "look at", _show.table({"column": _show.NAME, "": {}}, warned, headings=False))
    if groups is None:
        out.print()
        out.print("--target COL also shows the groups.")


def _print_groups(out: Any, groups: Groups, plan: Plan) -> None:
    entries = list(plan)
    rows = [
        (
            groups.describe(entry.group),
            _show.count(entry.n_real),
            _show.share(entry.n_real, plan.n_real),
            _show.added(entry.n_balance),
        )
        for entry in entries[:SHOWN_GROUPS]
    ]
    if len(entries) > SHOWN_GROUPS:
        rows.append((f"and {len(entries) - SHOWN_GROUPS} more: --json has them all", "", "", ""))
    columns = {"group": _show.NAME, "rows": _show.NUMBER, "share": _show.NUMBER, "to balance": _show.NUMBER}
    _show.section(out, f"groups by {', '.join(map(str, groups.columns))}", _show.table(columns, rows))
    empty = groups.empty_cells()
    if empty:
        shown = "; ".join(groups.describe(cell) for cell in empty[:5])
        more = f"; and {len(empty) - 5} more" if len(empty) > 5 else ""
        out.print()
        out.print(f"cells without a single row: {shown}{more}")
