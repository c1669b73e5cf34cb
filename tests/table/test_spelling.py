"""Columns that are written in a style: what is recognised, what is not, and that new values look like the old ones."""

import datetime as dt
import ipaddress
import re
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makeweight import Schema
from makeweight.errors import SchemaError
from makeweight.table import Table
from makeweight.table.containers import to_frame
from makeweight.table.kinds import codec, identifier
from makeweight.table.kinds.identifier import check_of
from makeweight.table.kinds.name_shape import NameShape
from makeweight.table.spelling.reader import read_spelled

START = dt.datetime(2020, 1, 5, 15, 4, 5)
STAMPS = [START + dt.timedelta(days=i, hours=i % 5) for i in range(90)]
DATES = {
    "%d/%m/%Y": "%d/%m/%Y",
    "%m/%d/%Y": "%m/%d/%Y",
    "%m-%d-%Y": "%m-%d-%Y",
    "%Y/%m/%d": "%Y/%m/%d",
    "%Y.%m.%d": "%Y.%m.%d",
    "%d.%m.%Y": "%d.%m.%Y",
    "%d.%m.%y": "%d.%m.%y",
    "%d %B %Y": "%d %b %Y",
    "%B %d, %Y": "%b %d, %Y",
    "%b %d %Y": "%b %d %Y",
    "%d-%b-%y": "%d-%b-%y",
    "%a, %d %b %Y": "%a, %d %b %Y",
    "%A %d %B %Y": "%a %d %b %Y",
    "%Y%m%d": "%Y%m%d",
    "%Y%m%d%H%M%S": "%Y%m%d%H%M%S",
    "%Y%m%d %H:%M": "%Y%m%d %H:%M",
    "%Y-%m-%dT%H:%M:%SZ": "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S+02:00": "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f": "%Y-%m-%d %H:%M:%S.%6f",
    "%m/%d/%Y %I:%M %p": "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %H:%M": "%d/%m/%Y %H:%M",
    "%a %b %d %H:%M:%S %Y": "%a %b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S +0000": "%d/%b/%Y:%H:%M:%S %z",
    "%Y年%m月%d日": "%Y年%m月%d日",
    "%Y%m%dT%H%M%SZ": "%Y%m%dT%H%M%SZ",
    "%Y%m%d-%H%M": "%Y%m%d-%H%M",
    "%Y-%m-%d %H:%M:%S CET": "%Y-%m-%d %H:%M:%S CET",
    "%Hh%M": "%Hh%M",
    "%H%Mh": "%H%Mh",
    "%d%b%Y": "%d%b%Y",
    "%d%b%y:%H:%M:%S": "%d%b%y:%H:%M:%S",
    "%a %b %d %Y %H:%M:%S GMT+0100": "%a %b %d %Y %H:%M:%S GMT%z",
    "%H:%M": "%H:%M",
    "%H:%M:%S": "%H:%M:%S",
    "%I:%M %p": "%I:%M %p",
    "%I %p": "%I %p",
    "%Y-%m": "%Y-%m",
    "%m/%Y": "%m/%Y",
    "%b %Y": "%b %Y",
    "%b-%y": "%b-%y",
}
GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
NEWSPAPER = ["Jan", "Feb", "March", "April", "May"]
RUSSIAN = ["января", "февраля", "марта", "апреля"]
WRITERS = {
    "1/2/2020": lambda t: f"{t.month}/{t.day}/{t.year}",
    "1.2.2020": lambda t: f"{t.day}.{t.month}.{t.year}",
    "Jan 5, 2020": lambda t: f"{t:%b} {t.day}, {t.year}",
    "5. Januar 2020": lambda t: f"{t.day}. {GERMAN[t.month - 1]} {t.year}",
    "March 5, 2020": lambda t: f"{NEWSPAPER[t.month - 1]} {t.day}, {t.year}",
    "5 января 2020": lambda t: f"{t.day} {RUSSIAN[t.month - 1]} {t.year}",
    "2020년 1월 5일": lambda t: f"{t.year}년 {t.month}월 {t.day}일",
    "JAN 05 2020": lambda t: t.strftime("%b %d %Y").upper(),
    "3:04 p.m.": lambda t: f"{(t.hour - 1) % 12 + 1}:{t.minute:02d} {'a.m.' if t.hour < 12 else 'p.m.'}",
    "2020 Q1": lambda t: f"{t.year} Q{(t.month + 2) // 3}",
    "Q1 2020": lambda t: f"Q{(t.month + 2) // 3} {t.year}",
    "+01:00 and +02:00": lambda t: f"{t:%Y-%m-%d %H:%M}{'+01:00' if t.month < 3 else '+02:00'}",
    "1:05:09 of many hours": lambda t: f"{(t - START).days}:{t.minute:02d}:{t.second:02d}",
}


def described(values, kind=None, dtype=object):
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    column = Schema.infer(frame, kinds={"x": kind} if kind else None)["x"]
    return column, frame["x"]


def new_values(column, series, n=300):
    """Return values between the real ones, as a generator that computes them writes them."""
    encoded = Table(series.to_frame("x"), Schema((column,))).encode("x")
    rng = np.random.default_rng(0)
    low, high = np.nanmin(encoded), np.nanmax(encoded)
    values = column.snap(np.round(rng.uniform(low, high, n), column.decimals or 0))
    written = codec(column.kind).decode(column, values)
    assert written.dtype == series.dtype
    checked, rejects = codec(column.kind).check(column, written)
    assert not rejects
    return written, checked


@pytest.mark.parametrize("written", DATES)
def test_dates_are_read_and_written_in_their_own_style(written):
    texts = [stamp.strftime(written) for stamp in STAMPS]
    column, series = described(texts)
    assert (column.kind, column.spelling.form) == ("datetime", DATES[written])
    again = codec(column.kind).decode(column, codec(column.kind).encode(column, series))
    assert again.tolist() == texts
    new, _ = new_values(column, series)
    for text in new:
        dt.datetime.strptime(text, written)
    years = set(read_spelled(new, column.kind, column.spelling.form).values.dt.year)
    assert years <= {1970, 2020}


@pytest.mark.parametrize("name", WRITERS)
def test_styles_without_leading_zeros_and_in_other_languages(name):
    texts = [WRITERS[name](stamp) for stamp in STAMPS]
    column, series = described(texts)
    assert column.kind == "datetime"
    assert codec(column.kind).decode(column, codec(column.kind).encode(column, series)).tolist() == texts
    new_values(column, series)


NUMBERS = {
    "thousands by comma": ["1,037.50", "12.25", "12,034.00"],
    "thousands by dot": ["1.037,50", "12,25", "12.034,00"],
    "thousands by space": ["1 037,50", "12,25", "12 034,00"],
    "thousands by narrow space": ["1\u202f037,5", "12,2", "12\u202f034,0"],
    "thousands by apostrophe": ["1'037.50", "12.25", "12'034.00"],
    "thousands by a curly apostrophe": ["1’037", "12", "12’034’000"],
    "Indian groups": ["12,34,567.5", "1,234.0", "12.5"],
    "decimal comma": ["1,5", "2,25", "-3,75"],
    "dollars": ["$1,037.50", "$12.25", "-$4.00"],
    "minus behind the currency": ["$1,037.50", "$12.25", "$-4.00"],
    "euros behind": ["1.037,50 €", "12,25 €", "-4,00 €"],
    "code of a currency": ["EUR 1.037,50", "EUR 12,25", "EUR 4,00"],
    "Swiss francs": ["CHF 1’037.50", "CHF 12.25", "CHF 4.00"],
    "rupees": ["₹12,34,567", "₹1,234", "₹12"],
    "krona": ["1 037 kr", "12 kr", "4 kr"],
    "percent": ["12.5%", "3.0%", "-1.5%"],
    "percent with a blank": ["12 %", "3 %", "100 %"],
    "kilograms": ["12.5 kg", "3.0 kg", "101.5 kg"],
    "glued unit": ["120km", "35km", "7km"],
    "degrees": ["12.5°C", "-3.0°C", "7.5°C"],
    "words behind": ["3 years", "12 years", "40 years"],
    "accounting brackets": ["(1,037.50)", "12.25", "4.00"],
    "dollars in brackets": ["($1,037.50)", "$12.25", "$4.00"],
    "minus behind": ["1,037.50-", "12.25", "4.00"],
    "typographic minus": ["−5.5", "3.2", "12.0"],
    "plus signs": ["+5", "-3", "+12"],
    "thousands as a letter": ["12.5K", "3.0K", "101.5K"],
    "millions of dollars": ["$2.35M", "$0.16M", "$12.00M"],
    "exponents": ["1.553e+02", "-1.000e-03", "9.120e+11"],
    "short exponents": ["1.5E2", "1.0E-3", "9.1E11"],
    "prices without cents": ["1'037.–", "12.–", "4.–"],
    "prices with a comma and a stroke": ["1037,-", "12,-", "4,-"],
    "plain": ["5.25", "3.50", "12.75"],
    "plain whole": ["512", "37", "12"],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_read_and_written_in_their_own_style(name):
    texts = NUMBERS[name]
    column, series = described(texts)
    assert column.kind in ("continuous", "integer")
    assert codec(column.kind).decode(column, codec(column.kind).encode(column, series)).tolist() == texts
    new, _ = new_values(column, series)
    shapes = read_spelled(new, column.kind, column.spelling.form)
    assert not shapes.values.isna().any()


@pytest.mark.parametrize(
    "texts",
    [
        ["u17", "u18", "u19"],
        ["17a", "18a", "19b"],
        ["007", "012", "130"],
        ["1.2.3", "1.2.4", "1.10.0"],
        ["$5", "€5", "$6"],
        ["12 kg", "3 lb", "4 kg"],
        ["30/02/2020", "31/02/2020", "01/02/2020"],
        ["2020-13-45", "2020-14-01", "2020-01-01"],
        ["25:61", "26:62", "27:63"],
        ["10.0.0.256", "10.0.0.7", "10.0.0.8"],
        ["5/6", "1/2", "3/4"],
        ["ID 5", "ID 6", "ID 7"],
        ["99999999999999999999999", "5", "6"],
        ["May", "June", "July"],
        ["1,23,4", "5", "6"],
        ["ab:cd", "ef:01", "23:45"],
    ],
)
def test_what_has_no_style_stays_text(texts):
    column, _ = described(texts)
    assert column.spelling is None
    assert not column.kind.is_numeric


MEANING = {
    "two styles": lambda i: f"2020-01-{i + 1:02d}" if i % 2 else f"{i + 1:02d}/02/2020",
    "durations": lambda i: f"{i}d {i % 24}h",
    "ISO durations": lambda i: f"PT{i}H{i % 60}M",
    "several currencies": lambda i: f"{'$€£'[i % 3]}{i * 7.5:,.2f}",
    "several units": lambda i: f"{i * 7.5:.1f} {'kg' if i % 2 else 'g'}",
    "padded amounts": lambda i: f"$ {i * 117.5:>12,.2f}",
    "fractions": lambda i: f"{i}/{i + 5}",
    "ratios": lambda i: f"{i}:{100 + i}",
    "limits": lambda i: f"<{i / 4:.2f}",
    "places": lambda i: f"{52 + i / 97:.4f}, {13 + i / 89:.4f}",
    "sizes": lambda i: f"{i}x{i + 3} cm",
    "networks": lambda i: f"10.{i}.0.0/{16 + i % 8}",
    "ports": lambda i: f"10.0.0.{i}:{8000 + i}",
    "padded addresses": lambda i: f"010.000.000.{i:03d}",
    "lists": lambda i: f"[{i}, {i + 1}]",
    "spans": lambda i: f"{i}-{i + 9}",
    "spans of prices": lambda i: f"${10 * i}-${10 * i + 9}",
    "spans with thousands": lambda i: f"{1000 * i:,}-{1000 * i + 999:,}",
    "spans of years": lambda i: f"{1900 + i}-{1901 + i}",
    "spans with a word": lambda i: f"{i}–{i + 4} years",
    "spans, the last one open": lambda i: f"{i}-{i + 4}" if i < 28 else "28+",
    "spans, the first one open": lambda i: f"{i}.5-{i + 1}.5" if i else "<0.5",
    "seasons": lambda i: f"{1990 + i}-{(91 + i) % 100:02d}",
    "weeks": lambda i: f"{2019 + i // 20}-W{i % 20 + 1:02d}",
    "days of weeks": lambda i: f"2019-W{i % 20 + 1:02d}-{i % 7 + 1}",
    "quarters": lambda i: f"{i % 4 + 1}Q{10 + i // 4}",
    "financial years": lambda i: f"FY{1990 + i}",
    "halves": lambda i: f"{1990 + i // 2} H{i % 2 + 1}",
    "days of months": lambda i: f"{i % 28 + 1}.{i % 11 + 1}.",
    "ages": lambda i: f"{i // 12}y {i % 12}m",
    "tolerances": lambda i: f"{i}±{i % 5}",
    "counts with shares": lambda i: f"{i} ({i / 3:.1f}%)",
}


@pytest.mark.parametrize("word", ["unknown", "-", "TBD"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("style", ["dates written %d/%m/%Y", "numbers written like 1234567.50", "IPv4 addresses"])
def test_a_few_words_among_values_of_one_style_are_said(word, times, style):
    writers = {
        "dates written %d/%m/%Y": lambda i: f"{dt.date(2020, 1, 13) + dt.timedelta(i):%d/%m/%Y}",
        "numbers written like 1234567.50": lambda i: f"{i * 1.37:.2f}",
        "IPv4 addresses": lambda i: f"10.0.{i}.7",
    }
    column, _ = described([writers[style](i) for i in range(90)] + [word] * times)
    assert column.kind == "text"
    rows = f"{times} row{'s' * (times > 1)}"
    assert f"but for {word!r} ({rows}) {style}: --missing {word} reads them so" in column.warnings


def test_words_among_names_are_no_style():
    names, _ = described([f"K{i * 37:05d}" for i in range(90)] + ["unknown"] * 2)
    assert not any("but for" in warning for warning in names.warnings)
    many, _ = described([f"{i * 1.37:.2f}" for i in range(90)] + [f"word{chr(97 + i)}" for i in range(20)])
    assert not any("but for" in warning for warning in many.warnings)


@pytest.mark.parametrize("name", MEANING)
def test_values_that_mean_something_are_no_names_of_rows(name):
    column, _ = described([MEANING[name](i) for i in range(29)])
    assert column.kind == "text"


def test_a_number_beside_a_month_is_a_day_or_a_year_and_that_is_said():
    days, _ = described([f"{t:%d %b}" for t in STAMPS])
    assert days.spelling.form == "%d %b"
    assert "could be a year: --kind x=datetime:%y %b decides" in days.warnings[0]
    years, _ = described([f"{t:%b}-{i % 30:02d}" for i, t in enumerate(STAMPS[:40])])
    assert years.spelling.form == "%b-%y"
    leap, series = described(["28 Feb", "29 Feb", "01 Mar"] * 5)
    assert codec(leap.kind).decode(leap, codec(leap.kind).encode(leap, series)).tolist() == series.tolist()


def test_years_are_no_times_of_day():
    clock, _ = described([f"{i * 14 // 60:02d}{i * 14 % 60:02d}" for i in range(90)])
    assert (clock.kind, clock.spelling.form) == ("datetime", "%H%M")
    column, _ = described([str(year) for year in range(1900, 1960)])
    assert column.spelling is None or column.kind != "datetime"


@pytest.mark.parametrize(
    "form", ["K{:04d}", "{:03d}-55-{:04d}", "({0}) 555-{0:04d}", "030/{:06d}", "A/5 {}", "0.{}.{}"]
)
def test_names_of_rows_are_names_of_rows(form):
    column, _ = described([form.format(i * 13 + 1, i * 7 + 2) for i in range(29)])
    assert column.kind == "identifier"


def test_addresses_are_addresses():
    texts = [f"10.{i % 3}.{i * 7 % 250}.{i % 256}" for i in range(300)]
    column, series = described(texts)
    assert (column.kind, column.reason) == ("integer", "IPv4 addresses")
    new, _ = new_values(column, series)
    assert all(ipaddress.IPv4Address("10.0.0.0") <= ipaddress.IPv4Address(text) for text in new)
    few, _ = described([f"10.0.0.{i % 20}" for i in range(300)])
    assert few.kind == "categorical"
    ports, series = described([f"10.0.{i}.7:8080" for i in range(100)])
    assert all(text.endswith(":8080") for text in new_values(ports, series)[0])


def fresh_values(real, n=200):
    column, series = described(real, "identifier")
    values = identifier.fresh(column, series, n, np.random.default_rng(0)).tolist()
    assert len(set(values)) == n
    assert not set(values) & set(real)
    return values


def test_addresses_that_are_keys_stay_addresses():
    rng = np.random.default_rng(1)
    v6 = [str(ipaddress.IPv6Address((0x20010DB8 << 96) + int(rng.integers(2**62)))) for _ in range(50)]
    assert all(ipaddress.IPv6Address(value) in ipaddress.ip_network("2001::/16") for value in fresh_values(v6))
    mac = [":".join(["00", "1a", "2b", *(f"{b:02x}" for b in rng.integers(0, 256, 3))]) for _ in range(50)]
    for value in fresh_values(mac):
        assert value.startswith("00:1a:2b:")
        bytes.fromhex(value.replace(":", ""))


def test_keys_go_on_counting():
    assert fresh_values([f"K{i:04d}" for i in range(7, 60)], 3) == ["K0060", "K0061", "K0062"]
    assert fresh_values([f"row-{i}" for i in range(95)], 6)[-1] == "row-100"
    assert fresh_values([f"{i}/2020" for i in range(1, 40)], 2) == ["40/2020", "41/2020"]
    decimals = fresh_values([Decimal(i) for i in range(30)], 2)
    assert decimals == [Decimal(30), Decimal(31)]


def test_numbers_within_a_key_stay_within_their_bounds():
    rng = np.random.default_rng(0)
    real = [f"rgb({a},{b},{c})" for a, b, c in rng.integers(0, 256, (60, 3)).tolist()]
    for value in fresh_values(real):
        assert max(map(int, re.findall(r"\d+", value))) < 256
    months = [f"令和{1 + i // 12}年{i % 12 + 1}月{i % 28 + 1}" for i in range(60)]
    assert all(1 <= int(value.split("年")[1].split("月")[0]) <= 12 for value in fresh_values(months))
    padded = [f"{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(80)]
    assert all(re.fullmatch(r"(0[1-9]|1[0-2])-\d\d", value) for value in fresh_values(padded, 150))
    numbered = [f"No. {i * 7}" for i in range(60)]  # too few are left within the bounds: they go on above
    assert all(re.fullmatch(r"No\. (0|[1-9]\d*)", value) for value in fresh_values(numbered, 900))


def test_the_chance_in_a_shape_counts_what_is_drawn():
    assert NameShape.of([f"2020-{i:02d}" for i in range(7, 39)]).bits == 5
    assert NameShape.of(["ab12", "cd34"]).bits == pytest.approx(2 * np.log2(10) + 2 * np.log2(6))
    assert NameShape.of([f"K{'xyzuv'[i % 5]}{i % 9}" for i in range(45)]).bits < 6


def test_what_stands_around_a_key_stays():
    rng = np.random.default_rng(0)
    for form in ("#{:06x}", "{{{:08x}}}", "0x{:06X}", "user{}@example.org"):
        pattern = re.escape(form.format(0)).replace("0" * 8, "0").replace("0" * 6, "0")
        pattern = re.sub("0(?!x)", "[0-9a-fA-F]+", pattern, count=1)
        for value in fresh_values([form.format(number) for number in rng.integers(2**20, 2**24, 40)]):
            assert re.fullmatch(pattern, value), value


@pytest.mark.parametrize("version", [1, 4, 7])
def test_uuids_keep_version_and_variant(version):
    rng = np.random.default_rng(0)

    def made():
        bits = int.from_bytes(rng.bytes(16), "big")
        return uuid.UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | version << 76 | 0x2 << 62)

    real = [made() for _ in range(60)]
    for values in (fresh_values(real), [uuid.UUID(value) for value in fresh_values([str(value) for value in real])]):
        assert {value.version for value in values} == {version}
        assert {value.variant for value in values} == {uuid.RFC_4122}


def luhn(digits):
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits + "0"))]
    return digits + str(-sum(d - 9 * (d > 9) for d in doubled) % 10)


def iban(number):
    plain = f"{number:018d}"
    return f"DE{98 - int(plain + '131400') % 97:02d}{plain}"


def ean(number):
    digits = f"400{number:09d}"
    return digits + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda k: luhn(f"4{k:014d}"), "Luhn"),
        (lambda k: "4111-{}-{}-{}".format(*(luhn(f"4111{k % 10**11:011d}")[i : i + 4] for i in (4, 8, 12))), "Luhn"),
        (iban, "IBAN"),
        (ean, "EAN"),
    ],
)
def test_check_digits_are_right(write, name):
    rng = np.random.default_rng(0)
    real = [write(int(k)) for k in rng.integers(10**8, 10**9, 60)]
    assert check_of(real) == name
    assert check_of(fresh_values(real)) == name


def test_whole_numbers_with_check_digits_are_keys():
    rng = np.random.default_rng(0)
    real = [int(luhn(f"4{k:014d}")) for k in rng.integers(10**8, 10**9, 60)]
    column, series = described(real, dtype="int64")
    assert column.kind == "identifier"
    fresh = identifier.fresh(column, series, 100, np.random.default_rng(0))
    assert check_of([str(value) for value in fresh]) == "Luhn"


def test_ambiguous_dates_are_decided_once_and_said():
    texts = [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2020" for i in range(60)]
    column, series = described(texts)
    assert column.spelling.form == "%m/%d/%Y"
    assert "--kind x=datetime:%d/%m/%Y decides" in column.warnings[0]
    other, _ = described(texts, "datetime:%d/%m/%Y")
    assert other.spelling.form == "%d/%m/%Y"
    assert not other.warnings
    assert other.stated == "datetime:%d/%m/%Y"
    sure, _ = described([*texts, "13/01/2020"])
    assert sure.spelling.form == "%d/%m/%Y"
    assert not sure.warnings
    dots, _ = described([text.replace("/", ".") for text in texts])
    assert dots.spelling.form == "%d.%m.%Y"
    with pytest.raises(SchemaError, match="not written in this style"):
        described(texts, "datetime:%Y/%m/%d")
    assert series.tolist() == texts


def test_ambiguous_numbers_are_decided_once_and_said():
    texts = ["1,234", "5,678", "9,012"]
    column, _ = described(texts)
    assert column.kind == "integer"
    assert "1,234 is read as 1234" in column.warnings[0]
    other, series = described(texts, "continuous:1,5")
    assert codec(other.kind).encode(other, series).tolist() == [1.234, 5.678, 9.012]
    whole, series = described(["1.234", "999"], "integer")
    assert codec(whole.kind).encode(whole, series).tolist() == [1234, 999]


@pytest.mark.parametrize("style", ["14/03/2020", "$1,037.50", "192.168.1.7", "15:04", "2,5 %"])
def test_one_reader_whatever_carries_the_values(style, tmp_path):
    from makeweight.table.io import read_table

    writers = {
        "14/03/2020": lambda i: STAMPS[i].strftime("%d/%m/%Y"),
        "$1,037.50": lambda i: f"${i * 137.5:,.2f}",
        "192.168.1.7": lambda i: f"192.168.{i}.7",
        "15:04": lambda i: f"{i % 24:02d}:{i * 7 % 60:02d}",
        "2,5 %": lambda i: f"{i}".replace(".", ",") + ",5 %",
    }
    texts = [writers[style](i) for i in range(60)]
    (tmp_path / "t.csv").write_text("x;n\n" + "".join(f'"{text}";1\n' for text in texts))
    frames = [
        pd.DataFrame({"x": pd.Series(texts, dtype=dtype)}) for dtype in (object, "str", "string", "string[pyarrow]")
    ]
    frames += [to_frame(pa.table({"x": pa.array(texts, kind)})) for kind in (pa.string(), pa.string_view())]
    frames += [to_frame(pl.DataFrame({"x": texts})), read_table(tmp_path / "t.csv").frame[["x"]]]
    columns = [Schema.infer(frame)["x"] for frame in frames]
    assert {(column.kind, column.spelling.form, column.reason) for column in columns} == {
        (columns[0].kind, columns[0].spelling.form, columns[0].reason)
    }


def test_whole_numbers_that_are_dates_stay_dates():
    numbers = [int(stamp.strftime("%Y%m%d")) for stamp in STAMPS]
    for dtype in ("int64", "Int64", "float64", "int32", "int64[pyarrow]"):
        column, series = described(numbers, dtype=dtype)
        assert column.kind == "datetime", dtype
        new, _ = new_values(column, series)
        for value in new:
            dt.datetime.strptime(str(int(value)), "%Y%m%d")
    months, _ = described([202001 + i % 12 + 100 * (i // 12) for i in range(40)], dtype="int64")
    assert months.kind == "datetime"
    keys, _ = described(range(200001, 200061), dtype="int64")
    assert keys.kind == "identifier"
    amounts, _ = described(np.random.default_rng(0).integers(10**7, 10**8, 60), dtype="int64")
    assert amounts.kind == "integer"


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_seconds_since_1970_stay_in_their_range(unit):
    numbers = np.array([int(stamp.timestamp() * unit) + 17 * i for i, stamp in enumerate(STAMPS)], dtype="int64")
    numbers[1::2] += 365 * 86_400 * unit
    column, series = described(numbers, dtype="int64")
    assert column.kind == "integer"
    new, _ = new_values(column, series)
    assert new.between(numbers.min(), numbers.max()).all()


def test_repeated_values_are_codes_however_far_apart():
    for distinct in (3, 4, 10, 15):
        codes = np.random.default_rng(0).integers(-(2**62), 2**62, distinct)
        column, _ = described(np.repeat(codes, 30), dtype="int64")
        assert column.kind == "categorical"


def test_large_floats_are_numbers():
    for values in ([1e20 * i for i in range(1, 40)], [2.0**60 * i for i in range(40)], [1e300, 1e200, 1e100] * 20):
        column, series = described(values, dtype="float64")
        assert column.kind in ("continuous", "categorical")
        back = codec(column.kind).decode(column, codec(column.kind).encode(column, series))
        assert back.tolist() == values


def test_whole_numbers_beyond_floats_are_exact():
    rng = np.random.default_rng(0)
    for values in (2**60 + rng.integers(0, 10**6, 80), rng.integers(-(2**20), 2**20, 80) * 2**40):
        column, series = described(values, dtype="int64")
        assert column.kind == "integer"
        assert codec(column.kind).decode(column, codec(column.kind).encode(column, series)).tolist() == values.tolist()


def test_blanks_among_numbers_are_missing():
    column, series = described(["$5.00", "", "$7.50", "n/a"])
    assert column.n_missing == 2
    assert codec(column.kind).decode(column, np.array([6.0, np.nan])).tolist() == ["$6.00", ""]
    assert not codec(column.kind).check(column, series)[1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=40, unique=True),
    st.sampled_from([0, 1, 2, 4]),
    st.sampled_from(["", ",", ".", " ", "'"]),
    st.sampled_from(["", "$", "€", "EUR "]),
    st.sampled_from(["", " kg", "%", " €"]),
    st.sampled_from(["first", "open", "last"]),
)
def test_any_style_of_numbers_comes_back(units, places, group, before, after, sign):
    mark = "," if group in (".", " ") else "."

    def write(unit):
        head, _, tail = f"{abs(unit) / 10**places:,.{places}f}".partition(".")
        number = head.replace(",", group) + (mark + tail if tail else "")
        return (
            {"first": "-{}", "open": "({})", "last": "{}-"}[sign].format(before + number + after)
            if unit < 0
            else (before + number + after)
        )

    texts = [write(unit) for unit in units]
    column, series = described(texts, "integer" if not places else "continuous")
    assert codec(column.kind).decode(column, codec(column.kind).encode(column, series)).tolist() == texts
