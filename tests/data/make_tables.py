"""Write the tables of this folder that look like those people have: a weather diary, a warehouse, a spreadsheet.

python tests/data/make_tables.py
"""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

HERE = Path(__file__).parent
N = 180


def weather(rng: np.random.Generator) -> str:
    """A diary with a day per row, as weather stations publish it."""
    lines = ["date,precipitation,temp_max,temp_min,wind,weather"]
    for i in range(N):
        day = dt.date(2012, 1, 1) + dt.timedelta(days=i)
        warm = 12 - 8 * np.cos(i / 58) + rng.normal(0, 2)
        rain = max(0.0, rng.normal(0, 6))
        kind = "snow" if i in range(5, 25) and rain else "rain" if rain > 1 else "sun"
        lines.append(f"{day:%Y/%m/%d},{rain:.1f},{warm:.1f},{warm - rng.gamma(4):.1f},{rng.gamma(3):.1f},{kind}")
    return "\n".join(lines) + "\n"


def warehouse(rng: np.random.Generator) -> pa.Table:
    """An export with decimals, zones, keys of 38 digits and columns that encode dates."""
    start = dt.datetime(2023, 3, 1, 6, tzinfo=dt.UTC)
    hours = np.sort(rng.integers(0, 24 * 300, N)).tolist()
    times = [start + dt.timedelta(hours=h) for h in hours]
    amounts = [Decimal(int(a)).scaleb(-2) for a in rng.integers(500, 900_000, N)]
    rates = [Decimal(int(rate)).scaleb(-18) for rate in rng.integers(10**15, 10**18, N)]
    return pa.table(
        {
            "ORDER_ID": pa.array([Decimal(10**30 + i) for i in range(N)], pa.decimal128(38, 0)),
            "AMOUNT": pa.array(amounts, pa.decimal128(38, 2)),
            "RATE": pa.array(rates, pa.decimal128(38, 18)),
            "ORDERED_AT": pa.array(times, pa.timestamp("us", "Europe/Berlin")),
            "DAY_KEY": pa.array([int(t.strftime("%Y%m%d")) for t in times], pa.int64()),
            "LOADED_NS": pa.array([int(t.timestamp()) * 10**9 for t in times], pa.int64()),
            "REGION": pa.array(rng.choice(["N", "S", "E"], N).tolist(), pa.string_view()).cast(pa.string()),
            "RETURNED": pa.array(["Y" if r < 0.15 else "N" for r in rng.random(N)]),
        }
    )


def spreadsheet(rng: np.random.Generator) -> str:
    """A European spreadsheet: semicolons, decimal commas, thousands by dot, days first, percent and euros."""
    lines = ["Kunde;Datum;Betrag;Rabatt;Uhrzeit;Gewicht;IBAN;bezahlt"]
    for i in range(N):
        day = dt.date(2021, 1, 4) + dt.timedelta(days=int(rng.integers(0, 600)))
        amount = f"{rng.gamma(2) * 900:,.2f}".replace(",", "X").replace(".", ",").replace("X", ".")
        number = f"{int(rng.integers(10**17, 10**18)):018d}"
        iban = f"DE{98 - int(number + '131400') % 97:02d}{number}"
        clock = f"{rng.integers(7, 20):02d}:{rng.integers(0, 60):02d}"
        discount, weight = f"{rng.integers(0, 31)} %", f"{rng.gamma(3):.2f} kg".replace(".", ",")
        paid = "nein" if rng.random() < 0.15 else "ja"
        lines.append(f"K-{i + 1:04d};{day:%d.%m.%Y};{amount} €;{discount};{clock};{weight};{iban};{paid}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    rng = np.random.default_rng(17)
    (HERE / "weather.csv").write_text(weather(rng))
    pa.parquet.write_table(warehouse(rng), HERE / "warehouse.parquet")
    (HERE / "spreadsheet.csv").write_text(spreadsheet(rng))
