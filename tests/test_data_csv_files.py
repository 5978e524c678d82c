"""A CSV is read whatever wrote it; what is no table gets a sentence that says where and why."""

from __future__ import annotations

import csv
import io
import math
import string
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.spec import SpecError
from models.data import csv_files, example
from models.data.csv_files import CsvOptions, Profile


def read(
    content: str | bytes, tmp: Path, options: CsvOptions = csv_files.AUTO
) -> tuple[Profile, dict[str, list]]:
    """Profile and columns as lists, None for missing."""
    path = tmp / "content"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found, table = csv_files.read_csv(path, "mine.csv", options)
    columns = {str(n): [None if v != v else v for v in table[n].astype("object")] for n in table}
    return found, columns


def kinds(found: Profile) -> dict[str, str]:
    return {c.name: c.kind for c in found.columns}


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    return out.getvalue()


REFUSED = {
    "empty": (b"", "is empty (0 bytes)"),
    "blank lines": (b"\n\r\n\n", "only blank lines"),
    "header only": (b"a,b,c\n", "header of 3 columns ('a', 'b', 'c') and no data row"),
    "ragged above": (
        b"a,b\n1,2\n3,4,5\n6,7\n",
        "Row 2 has 3 cells, but the header names 2 columns",
    ),
    "ragged below the sample": (
        b"a,b\n" + b"1,2\n" * 300_000 + b"1,2,3\n",
        "Line 300002 of the file has 3 cells, but there are 2 columns",
    ),
    "zip": (zipped(), "begins like a ZIP archive"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
    "exe": (b"MZ\x90\x00\x03", "a Windows program"),
    "parquet": (b"PAR1\x15\x04", "a Parquet file"),
    "zero bytes": (b"a,b\n\x00\x00\x00\x01,2\n", "zero bytes"),
    "control characters": (bytes(range(1, 32)) * 40, "control characters"),
    "open quote": (b'a,b\n1,"2\n3,4\n', "a quote that opens in line 2 of the file never closes"),
    "too wide": (
        b",".join(b"c%d" % i for i in range(5001)) + b"\n" + b",".join([b"1"] * 5001),
        "5001 columns",
    ),
    "half a letter": (b"a,b\n1,2\n" + "é".encode("utf-16"), "zero bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    content, sentence = REFUSED[name]
    with pytest.raises(SpecError) as caught:
        read(content, tmp_path)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a,b\n1,2\n", {"a": [1], "b": [2]}),
        ("a,b\n1,2\n3,4\n6,7\n", {"a": [1, 3, 6], "b": [2, 4, 7]}),
        ('a,b\n1,"2"\n3,4\n', {"a": [1, 3], "b": [2, 4]}),
        ("a\n1\n2\n", {"a": [1, 2]}),
    ],
)
def test_the_nearest_table_is_read(content: str, columns: dict, tmp_path: Path) -> None:
    assert read(content, tmp_path)[1] == columns


def test_a_file_beyond_the_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "MAX_BYTES", 8)
    assert read("a,b\n1,2\n", tmp_path)[0].rows == 1
    with pytest.raises(SpecError, match="may have"):
        read("a,b\n1,23\n", tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separator_encoding_and_line_ends_are_found_out(
    separator: str, encoding: str, newline: str, tmp_path: Path
) -> None:
    rows = [
        ["größe", "ort"],
        ["1.5", "Köln"],
        ["-2e3", "Žižkov" if encoding.startswith("utf") else "Épinal"],
    ]
    text = newline.join(separator.join(row) for row in rows) + newline
    found, columns = read(text.encode(encoding), tmp_path)
    assert found.separator == separator
    assert columns == {"größe": [1.5, -2000], "ort": [rows[1][1], rows[2][1]]}


def test_decimal_commas_are_found_out_and_can_be_denied(tmp_path: Path) -> None:
    text = "a;b\n1,5;x\n-2,25;y\n3;z\n"
    found, columns = read(text, tmp_path)
    assert (found.decimal, columns["a"]) == (",", [1.5, -2.25, 3])
    found, columns = read(text, tmp_path, CsvOptions(decimal="point"))
    assert (found.decimal, columns["a"]) == (".", ["1,5", "-2,25", "3"])
    with pytest.raises(SpecError, match="both the columns and the decimals"):
        read(text, tmp_path, CsvOptions(separator="comma", decimal="comma"))


def test_a_header_is_found_out_and_can_be_corrected(tmp_path: Path) -> None:
    found, columns = read("5.1,3.5,setosa\n4.9,3.0,virginica\n", tmp_path)
    assert not found.header
    assert columns == {
        "column 1": [np.float32(5.1), np.float32(4.9)],
        "column 2": [3.5, 3],
        "column 3": ["setosa", "virginica"],
    }
    assert read("x,y\na,b\n", tmp_path)[0].header
    found, columns = read("x,y\na,b\n", tmp_path, CsvOptions(header="no"))
    assert columns == {"column 1": ["x", "a"], "column 2": ["y", "b"]}
    assert list(read("1,2\n3,4\n", tmp_path, CsvOptions(header="yes"))[1]) == ["1", "2"]


def test_column_kinds_are_found_out_and_can_be_corrected(tmp_path: Path) -> None:
    text = "id,zip,day,note,void,b\n" + "".join(
        f"{i},0{i % 3},2024-01-{i + 1:02d},text {i},,{'yes' if i % 2 else 'no'}\n"
        for i in range(25)
    )
    found, columns = read(text, tmp_path)
    assert kinds(found) == {
        "id": "id",
        "zip": "number",
        "day": "date",
        "note": "id",
        "void": "empty",
        "b": "category",
    }
    assert columns["day"][:2] == [19723, 19724]
    found, columns = read(
        text, tmp_path, CsvOptions(column_kinds="zip=category,id=number,day=category")
    )
    assert kinds(found) | {"note": "", "void": ""} == {
        "id": "number",
        "zip": "category",
        "day": "category",
        "note": "",
        "void": "",
        "b": "category",
    }
    assert columns["zip"][:3] == ["00", "01", "02"]
    with pytest.raises(SpecError, match="no such column"):
        read(text, tmp_path, CsvOptions(column_kinds="nowhere=number"))
    with pytest.raises(SpecError, match="set to dates"):
        read(text, tmp_path, CsvOptions(column_kinds="note=date"))


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("1970-01-02", 1),
        ("1970/1/2", 1),
        ("02.01.1970", 1),
        ("31/01/1970", 30),
        ("01/31/1970", 30),
        ("1970-01-01 12:00", 0.5),
        ("1970-01-01T06:00:00", 0.25),
    ],
)
def test_dates_become_days(written: str, days: float, tmp_path: Path) -> None:
    found, columns = read(f"d,x\n{written},1\n{written},2\n", tmp_path)
    assert columns["d"] == [days, days]
    assert kinds(found)["d"] == "date"
    assert ("float32: times are off" in found.notes[0]) == (":" in written)
    half_step = np.spacing(np.float32(20_000)) / 2 * 86_400  # seconds, in our years
    assert 60 < half_step < 90


def test_words_in_a_number_column_are_named_by_column_and_row(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{i},1\n" for i in range(20)) + "?,1\n"
    found, columns = read(text, tmp_path)
    assert columns["a"][-2:] == [19, None]
    assert list(found.numbers) == ["a"]
    assert "'?' in row 21" in found.notes[0]
    assert "'a'" in found.notes[0]


def test_words_far_below_the_sample_are_found_too(tmp_path: Path) -> None:
    rows = 40_000
    text = "a,b,c\n" + "12.5,True,1\n" * rows + "twelve,maybe,2\n"
    found, columns = read(text, tmp_path)
    assert columns["a"][-2:] == [12.5, None]
    assert f"row {rows + 1}" in found.notes[0]
    assert columns["b"][-1] == "maybe"
    late = "a,b\n" + "1,2\n" * 100_000 + "x,2\n" * 100_000
    found, columns = read(late, tmp_path)
    assert kinds(found) == {"a": "category", "b": "number"}


def test_infinite_and_missing_values_are_counted_and_named(tmp_path: Path) -> None:
    found, columns = read("a,b\n1,x\ninf,y\n-Infinity,x\nNaN,y\n1e39,x\n", tmp_path)
    assert columns["a"] == [1, None, None, None, None]
    about = found.columns[0]
    assert (about.missing, about.infinite, about.distinct, about.rows) == (2, 2, 1, 5)
    assert "2 infinite values, the first in row 2" in " ".join(found.notes)


def test_short_rows_are_said_by_line(tmp_path: Path) -> None:
    found, columns = read("a,b,c\n1,2,3\n\n4,5\n6\n7,8,9", tmp_path)
    assert columns["c"] == [3, None, None, 9]
    assert "2 rows with fewer than 3 cells, the first in line 4" in " ".join(found.notes)
    assert not read("a,b,c\n1,2,3\n\n4,5,6\n7,8,9", tmp_path)[0].notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_short_rows_are_said_whatever_the_file_is_written_in(tmp_path: Path, encoding: str) -> None:
    text = 'a,b,y\n1,"2\n3",x\n4\n\n5,6\n7,8,y\n'
    found, columns = read(text.encode(encoding), tmp_path)
    assert columns["a"] == [1, 4, 5, 7]
    assert "2 rows with fewer than 3 cells, the first in line 4" in " ".join(found.notes)
    whole, _ = read(text.replace("\n4\n\n5,6", "").encode(encoding), tmp_path)
    assert not whole.notes


def test_decimal_commas_in_quotes_may_stand_between_commas(tmp_path: Path) -> None:
    text = 'a,b\n"1,5","2"\n"-3,25",4\n"1,125",6\n'
    found, columns = read(text, tmp_path)
    assert (found.separator, found.decimal) == (",", ",")
    assert columns == {"a": [1.5, -3.25, 1.125], "b": [2, 4, 6]}
    thousands, columns = read('a,b\n"1,500",2\n"13,250",4\n', tmp_path)
    assert (thousands.decimal, columns["a"]) == (".", [1500, 13250])
    doubt = next(d for d in thousands.decisions if d.doubtful)
    assert (doubt.column, doubt.others[0].value) == ("a", "a=decimal comma")
    found, columns = read('a,b\n"1,500",2\n"13,250",4\n', tmp_path, CsvOptions(decimal="comma"))
    assert columns["a"] == [1.5, 13.25]


def test_equal_empty_and_hostile_names_stay_usable(tmp_path: Path) -> None:
    hostile = [
        "a",
        "a",
        "",
        "<script>",
        "=cmd()",
        "x\u202ey",
        "n" * 4000,
        'quo"te',
        "new\nline",
        "a (2)",
    ]
    out = io.StringIO()
    csv.writer(out).writerows([hostile, range(10), range(10)])
    found, columns = read(out.getvalue(), tmp_path)
    names = ["a", "a (2)", "column 3", *hostile[3:9], "a (2) (2)"]
    assert list(columns) == names == [c.name for c in found.columns]
    assert found.named == tuple(names)
    assert all(len(note) < 300 and note.isprintable() for note in found.notes)


def test_a_table_from_r_keeps_its_row_names(tmp_path: Path) -> None:
    found, columns = read('"a","b"\n"r1",1,2\n"r2",3,4\n', tmp_path)
    assert columns == {"row": ["r1", "r2"], "a": [1, 3], "b": [2, 4]}
    assert "'row'" in found.notes[0]


def test_a_separator_behind_every_row_is_an_empty_column(tmp_path: Path) -> None:
    found, columns = read("a,b\n1,2,\n3,4,\n", tmp_path)
    assert (columns["a"], columns["b"]) == ([1, 3], [2, 4])
    assert kinds(found)["column 3"] == "empty"


def test_a_wrong_encoding_says_where(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="byte 4 does not fit"):
        read(b"a,b\n\xff,2\n", tmp_path, CsvOptions(encoding="utf-8"))
    assert read(b"a,b\n\xff,2\n", tmp_path)[1] == {"a": ["ÿ"], "b": [2]}


def test_ten_thousand_categories_are_read(tmp_path: Path) -> None:
    text = "c,y\n" + "".join(f"v{i % 10_000},{i % 2}\n" for i in range(30_000))
    about = read(text, tmp_path)[0].columns[0]
    assert (about.kind, about.distinct) == ("category", 10_000)
    texts = "c,y\n" + "".join(f"v{i % 10_000},{i % 2}\n" for i in range(15_000))
    assert read(texts, tmp_path)[0].columns[0].kind == "text"


def test_the_example_is_read_as_written(tmp_path: Path) -> None:
    found, columns = read(example.CONTENT, tmp_path)
    assert (found.rows, found.separator, found.decimal, found.header) == (12, ";", ",", True)
    assert columns["mass"][4] == 1898
    assert columns["discovered"][6] < 0  # Uranus was discovered before 1970
    assert kinds(found)["name"] == "id"


words = st.text(string.ascii_letters + "äéß ,;|\"'\n", min_size=1, max_size=8).map(
    lambda t: f"w{t}w"
)
numbers = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60)
@given(st.data())
def test_a_written_table_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    separator = data.draw(st.sampled_from(",;\t|"))
    decimal = data.draw(st.sampled_from(".," if separator != "," else "."))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    width, rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    columns = [
        data.draw(st.lists(st.none() | (numbers if i % 2 else words), min_size=rows, max_size=rows))
        for i in range(width)
    ]
    names = [f"name {i}" for i in range(width)]
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=separator,
        quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow([*names, "last"])
    for row in zip(*columns, strict=True):
        cells = [
            "" if v is None else v if isinstance(v, str) else repr(v).replace(".", decimal)
            for v in row
        ]
        writer.writerow([*cells, "end"])
    chosen = CsvOptions(
        separator={",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[separator],
        decimal={".": "point", ",": "comma"}[decimal],
        header="yes",
        column_kinds=",".join(
            f"{n}={'number' if i % 2 else 'category'}" for i, n in enumerate(names)
        ),
    )
    _, found = read(out.getvalue().encode(encoding), tmp_path_factory.mktemp("csv"), chosen)
    expected = {
        n: [None if v is None else np.float32(v) if isinstance(v, float) else v for v in c]
        for n, c in zip(names, columns, strict=True)
    }
    assert found == expected | {"last": ["end"] * rows}


def survives(content: bytes, folder: Path, options: CsvOptions = csv_files.AUTO) -> None:
    """Read anything: a table comes out, or a SpecError, and never another exception."""
    try:
        found, columns = read(content, folder, options)
    except SpecError:
        return
    assert found.rows == len(next(iter(columns.values()))) > 0
    assert [c.name for c in found.columns] == list(columns)
    assert all(math.isfinite(c.low) or not c.is_number for c in found.columns)


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_table_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    survives(content, tmp_path_factory.mktemp("bytes"))


@settings(max_examples=250)
@given(
    st.text("01.,;|\t\n\r\"'abé-+eE \x00N/A?inf", max_size=80),
    st.sampled_from(["auto", "yes", "no"]),
    st.sampled_from(["auto", "comma", "semicolon"]),
)
def test_any_text_gives_a_table_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str, header: str, separator: str
) -> None:
    survives(
        text.encode(),
        tmp_path_factory.mktemp("text"),
        CsvOptions(header=header, separator=separator),
    )
