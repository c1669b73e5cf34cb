"""Reading and writing tables: real rows come back byte for byte, new rows in the column's style."""

import datetime as dt
import io
import os
import stat
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makeweight.errors import FileProblem, SchemaError
from makeweight.table import Kind
from makeweight.table.cells import Style, read_column
from makeweight.table.delimited import DelimitedText, Dialect, Quoting
from makeweight.table.files import check_destination, format_of
from makeweight.table.io import read_table, write_table


def read_bytes(tmp_path, content, name="t.csv", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, **options)


# Cells


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (["1", "2"], "int64", [1, 2]),
        (["1", ""], "Int64", [1, pd.NA]),
        (["+5", "-3"], "int64", [5, -3]),
        ([" 7 ", "8"], "int64", [7, 8]),
        (["1.50", "2.25"], "float64", [1.5, 2.25]),
        (["1e-3", "2"], "float64", [0.001, 2.0]),
        (["1", "inf"], "float64", [1.0, np.inf]),
        (["18446744073709551615", "1"], "uint64", [2**64 - 1, 1]),
        (["true", "false"], "bool", [True, False]),
        (["TRUE", "FALSE", "NA"], "boolean", [True, False, pd.NA]),
        (["5", "None"], "Int64", [5, pd.NA]),
    ],
)
def test_cells_become_values(cells, dtype, values):
    series, _, _ = read_column(pa.array(cells), "x")
    assert str(series.dtype) == dtype
    pd.testing.assert_series_equal(series, pd.Series(values, dtype=dtype, name="x"))


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "012"],
        ["99999999999999999999", "1"],
        ["1,5", "2"],
        ["red", "None"],
        ["2020-02-30", "2020-01-01"],
        ["2020-01-01", "2020-01-01 10:00"],
        ["2020-01-01T10:00:00+01:00", "2020-01-01T10:00:00+02:00"],
        ["yes", "no"],
        ["true", "maybe"],
    ],
)
def test_other_cells_stay_as_they_are(cells):
    series, _, _ = read_column(pa.array(cells), "x")
    assert series.tolist() == cells


@pytest.mark.parametrize("marker", ["", " ", "NA", "NaN", "null", "N/A", "?"])
def test_missing_markers_come_back_as_they_are_written(marker):
    series, style, _ = read_column(pa.array(["1", marker, marker, "", "3"]), "x", missing=["?"])
    assert series.isna().tolist() == [False, True, True, True, False]
    assert style.render(series.iloc[[1]]).to_pylist() == [marker]


@pytest.mark.parametrize(
    ("cells", "value", "text"),
    [
        (["1.50", "2.25"], 3.0, "3.00"),
        (["1.5", "2.25", "3"], 3.0, "3"),
        (["1.0", "2.0"], 3.0, "3.0"),
        (["8.3", "8.300000000000001"], 8.3, "8.3"),
        (["0.001", "1.5e-7"], 1.2345e-7, "1.2e-07"),
        (["true", "false"], True, "true"),
        (["True", "False"], False, "False"),
        (["2020-01-01", "2021-01-01"], pd.Timestamp("2020-05-06"), "2020-05-06"),
        (["2020-01-01 10:00"], pd.Timestamp("2020-05-06 07:08"), "2020-05-06 07:08"),
        (["2020-01-01T10:00:00Z"], pd.Timestamp("2020-05-06 07:08:09", tz="UTC"), "2020-05-06T07:08:09Z"),
        (["2020-01-01T10:00:00.25"], pd.Timestamp("2020-05-06 07:08:09.5"), "2020-05-06T07:08:09.50"),
        ([" a", " b"], "a", " a"),
    ],
)
def test_new_values_are_spelled_like_the_old_ones(cells, value, text):
    _, style, _ = read_column(pa.array(cells), "x")
    assert style.render(pd.Series([value])).to_pylist() == [text]


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        (Kind.CATEGORICAL, ["1.50", "2"], ["1.50", "2"]),
        (Kind.INTEGER, ["007", "012"], [7, 12]),
        (Kind.IDENTIFIER, ["2020-01-01"], ["2020-01-01"]),
        (Kind.DATETIME, ["31/12/2020", "01/02/2021"], ["31/12/2020", "01/02/2021"]),
    ],
)
def test_a_stated_kind_decides(kind, cells, expected):
    series, style, _ = read_column(pa.array(cells), "x", kind=kind)
    assert series.tolist() == expected
    if kind is Kind.DATETIME:
        assert style.render(series).to_pylist() == cells


@pytest.mark.parametrize(("kind", "cells", "message"), [(Kind.CONTINUOUS, ["1", "abc"], "'abc'")])
def test_a_stated_kind_that_does_not_fit_is_refused(kind, cells, message):
    with pytest.raises(SchemaError, match=message):
        read_column(pa.array(cells), "x", kind=kind)


def test_texts_that_look_missing_are_pointed_out():
    _, _, note = read_column(pa.array([*map(str, range(20)), "unknown", "unknown"]), "x")
    assert note == "all numbers but 'unknown' (2 rows): if that stands for missing, --missing 'unknown'"
    _, _, note = read_column(pa.array(["a", "?", "b"]), "x")
    assert note.startswith("'?' in 1 rows")


def test_decimal_commas_are_read_where_the_delimiter_is_no_comma(tmp_path):
    file = read_bytes(tmp_path, "x;y\n1,50;a\n2,25;b\n")
    assert file.frame["x"].tolist() == [1.5, 2.25]
    assert file.styles["x"].render(pd.Series([3.0])).to_pylist() == ["3,00"]


# Delimited text

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_written_lines_are_read_back(rows, delimiter, line_end):
    dialect = Dialect(delimiter=delimiter, line_end=line_end, quoting=(Quoting.ALL, Quoting.VALUES))
    columns = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
    raw = dialect.start(["a", "b"]) + b"".join(dialect.lines(columns))
    text = DelimitedText.parse(raw, where="t", delimiter=delimiter)
    cells = text.cells()
    assert text.names == ("a", "b")
    assert [list(row.values()) for row in cells.to_pylist()] == rows


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n1.50,a\n007,b\n",
        b"x,y\r\n1,a\r\n2,b\r\n",
        b"\xef\xbb\xbfx,y\n1,a\n2,b",
        'größe;"ein;name"\n1,5;"a""b"\n2,5;"c\nd"\n'.encode(),
        b"x\ty\n1\ta\n2\tb\n\n\n",
        b'"x","y"\n"1","a"\nNA,"b"\n',
    ],
)
def test_real_rows_come_back_byte_for_byte(tmp_path, content):
    file = read_bytes(tmp_path, content)
    out = tmp_path / "out.csv"
    write_table(file, file.frame.iloc[:1], out)
    written = out.read_bytes()
    end = b"\r\n" if b"\r\n" in content else b"\n"
    assert written.startswith(content.rstrip(b"\r\n") + end)
    first = content.removeprefix(b"\xef\xbb\xbf").split(end)[1]
    assert written.endswith(first + end)
    again = read_table(out)
    pd.testing.assert_frame_equal(again.frame, pd.concat([file.frame, file.frame[:1]], ignore_index=True))


def test_cells_are_unchanged_when_columns_are_added(tmp_path):
    content = 'x,"y"\n1.50,"a"\n"007",","\n'
    file = read_bytes(tmp_path, content)
    extra = pd.DataFrame({"new": [False, False, True], "why": pd.Series([None, None, "b,c"], dtype=object)})
    out = tmp_path / "out.csv"
    write_table(file, file.frame.iloc[:1], out, extra=extra)
    assert out.read_text() == 'x,y,new,why\n1.50,"a",false,\n007,",",false,\n1.50,"a",true,"b,c"\n'


def test_a_name_is_made_for_a_column_without_one(tmp_path):
    assert list(read_bytes(tmp_path, ",x,y\n0,5.5,a\n1,6.5,b\n").frame.columns) == ["c1", "x", "y"]


def test_columns_are_numbered_without_a_header(tmp_path):
    file = read_bytes(tmp_path, "1,'-1'\n2,'1'\n", header=False)
    assert list(file.frame.columns) == ["c1", "c2"]
    out = tmp_path / "out.csv"
    write_table(file, file.frame.iloc[1:], out)
    assert out.read_text() == "1,'-1'\n2,'1'\n2,'1'\n"


BAD = {
    "empty": (b"", FileProblem, "empty"),
    "blank": (b"\n\n \n", FileProblem, "empty"),
    "latin-1": ("x,y\n1,é\n".encode("latin-1"), FileProblem, r"line 2\).*0xe9"),
    "latin-1 far down": (b"x,y\n" + b"1,a\n" * 40_000 + b"1,\xe9\n", FileProblem, "line 40002"),
    "utf-16": ("x,y\n1,a\n".encode("utf-16"), FileProblem, "UTF-16"),
    "binary": (b"x,y\n\0\1\2,b\n", FileProblem, "binary"),
    "excel": (b"PK\x03\x04....", FileProblem, "Excel"),
    "parquet": (b"PAR1....", FileProblem, "Parquet"),
    "too long": (b"x,y\n1,a\n2,b,c\n", FileProblem, r"line 3\): got 3, expected 2"),
    "too short": (b"x,y\n1,a\n2\n", FileProblem, r"line 3\): got 1, expected 2"),
    "a name short": (b"x,y\n1,2,a\n2,3,b\n", FileProblem, "name missing"),
    "after a quoted line end": (b'x,y\n"1\n2",a\n2\n', FileProblem, "line 4"),
    "open quote": (b'x,y\n1,"a\n2,b\n', FileProblem, "quote"),
    "open quote in the middle": (b'x,y,z\n1,"a,2\n3,b,4\n', FileProblem, "quote"),
    "text after a quote": (b'x,y\n1,"a"b"\n3,4,5\n', FileProblem, "quote"),
    "no rows": (b"x,y\n", SchemaError, "no rows"),
    "no header": (b"0.5,1\n1.5,0\n", SchemaError, "--no-header"),
    "no header, mixed": (b"39,red\n40,blue\n41,red\n", SchemaError, "--no-header"),
    "one name twice": (b"x,x,y\n1,2,a\n", SchemaError, "'x'"),
    "two blank names": (b",c2,,\n1,2,a,b\n", SchemaError, None),
}


@pytest.mark.parametrize("content", [pytest.param(bad, id=name) for name, bad in BAD.items() if bad[2]])
def test_bad_text_is_refused_with_where_and_a_hint(tmp_path, content):
    raw, error, message = content
    with pytest.raises(error, match=message) as caught:
        read_bytes(tmp_path, raw)
    assert "t.csv" in str(caught.value)
    assert caught.value.hint or "binary" in message


def test_names_that_are_numbers_are_fine_beside_a_word(tmp_path):
    assert read_bytes(tmp_path, "2019,2020,label\n1,2,a\n").frame.shape == (1, 3)


def test_a_long_row_does_not_change_the_csv_module(tmp_path):
    import csv

    before = csv.field_size_limit()
    with pytest.raises(FileProblem):
        read_bytes(tmp_path, b"x,y\n1\n")
    assert csv.field_size_limit() == before


# Files


def test_the_name_says_the_format():
    assert [format_of(f"t.{end}") for end in ("csv", "TSV", "parquet", "feather", "pq")] == [
        "csv",
        "tsv",
        "parquet",
        "feather",
        "parquet",
    ]
    with pytest.raises(FileProblem, match=r"gunzip -c t\.csv\.gz"):
        format_of("t.csv.gz")
    with pytest.raises(FileProblem, match="without an extension"):
        format_of("table")


def test_missing_files_and_directories_are_refused(tmp_path):
    (tmp_path / "customers.csv").write_text("x,y\n1,a\n")
    with pytest.raises(FileProblem, match=r"did you mean 'customers\.csv'"):
        read_table(tmp_path / "custmers.csv")
    with pytest.raises(FileProblem, match="working directory"):
        read_table(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(FileProblem, match="directory"):
        read_table(tmp_path)


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
@pytest.mark.parametrize("content", [b"", b"x,y\n1,a\n"])
def test_binary_files_that_are_none_are_refused(tmp_path, name, content):
    with pytest.raises(FileProblem):
        read_bytes(tmp_path, content, name)


@pytest.mark.parametrize("options", [{"header": False}, {"missing": ["?"]}])
def test_options_of_text_files_are_refused_for_others(tmp_path, options):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "t.parquet")
    with pytest.raises(FileProblem, match="only text files"):
        read_table(tmp_path / "t.parquet", **options)


def arrow_table():
    return pa.table(
        {
            "n": pa.array([1, None, 3], pa.int8()),
            "when": pa.array([dt.date(2020, 1, 1), dt.date(2021, 1, 1), None]),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "flag": pa.array([True, False, None]),
        }
    ).replace_schema_metadata({"made by": "hand"})


@pytest.mark.parametrize("end", ["parquet", "feather"])
def test_arrow_files_keep_types_and_metadata(tmp_path, end):
    import pyarrow.feather as pf

    source, out = tmp_path / f"t.{end}", tmp_path / f"out.{end}"
    table = arrow_table()
    (pq.write_table if end == "parquet" else pf.write_feather)(table, source)
    file = read_table(source)
    write_table(file, file.frame.iloc[[1]], out)
    written = (pq.read_table if end == "parquet" else pf.read_table)(out)
    assert written.schema.equals(table.schema, check_metadata=True)
    assert written.to_pylist() == [*table.to_pylist(), table.to_pylist()[1]]


def test_formats_can_be_changed(tmp_path):
    source = tmp_path / "t.parquet"
    pq.write_table(arrow_table(), source)
    file = read_table(source)
    write_table(file, file.frame.iloc[:0], tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines == ["n,when,kind,flag", "1,2020-01-01,a,True", ",2021-01-01,b,False", "3,,a,"]
    text = read_table(tmp_path / "t.csv")
    write_table(text, text.frame.iloc[:1], tmp_path / "u.parquet")
    assert pq.read_table(tmp_path / "u.parquet").num_rows == 4
    write_table(text, text.frame.iloc[:1], tmp_path / "u.tsv", synthetic_only=True)
    assert (tmp_path / "u.tsv").read_text() == "n\twhen\tkind\tflag\n1\t2020-01-01\ta\tTrue\n"


def test_provenance_goes_into_arrow_files(tmp_path):
    source = tmp_path / "t.parquet"
    pq.write_table(arrow_table(), source)
    file = read_table(source)
    extra = pd.DataFrame({"synthetic": [True]})
    write_table(file, file.frame.iloc[:1], tmp_path / "o.parquet", extra=extra, synthetic_only=True)
    assert pq.read_table(tmp_path / "o.parquet").column("synthetic").to_pylist() == [True]


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    file = read_bytes(tmp_path, "x,y\n1,a\n2,b\n")
    out = tmp_path / "out.csv"
    out.write_text("old")
    out.chmod(0o640)
    monkeypatch.setattr(Style, "render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_table(file, file.frame, out)
    assert out.read_text() == "old"
    monkeypatch.undo()
    write_table(file, file.frame, out)
    assert out.read_text() == "x,y\n1,a\n2,b\n1,a\n2,b\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "t.csv"]


def test_a_link_keeps_pointing_to_its_file(tmp_path):
    file = read_bytes(tmp_path, "x,y\n1,a\n2,b\n")
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write_table(file, file.frame.iloc[:0], tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "x,y\n1,a\n2,b\n"


@pytest.mark.skipif(os.name == "nt", reason="there are no device files here")
def test_devices_are_written_to_directly(tmp_path):
    file = read_bytes(tmp_path, "x,y\n1,a\n2,b\n")
    check_destination("/dev/null")
    write_table(file, file.frame, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_disk_is_told(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    file = read_bytes(tmp_path, "x,y\n1,a\n2,b\n")
    with pytest.raises(FileProblem, match="No space left"):
        write_table(file, file.frame, "/dev/full")


def test_places_that_cannot_be_written_to_are_refused_first(tmp_path):
    taken = tmp_path / "taken.csv"
    taken.write_text("old")
    with pytest.raises(FileProblem, match="--force"):
        check_destination(taken)
    check_destination(taken, force=True)
    check_destination("-")
    with pytest.raises(FileProblem, match="mkdir -p"):
        check_destination(tmp_path / "no" / "t.csv")
    with pytest.raises(FileProblem, match="directory"):
        check_destination(tmp_path)
    with pytest.raises(FileProblem, match="unknown kind"):
        check_destination(tmp_path / "t.docx")


class Standard:
    def __init__(self, raw):
        self.buffer = io.BytesIO(raw)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_standard_input_and_output(monkeypatch, kind):
    raw = b"x,y\n1,a\n2,b\n"
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(arrow_table(), sink)
        raw = sink.getvalue()
    monkeypatch.setattr("sys.stdin", Standard(raw))
    file = read_table("-")
    assert (file.source, file.format) == ("standard input", kind)
    out = Standard(b"")
    monkeypatch.setattr("sys.stdout", out)
    write_table(file, file.frame.iloc[:0], "-")
    if kind == "csv":
        assert out.buffer.getvalue() == raw
    else:
        assert pq.read_table(io.BytesIO(out.buffer.getvalue())).equals(arrow_table())


@pytest.mark.parametrize(
    "name", ["telco_churn", "adult_census", "sick", "mammography", "german_credit", "travel_churn", "law_school"]
)
def test_every_cell_of_the_real_tables_is_spelled_as_it_was(data_dir, name):
    path = data_dir / "real" / f"{name}.csv"
    file = read_table(path, header=name != "mammography")
    cells = file.text.cells()
    for column in file.text.names:
        spelled = file.styles[column].render(file.frame[column])
        assert spelled.to_pylist() == cells.column(column).to_pylist()


def test_an_interruption_while_the_place_is_looked_at_leaves_nothing(tmp_path, monkeypatch):
    opened = tempfile.TemporaryFile

    def interrupted(**place):
        with opened(**place):  # the file that tells whether the place takes one
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("makeweight.table.files.tempfile.TemporaryFile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            check_destination(tmp_path / "o.csv")
    assert not list(tmp_path.iterdir())
