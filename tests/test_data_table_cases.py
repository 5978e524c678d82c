"""Tables as people really have them: each is read right, and what was decided is said. Every input is made here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.core import export
from models.core.spec import SpecError
from models.data import csv_files, decisions
from models.data.csv_files import CsvOptions, Profile
from models.data.decisions import Decision
from tests import table_cases


def read(
    content: str | bytes, tmp: Path, **options: str
) -> tuple[Profile, dict[str, list], pd.DataFrame]:
    """Profile, columns as lists with None for missing, and the table."""
    path = tmp / "content"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found, table = csv_files.read_csv(path, "mine.csv", CsvOptions(**options))
    lists = {str(n): [None if v != v else v for v in table[n].astype("object")] for n in table}
    return found, lists, table


def said(found: Profile, topic: str, column: str = "") -> Decision:
    return next(
        d for d in found.decisions if d.topic == topic and d.column == column and not d.short
    )


def chosen(found: Profile, one: Decision, k: int = 0) -> dict[str, str]:
    """The setting that takes one of the other readings on offer."""
    return {one.option: str(decisions.put("", one.others[k], one.option))}


def kinds(found: Profile) -> dict[str, str]:
    return {c.name: c.kind for c in found.columns}


# ---- numbers


def test_thousands_beside_small_numbers_are_read_as_thousands_and_said(tmp_path: Path) -> None:
    cells = ["11,549", "414", "12,730", "10,013", "551", "848", "8,694", "956"]
    text = "A\tB\tsize\n" + "".join(f"{k}\t{c}\tlarge\n" for k, c in enumerate(cells))
    found, columns, _ = read(text.encode("utf-16"), tmp_path)
    assert columns["B"] == [11549, 414, 12730, 10013, 551, 848, 8694, 956]
    one = said(found, "numbers", "B")
    assert "11,549" in one.sentence
    _, columns, _ = read(text.encode("utf-16"), tmp_path, **chosen(found, one))
    assert columns["B"][0] == np.float32(11.549)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1 234,5", 1234.5),
        ("1\u00a0234,5", 1234.5),
        ("1\u202f234,5", 1234.5),
        ("1'234.5", 1234.5),
        ("1’234.5", 1234.5),
        ("1,23,456.5", 123456.5),
        ("12,34,567", 1234567),
        ("1,234,567", 1234567),
        ("1.234.567", 1234567),
        ("12.66%", 12.66),
        ("12,66 %", 12.66),
        ("$1,234.50", 1234.5),
        ("1.234,50 €", 1234.5),
        ("£ 3.25", 3.25),
        ("CHF 3.25", 3.25),
        ("3,25 kr", 3.25),
        ("¥1,234,567", 1234567),
        ("(1,234.5)", -1234.5),
        ("($3.25)", -3.25),
        ("\u22123.25", -3.25),
        ("+3.25", 3.25),
        ("3.25-", -3.25),
        ("1.5e-3", 0.0015),
        ("1,5E+03", 1500),
        (".5", 0.5),
        ("５.５", 5.5),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, value: float, tmp_path: Path) -> None:
    found, columns, _ = read(f"name;x\na;{written}\nb;{written}\nc;0\n", tmp_path)
    assert columns["x"] == [np.float32(value), np.float32(value), 0]
    assert kinds(found)["x"] == "number"


@pytest.mark.parametrize(
    "written", ["1,2,3", "12,34", "1.2.3", "3 4", "(3", "1,23,45", "$", "3..5"]
)
def test_what_is_no_number_in_a_column_of_points_is_named(written: str, tmp_path: Path) -> None:
    text = "x;y\n" + "1.5;a\n" * 12 + f"{written};b\n"
    found, columns, _ = read(text, tmp_path)
    assert columns["x"][-1] is None
    assert f"'{written}' in row 13" in said(found, "missing", "x").sentence


def test_a_thousands_sign_far_below_is_seen(tmp_path: Path) -> None:
    rows = [f'{k % 900},"a"' for k in range(5000)]
    rows[4000] = '"1,234","a"'
    _, columns, _ = read("x,y\n" + "\n".join(rows) + "\n", tmp_path)
    assert columns["x"][4000] == 1234
    german = [f"{k % 900};a" for k in range(5000)]
    german[4000] = "1.234;a"
    _, columns, _ = read("x;y\n" + "\n".join(german) + "\n", tmp_path)
    assert columns["x"][4000] == 1234


def test_a_sign_that_nothing_settles_is_named_with_both_readings(tmp_path: Path) -> None:
    text = "a;b\n1,234;x\n2,345;y\n3,456;x\n"
    found, columns, _ = read(text, tmp_path)
    one = said(found, "numbers", "a")
    assert one.doubtful
    assert columns["a"][0] == np.float32(1.234)
    assert "1.234" in one.sentence
    assert "1234" in one.sentence
    _, columns, _ = read(text, tmp_path, **chosen(found, one))
    assert columns["a"] == [1234, 2345, 3456]
    settled, columns, _ = read("a;b\n1,234;x\n2,345;y\n3,4;x\n", tmp_path)  # 3,4 does
    assert columns["a"][0] == np.float32(1.234)
    assert not any(d.doubtful for d in settled.decisions)
    other, columns, _ = read("a;b\n1,234;1.5\n2,345;2.25\n3,456;3\n", tmp_path)  # column b does
    assert columns["a"] == [1234, 2345, 3456]
    assert not any(d.doubtful for d in other.decisions)


@pytest.mark.parametrize(
    "written", ["5.2k", "1/2", "10-20", "12:30", "5 stars", "12.5 N", "2020-W07", "1.2.3", "0x1F"]
)
def test_numbers_in_a_form_that_is_not_read_are_named(written: str, tmp_path: Path) -> None:
    found, columns, _ = read("a,b\n" + f"{written},1.5\n" * 6, tmp_path)
    assert columns["a"] == [written] * 6
    assert written in said(found, "numbers", "a").sentence
    plain, _, _ = read("a,b\n" + "word 7,1.5\n" * 6, tmp_path)
    assert not any(d.column == "a" for d in plain.decisions)


def test_codes_that_look_like_numbers_are_named(tmp_path: Path) -> None:
    for text in ("zip,n\n01234,1\n99999,2\n50000,3\n", "zip,n\n01234,1\n?,2\n50000,3\n"):
        found, columns, _ = read(text, tmp_path)
        assert columns["zip"][0] == 1234
        one = said(found, "numbers", "zip")
        assert one.doubtful
        _, columns, _ = read(text, tmp_path, **chosen(found, one))
        assert columns["zip"][0] == "01234"
    found, _, _ = read("zip,n\n0,1\n0.5,2\n50000,3\n", tmp_path)
    assert not any(d.column == "zip" for d in found.decisions)


@pytest.mark.parametrize("digits", ["١٢٫٥", "۱۲٫۵", "१२.५", "１２．５"])
def test_digits_of_any_script_are_numbers(digits: str, tmp_path: Path) -> None:
    _, columns, _ = read(f"a,b\n{digits},x\n{digits},y\n", tmp_path)
    assert columns["a"] == [12.5, 12.5]


def test_a_number_that_stands_for_nothing_is_asked_about(tmp_path: Path) -> None:
    text = "t,x\n" + "".join(f"{20 + k},{'-999.00' if k % 4 == 0 else k}\n" for k in range(12))
    found, _, _ = read(text, tmp_path)
    one = said(found, "missing", "x")
    assert one.doubtful
    _, columns, _ = read(text, tmp_path, **chosen(found, one))
    assert [k for k, v in enumerate(columns["x"]) if v is None] == [0, 4, 8]
    found, _, _ = read("t,x\n" + "".join(f"{k},{990 + k}\n" for k in range(10)), tmp_path)
    assert not any(d.column == "x" for d in found.decisions)


def test_percent_is_a_number_and_said(tmp_path: Path) -> None:
    text = "loan,rate\n" + "".join(f"{k},{k + 0.25}%\n" for k in range(20))
    found, columns, _ = read(text, tmp_path)
    assert columns["rate"][:2] == [0.25, 1.25]
    assert kinds(found)["rate"] == "number"
    assert "'%' dropped from 20 of 20 cells" in said(found, "numbers", "rate").sentence
    mixed, _, _ = read(text.replace("3.25%", "3.25"), tmp_path)
    assert said(mixed, "numbers", "rate").doubtful


def test_a_number_beyond_float32_is_not_called_infinite(tmp_path: Path) -> None:
    found, columns, _ = read("a,b\n1,x\n1e39,y\n2,x\n", tmp_path)
    assert columns["a"] == [1, None, 2]
    assert found.columns[0].infinite == 0
    assert "1 number beyond 3.4e38" in said(found, "numbers", "a").sentence
    assert read("a,b\n1,x\n3e38,y\n2,x\n", tmp_path)[1]["a"][1] == np.float32(3e38)


# ---- layout


def test_columns_lined_up_with_blanks_are_columns(tmp_path: Path) -> None:
    rows = [f"  {k}.4348   {k + 20:3d}   {k % 2}    0.7{k}\n" for k in range(10, 34)]
    found, columns, table = read("".join(rows), tmp_path)
    assert table.shape == (24, 4)
    assert not found.header
    assert columns["column 1"][0] == np.float32(10.4348)
    assert set(columns["column 3"]) == {0, 1}
    named, columns, _ = read("x    y   z\n1,5  2,5  3\n2,5 3,5  4\n3,5 3,5  4\n", tmp_path)
    assert named.header
    assert columns["x"] == [1.5, 2.5, 3.5]


def test_comment_lines_are_skipped_and_said(tmp_path: Path) -> None:
    text = "# yearly means\n# contact: nobody, nowhere, 0\n#\n# columns: year, mean, uncertainty\nyear,mean,unc\n"
    text += "".join(f"{1959 + k},{315 + k / 2},0.12\n" for k in range(30)) + "# the end\n"
    found, columns, table = read(text, tmp_path)
    assert list(columns) == ["year", "mean", "unc"]
    assert len(table) == 30
    one = said(found, "lines")
    assert "5 comment lines that begin with # skipped (line 1-4, 36)" in one.sentence
    with pytest.raises(SpecError):
        read(text, tmp_path, **chosen(found, one))
    assert len(read(text, tmp_path, skip_lines="1-4,36")[2]) == 30


@pytest.mark.parametrize("mark", ["#", "//", "%", "--"])
def test_a_comment_sign_before_the_names_is_no_part_of_them(mark: str, tmp_path: Path) -> None:
    _found, columns, _ = read(f"{mark} made today\n{mark}x,y\n1,2\n3,4\n5,6\n", tmp_path)
    assert columns == {"x": [1, 3, 5], "y": [2, 4, 6]}


def test_a_line_that_only_says_the_separator_is_obeyed(tmp_path: Path) -> None:
    text = "sep=;\r\nlength;width;kind\r\n" + "".join(
        f"{k}.5;0.29;{'ab'[k % 2]}\r\n" for k in range(24)
    )
    found, columns, _ = read(text, tmp_path)
    assert (found.separator, list(columns), found.rows) == (";", ["length", "width", "kind"], 24)
    assert "separator" in said(found, "lines").sentence


def test_titles_above_the_table_are_skipped_and_said(tmp_path: Path) -> None:
    text = "Sales of all shops\n\nmade 2024\nname;a;b\nx;1;2\ny;3;4\nz;5;6\n"
    found, columns, _ = read(text, tmp_path)
    assert columns == {"name": ["x", "y", "z"], "a": [1, 3, 5], "b": [2, 4, 6]}
    assert "'Sales of all shops'" in said(found, "lines").sentence


@pytest.mark.parametrize("rows", [3, 8, 24])
def test_a_row_of_units_is_no_data(rows: int, tmp_path: Path) -> None:
    text = "time;t;flow;state\n;[°C];[l/min];\n" + "".join(
        f"2020-08-14 {k:02d}:00:00;15.{k + 10};0.41{k + 10};{'on' if k % 2 else 'off'}\n"
        for k in range(rows)
    )
    found, _columns, table = read(text, tmp_path)
    assert len(table) == rows
    assert kinds(found) | {"state": ""} == {
        "time": "date",
        "t": "number",
        "flow": "number",
        "state": "",
    }
    one = said(found, "lines")
    assert "[°C], [l/min]" in one.sentence
    assert len(read(text, tmp_path, **chosen(found, one))[2]) == rows + 1


def test_a_row_of_totals_is_no_data(tmp_path: Path) -> None:
    text = (
        "shop,sold,price\n" + "".join(f"s{k},{k},{k}.5\n" for k in range(1, 9)) + "Total,36,40.0\n"
    )
    found, _, table = read(text, tmp_path)
    assert len(table) == 8
    one = said(found, "lines")
    assert "'Total'" in one.sentence
    assert len(read(text, tmp_path, **chosen(found, one))[2]) == 9


def test_the_header_decides_the_separator(tmp_path: Path) -> None:
    found, columns, _ = read("name,tags\na,red;blue\nb,green;x;y\nc,red;z\n", tmp_path)
    assert found.separator == ","
    assert columns["tags"] == ["red;blue", "green;x;y", "red;z"]


@pytest.mark.parametrize(
    ("text", "sign", "second"),
    [
        ("id,genre\n" + "".join(f"{k},action;drama\n" for k in range(8)), ",", "action;drama"),
        ("id;path\n" + "".join(f"{k};a|b|c\n" for k in range(8)), ";", "a|b|c"),
        ('"a"~"when"\n"42,2"~"Apr 11, 2019"\n"7,25"~"Jan 5, 1992"\n', "~", 17997.0),
        ('a                 when  \n42.2     "Nov 16, 2023"  \n7.25     "Aug 2, 2024"  \n' * 1, r"\s+", 19677.0),
        ('1.5|"Feb 20, 1993"\n2.5|"Nov 4, 1981"\n3.5|"Jan 3, 1984"\n', "|", 8451.0),
    ],
)  # fmt: skip
def test_cells_that_hold_another_separator_do_not_outvote_the_first_line(
    text: str, sign: str, second: object, tmp_path: Path
) -> None:
    found, columns, _ = read(text, tmp_path)
    assert found.separator == sign
    assert list(columns.values())[1][0] == second
    assert not found.skipped


def test_cells_parted_by_two_blanks_may_hold_single_ones(tmp_path: Path) -> None:
    text = "full name   age  city\n" + "".join(
        f"bob {k}       {20 + k}   New York\n" for k in range(6)
    )
    found, columns, _ = read(text, tmp_path)
    assert list(columns) == ["full name", "age", "city"]
    assert columns["age"][:2] == [20, 21]
    assert columns["city"][0] == "New York"
    assert found.separator == r"\s{2,}"


def test_quoted_rows_with_an_index_and_no_name_for_it_are_parted_by_blanks(tmp_path: Path) -> None:
    _, columns, _ = read('"a" "b"\n"1" 2 3\n"2" 4 5\n"3" 5 6\n', tmp_path)
    assert columns == {"row": [1, 2, 3], "a": [2, 4, 5], "b": [3, 5, 6]}


def test_single_quotes_around_cells_are_quotes_and_apostrophes_are_none(tmp_path: Path) -> None:
    found, columns, _ = read("'x','y, z'\n'1','a'\n'2','b, c'\n'3','a'\n", tmp_path)
    assert columns == {"x": [1, 2, 3], "y, z": ["a", "b, c", "a"]}
    assert "'" in said(found, "quotes").sentence
    _, columns, _ = read("x,y\n1,'tis\n2,o'clock\n3,'tis\n", tmp_path)
    assert columns["y"] == ["'tis", "o'clock", "'tis"]


@pytest.mark.parametrize("sign", [":", "~", "|", "^", "\t", ";", ","])
def test_any_usual_separator_is_found(sign: str, tmp_path: Path) -> None:
    found, columns, _ = read(f"a{sign}b{sign}c\n1{sign}x{sign}2.5\n3{sign}y{sign}4.5\n", tmp_path)
    assert found.separator == sign
    assert columns == {"a": [1, 3], "b": ["x", "y"], "c": [2.5, 4.5]}


def test_quotes_behind_a_backslash_belong_to_the_cell(tmp_path: Path) -> None:
    remarks = ['"plain words"', '"12\\" screen, ok"', '"said \\"fine\\", twice"']
    text = "id,remark,label\n" + "".join(f"{k},{remarks[k % 3]},{'ab'[k % 2]}\n" for k in range(24))
    found, columns, table = read(text, tmp_path)
    assert table.shape == (24, 3)
    assert set(columns["remark"]) == {"plain words", '12" screen, ok', 'said "fine", twice'}
    assert "backslash" in said(found, "quotes").sentence


def test_years_may_name_columns(tmp_path: Path) -> None:
    found, columns, _ = read("country,1990,1991,1992\nA,1,2,3\nB,4,5,6\n", tmp_path)
    assert found.header
    assert columns["1991"] == [2, 5]
    assert not read("a,1990,1,x\nb,1991,7,y\n", tmp_path)[0].header


def test_a_header_of_years_is_one_though_the_amounts_might_be_years(tmp_path: Path) -> None:
    rows = "".join(f"r{k},{1900 + 7 * k},{1950 + 9 * k}\n" for k in range(6))
    found, columns, _ = read("country,2019,2020\n" + rows, tmp_path)
    assert found.header
    assert columns["2019"][:2] == [1900, 1907]
    spans = "".join(f"r{k},{1900 + k},{1901 + k}\n" for k in range(6))  # from, to
    assert not read(spans, tmp_path)[0].header


def test_days_may_name_columns(tmp_path: Path) -> None:
    rows = "".join(f"r{k},{k},{2 * k}\n" for k in range(6))
    found, columns, _ = read("item,2020-01-01,2020-02-01\n" + rows, tmp_path)
    assert found.header
    assert columns["2020-02-01"] == [0, 2, 4, 6, 8, 10]
    assert not read("a,2020-01-01,1\nb,2020-02-01,2\nc,2020-03-01,3\n", tmp_path)[0].header


@pytest.mark.parametrize(
    "above",
    [
        "Source:,Office,2020\nDate:,2020-01-01,\n\n",
        "Station,Berlin\nHeight,34\n\n",
        "Results, all runs\n",
        "Results\nof 2020\n",
    ],
)
def test_facts_above_the_table_are_no_part_of_it(above: str, tmp_path: Path) -> None:
    rows = "".join(f"{1.5 * k},{k % 3},{'ab'[k % 2]}\n" for k in range(10))
    found, columns, table = read(above + "x,y,c\n" + rows, tmp_path)
    assert list(columns) == ["x", "y", "c"]
    assert len(table) == 10
    assert "above the table" in said(found, "lines").sentence


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("A,A,B\nx,y,z\n", ["x", "y", "z"]),
        ("Group A,,B\nx,y,z\n", ["x", "y", "z"]),
        ("2020 (a),,2021 (b)\nmin,max,min\n", ["2020 (a) min", "2020 (a) max", "2021 (b) min"]),
    ],
)
def test_a_line_that_groups_columns_leaves_them_their_names(
    head: str, names: list[str], tmp_path: Path
) -> None:
    rows = "".join(f"{1.5 * k},{k % 3},{7 * k}\n" for k in range(10))
    found, columns, table = read(head + rows, tmp_path)
    assert list(columns) == names
    assert len(table) == 10
    assert "groups columns" in said(found, "lines").sentence


def test_names_taken_for_units_can_be_had_back(tmp_path: Path) -> None:
    found, columns, _ = read("Results,all\nx,y\n1,2\n3,4\n5,6\n", tmp_path)
    assert list(columns) == ["Results", "all"]
    one = said(found, "lines")
    names = next(k for k, other in enumerate(one.others) if "names" in other.label)
    _, columns, table = read(
        "Results,all\nx,y\n1,2\n3,4\n5,6\n", tmp_path, **chosen(found, one, names)
    )
    assert list(columns) == ["x", "y"]
    assert len(table) == 3


def test_a_header_that_stands_there_again_is_no_row(tmp_path: Path) -> None:
    rows = [f"{k},{'ab'[k % 2]}\n" for k in range(3000)]
    text = "x,class\n" + "".join(rows) + "x,class\n" + "".join(rows)
    for encoding in ("utf-8", "utf-16", "cp1252"):
        found, columns, table = read(text.encode(encoding), tmp_path)
        assert len(table) == 6000
        assert set(columns["class"]) == {"a", "b"}
        assert "1 more time (line 3002)" in said(found, "lines").sentence


def test_drawn_lines_are_no_rows(tmp_path: Path) -> None:
    psql = " id | name\n----+------\n" + "".join(f"  {k} | bob\n" for k in range(8)) + "(8 rows)\n"
    found, columns, _ = read(psql, tmp_path)
    assert columns["id"] == list(range(8))
    assert any("dashes" in d.sentence for d in found.decisions if d.topic == "lines")
    table = "| a | b |\n|---|:-:|\n" + "".join(f"| {k} | {2 * k} |\n" for k in range(6))
    _, columns, _ = read(table, tmp_path)
    assert columns["b"] == [0, 2, 4, 6, 8, 10]


def test_a_source_below_the_table_is_no_row_though_a_comma_parts_it(tmp_path: Path) -> None:
    text = "x,y,c\n" + "".join(f"{k},{k % 3},a\n" for k in range(9))
    found, columns, _ = read(text + "\nSource: the office, 2020\n", tmp_path)
    assert columns["y"] == [k % 3 for k in range(9)]
    assert "note" in said(found, "lines").sentence
    assert not any(d.topic == "rows" for d in found.decisions)  # it is no short row either
    found, _, _ = read(text + "5,\n" + "7,1,b\n", tmp_path)
    assert "1 row with fewer than 3 cells" in said(found, "rows").sentence


def test_the_columns_of_an_attribute_file_are_read_below_its_attributes(tmp_path: Path) -> None:
    head = "@relation r\n@attribute a numeric\n@attribute b {x,y}\n@data\n"
    found, columns, _ = read(head + "".join(f"{k},{'xy'[k % 2]}\n" for k in range(10)), tmp_path)
    assert columns["column 1"] == list(range(10))
    assert "begin with @" in said(found, "lines").sentence


def test_rows_of_words_without_a_header_are_all_data(tmp_path: Path) -> None:
    found, _, table = read("p,x,s\ne,x,s\np,b,y\ne,x,y\np,x,s\n", tmp_path)
    assert not found.header
    assert len(table) == 5


def test_a_single_column_with_decimal_commas_is_one(tmp_path: Path) -> None:
    _, columns, _ = read("x\n1,5\n2,5\n3,25\n", tmp_path)
    assert columns == {"x": [1.5, 2.5, 3.25]}


def test_separators_at_the_end_of_some_rows_are_cut_and_said(tmp_path: Path) -> None:
    found, columns, _ = read("a,b\n1,2\n3,4,\n5,6\n7,8,,\n", tmp_path)
    assert columns == {"a": [1, 3, 5, 7], "b": [2, 4, 6, 8]}
    assert "2 rows with empty cells beyond the last column" in said(found, "rows").sentence
    deep, _, table = read("a,b\n" + "1,2\n" * 300_000 + "3,4,\n", tmp_path)
    assert len(table) == 300_001
    assert "1 row with empty" in said(deep, "rows").sentence


def test_a_long_cell_is_no_open_quote(tmp_path: Path) -> None:
    _, columns, _ = read("a,b\n1," + "x" * 200_000 + "\n2,y\n", tmp_path)
    assert [len(v) for v in columns["b"]] == [200_000, 1]


def test_a_header_without_a_name_for_the_index_is_no_short_row(tmp_path: Path) -> None:
    found, columns, _ = read("a,b\nr1,1,2\nr2,3,4\nr3,5,6\n", tmp_path)
    assert columns["row"] == ["r1", "r2", "r3"]
    assert not any(d.topic == "rows" for d in found.decisions)


def test_five_thousand_equal_names_are_told_apart_in_steps_that_grow_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Counted(dict):
        def __contains__(self, key: object) -> bool:
            asked.append(1)
            return super().__contains__(key)

    monkeypatch.setattr(csv_files, "dict", Counted, raising=False)
    width = 5000
    path = tmp_path / "content"
    path.write_text(",".join(["x"] * width) + "\n" + ",".join(["1"] * width) + "\n")
    found, _ = csv_files.read_csv(path, "wide.csv")
    assert len({c.name for c in found.columns}) == width
    assert len(found.notes) < 20
    assert len(asked) < 20 * width


# ---- encodings

WORDS = {
    "cp1250": "imię;miasto;x\nZdzisław;Łódź;1\nŚwięta;Gdańsk;2\n",
    "cp1251": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
    "koi8-r": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
    "cp1252": "größe;ort;x\nklein;Köln;1\nSüd;Zürich;2\n",
    "cp1253": "όνομα;πόλη;x\nΓιώργος;Αθήνα;1\nΜαρία;Πάτρα;2\n",
    "cp1254": "ad;şehir;x\nAyşe;Iğdır;1\nÇağla;İzmir;2\n",
    "shift_jis": "名前;都市;x\n太郎;東京;1\nはなこ;大阪;2\n",
    "euc_jp": "名前;都市;x\n太郎;東京;1\nはなこ;大阪;2\n",
    "gb18030": "姓名;城市;x\n张伟;北京;1\n李娜;深圳;2\n",
    "big5": "姓名;城市;x\n張偉;台北;1\n王芳;高雄;2\n",
    "euc_kr": "이름;도시;x\n김철수;서울;1\n이영희;부산;2\n",
    "utf-16-le": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
    "utf-16-be": "姓名;城市;x\n张伟;北京;1\n李娜;深圳;2\n",
    "utf-16": "a;b;x\nc;d;1\ne;f;2\n",
    "utf-32": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
    "utf-32-le": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
    "utf-8-sig": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n",
}


@pytest.mark.parametrize("encoding", WORDS)
def test_letters_are_read_whatever_encoding_they_are_written_in(
    encoding: str, tmp_path: Path
) -> None:
    text = WORDS[encoding]
    found, columns, _ = read(text.encode(encoding), tmp_path)
    rows = [line.split(";") for line in text.split()]
    assert list(columns) == rows[0]
    assert next(iter(columns.values())) == [rows[1][0], rows[2][0]]
    assert found.rows == 2


def test_letters_that_two_encodings_explain_are_named_as_doubtful(tmp_path: Path) -> None:
    content = "ø;x\na;1\nb;2\n".encode("cp1252")
    found, _columns, _ = read(content, tmp_path)
    one = next(d for d in found.decisions if d.topic == "encoding")
    assert one.doubtful
    assert "cp1250" in one.sentence
    other = str(next(c.value for c in one.others if c.value == "cp1250"))
    assert next(iter(read(content, tmp_path, encoding=other)[1])) == "ř"


# ---- dates


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("01-May-2022", 19113),
        ("1 May 2022", 19113),
        ("May 1, 2022", 19113),
        ("1. Mai 2022", 19113),
        ("1 mai 2022", 19113),
        ("1 de mayo de 2022", 19113),
        ("1 maggio 2022", 19113),
        ("3. März 2022", 19054),
        ("3 août 2022", 19207),
        ("5 мая 2022", 19117),
        ("Sun, 01 May 2022", 19113),
        ("2022-05-01T12:00:00Z", 19113.5),
        ("2022-05-01T12:00:00+02:00", 19113 + 10 / 24),
        ("2022-05-01 12:00:00.250", 19113.5),
        ("2022-05-01T12:00:00.250Z", 19113.5),
        ("5/13/2022 1:30 PM", 19125 + 13.5 / 24),
        ("13.5.22", 19125),
        ("20220501", 19113),
        ("2022-05", 19113),
        ("May 2022", 19113),
        ("2022年5月1日", 19113),
        ("2022/05/01", 19113),
        ("20220501T120000", 19113.5),
    ],
)
def test_dates_are_read_as_people_write_them(written: str, days: float, tmp_path: Path) -> None:
    text = "d;x\n" + f'"{written}";1\n' * 4
    found, columns, _ = read(text, tmp_path)
    assert kinds(found)["d"] == "date"
    assert columns["d"] == pytest.approx([days] * 4, abs=0.002)


def test_dates_that_are_none_are_counted_and_named(tmp_path: Path) -> None:
    rows = [f"{k + 1}.3.2020" if k % 4 else "31.02.2020" for k in range(12)]
    text = "d,x\n" + "".join(f"{d},1\n" for d in rows)
    found, _, _ = read(text, tmp_path)
    one = said(found, "dates", "d")
    assert "9 of 12 cells are dates" in one.sentence
    found, columns, _ = read(text, tmp_path, **chosen(found, one))
    assert columns["d"].count(None) == 3
    assert "31.02.2020" in said(found, "missing", "d").sentence


def test_a_month_written_as_a_number_is_asked_about(tmp_path: Path) -> None:
    text = "m,x\n" + "".join(f"2020.{k:02},a\n" for k in range(1, 13))
    found, columns, _ = read(text, tmp_path)
    assert columns["m"][0] == np.float32(2020.01)
    _, columns, _ = read(text, tmp_path, **chosen(found, said(found, "numbers", "m")))
    assert columns["m"][:2] == [18262, 18293]


def test_a_day_far_in_the_future_is_named(tmp_path: Path) -> None:
    text = "d,x\n" + "".join(f"2020-01-{k:02},1\n" for k in range(1, 11))
    found, _, _ = read(text + "9999-12-31,1\n", tmp_path)
    assert "31 December 9999" in said(found, "dates", "d").sentence
    assert "latest" not in said(read(text, tmp_path)[0], "dates", "d").sentence


def test_one_date_proves_which_number_is_the_day(tmp_path: Path) -> None:
    head = "d,x\n" + "03/04/2024,1\n" * 3000
    _, columns, _ = read(head + "01/13/2024,1\n", tmp_path)
    assert columns["d"][0] == (pd.Timestamp("2024-03-04") - pd.Timestamp("1970-01-01")).days
    found, columns, _ = read(head + "13/01/2024,1\n", tmp_path)
    assert columns["d"][0] == (pd.Timestamp("2024-04-03") - pd.Timestamp("1970-01-01")).days
    assert not any(d.doubtful for d in found.decisions)


def test_dates_that_no_cell_settles_are_asked(tmp_path: Path) -> None:
    text = "d,x\n03/04/2024,1\n05/06/2024,1\n"
    found, columns, _ = read(text, tmp_path)
    one = said(found, "dates", "d")
    assert one.doubtful
    assert "4 March 2024" in one.sentence
    assert "3 April 2024" in one.sentence
    first = columns["d"][0]
    again, columns, _ = read(text, tmp_path, **chosen(found, one))
    assert abs(first - columns["d"][0]) == 30
    assert not any(d.doubtful for d in again.decisions)


def test_a_date_of_another_form_far_below_is_read_or_named(tmp_path: Path) -> None:
    text = "d,x\n" + "2024-01-02,1\n" * 3000 + "2024-01-02 12:00,1\nsoon,1\n"
    found, columns, _ = read(text, tmp_path)
    assert columns["d"][-2:] == [19724.5, None]
    assert "'soon' in row 3002" in said(found, "missing", "d").sentence


# ---- missing words and blanks


def test_a_code_of_two_letters_may_be_na(tmp_path: Path) -> None:
    rows = [(c, k) for k in range(4) for c in ("NA", "NL", "NE", "US", "ZA", "FR")]
    text = "country,x\n" + "".join(f"{c},{k}\n" for c, k in rows)
    found, columns, _ = read(text, tmp_path)
    assert columns["country"].count("NA") == 4
    one = said(found, "missing", "country")
    assert read(text, tmp_path, **chosen(found, one))[1]["country"].count(None) == 4


def test_the_word_that_means_missing_is_named_and_can_be_kept(tmp_path: Path) -> None:
    text = "fuel,x\n" + "gas,1\nNA,2\ndiesel,3\ngas,4\n" * 3
    found, columns, _ = read(text, tmp_path)
    assert columns["fuel"].count(None) == 3
    one = said(found, "missing", "fuel")
    assert "'NA' (3 of 12 cells)" in one.sentence
    kept = read(text, tmp_path, **chosen(found, one))[1]
    assert kept["fuel"].count("NA") == 3
    assert read(text, tmp_path, missing_words="diesel")[1]["fuel"].count(None) == 6
    assert read(text, tmp_path, missing_words="fuel=diesel,!NA")[1]["fuel"].count(None) == 3


@pytest.mark.parametrize(
    "word",
    [
        "?",
        "-",
        "--",
        ".",
        "NA",
        "n/a",
        "N/A",
        "null",
        "none",
        "missing",
        "<0.01",
        "< 0,5",
        "k. A.",
        "н/д",
        "s/d",
        "不明",
        "#DIV/0!",
    ],
)
def test_numbers_with_a_word_for_missing_stay_numbers(word: str, tmp_path: Path) -> None:
    text = "x;y\n" + "".join(f"{word if k % 5 == 2 else k + 0.25};a\n" for k in range(40))
    found, columns, _ = read(text, tmp_path)
    assert kinds(found)["x"] == "number"
    assert columns["x"].count(None) == 8
    one = said(found, "missing", "x")
    assert "8 of 40 cells" in one.sentence
    assert f"'{word}' 8 times" in one.sentence
    kept = read(text, tmp_path, **chosen(found, one))[0]
    assert kinds(kept)["x"] != "number"


def test_a_number_may_mean_missing_when_said(tmp_path: Path) -> None:
    text = "x,y\n1,a\n-999,b\n3,a\n"
    assert read(text, tmp_path)[1]["x"] == [1, -999, 3]
    assert read(text, tmp_path, missing_words="x=-999")[1]["x"] == [1, None, 3]


def test_blanks_behind_words_are_cut_and_said(tmp_path: Path) -> None:
    text = "h,passed\n" + "".join(
        f"{k},{'yes ' if k % 2 else 'no'}{'  ' * (k % 3)}\n" for k in range(12)
    )
    found, columns, _ = read(text, tmp_path)
    assert set(columns["passed"]) == {"yes", "no"}
    assert "blanks around the words of" in said(found, "blanks", "passed").sentence
    _composed, columns, _ = read("x,c\n1,e\u0301\n2,\u00e9\n3,\u00e9\u00a0\n", tmp_path)
    assert set(columns["c"]) == {"\u00e9"}
    cased, _, _ = read("x,c\n1,Yes\n2,yes\n3,no\n", tmp_path)
    assert said(cased, "blanks", "c").doubtful


# ---- settings


def test_lines_that_are_no_table_can_be_set(tmp_path: Path) -> None:
    text = "x,y\n1,2\n3,4\n5,6\n7,8\n"
    assert read(text, tmp_path, skip_lines="2-3")[1] == {"x": [5, 7], "y": [6, 8]}
    assert read(text, tmp_path, skip_lines="3, -1")[1] == {"x": [1, 5], "y": [2, 6]}
    with pytest.raises(SpecError, match="names no lines"):
        read(text, tmp_path, skip_lines="first")


def test_another_file_is_read_as_this_one_was(tmp_path: Path) -> None:
    found, _, _ = read(
        "n;d;c\n1,234;03/04/2024;a\n1,5;05/06/2024;b\n", tmp_path, column_kinds="d=month first"
    )
    how = csv_files.kinds_of(found, ["n", "d"])
    _, columns, _ = read("n;d\n1,234;07/08/2024\n2,345;07/08/2024\n", tmp_path, column_kinds=how)
    assert columns["n"][0] == np.float32(1.234)
    assert columns["d"][0] == (pd.Timestamp("2024-07-08") - pd.Timestamp("1970-01-01")).days
    assert not math.isnan(columns["n"][1])


# ---- spreadsheets

BOOK = {
    "notes": [["made today"]],
    "shops": [
        ["Sales", "", ""],
        ["shop", "sold", "day"],
        ["a", 1.5, "2024-01-02"],
        ["b", 2, "2024-01-03"],
        ["c", 3, "2024-01-04"],
    ],
}


@pytest.mark.parametrize("made", [table_cases.xlsx, table_cases.ods])
def test_a_spreadsheet_is_read_whatever_its_ending(
    made: Callable[[table_cases.Sheets], bytes], tmp_path: Path
) -> None:
    found, columns, _ = read(made(BOOK), tmp_path)
    assert columns["shop"] == ["a", "b", "c"]
    assert columns["sold"] == [1.5, 2, 3]
    assert kinds(found)["day"] == "date"
    one = next(d for d in found.decisions if d.topic == "file")
    assert "'shops'" in one.sentence
    assert "'notes'" in one.sentence
    assert "'Sales'" in said(found, "lines").sentence
    with pytest.raises(SpecError, match="Save the table as CSV"):
        read(made(BOOK)[:-200] + bytes(200), tmp_path)


# ---- the script


SCRIPTS = {
    "german": "Name;Preis;Datum;Klasse\nä;1.234,50 €;3. März 2022;ja \nö;3,25 €;4. Mai 2022;nein\nü;k. A.;5. Juni 2022;ja\n".encode(
        "cp1252"
    ),
    "comments": b"# made\n# today, by me\nx,y,z\n[m],[s],\n1.5,2,a\n# no\n2.5,3,b\n3.5,?,a\n4.5,5,b\n",
    "escaped": b'id,remark,x\n1,"12\\" screen, ok",2\n2,plain,3\n3,"said \\"fine\\", twice",4\n',
    "blanks": b"  48.4   75   a\n  30.8   53   b\n  33.2   10   a\n",
    "cut": b"a,b\n1,2\n3,4,\n5,6\n7,8,,\n",
    "totals": b"shop,sold\na,1\nb,2\nc,3\nd,4\nTotal,10\n",
    "wide": "имя;город;x\nИван;Москва;1\nОльга;Тверь;2\n".encode("utf-16"),
    "named": b"a,a,\n1,2,x\n3,4,y\n",
    "marked": b"# made\n#x,y\n1,2\n3,4\n5,6\n",
    "infinite": b"x,y\n1,a\ninf,b\n1e39,a\n",
    "large": b"x,y\n1,a\n1e39,b\n2,a\n",
    "commas": b"x;y;z\n1,5;2;1,234\n2,5;3;2\n",
    "set": b"x,y\n1,a\n-999,b\n2,a\n",
    "book": table_cases.xlsx(BOOK),
    "dates": b"d,e,x\n01/13/2024,2024-01-02T03:04:05Z,1\n02/03/2024,2024-01-02,2\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_reads_what_the_app_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"missing_words": "x=-999"} if name == "set" else {}
    found, _, table = read(SCRIPTS[name], tmp_path, **options)
    functions, lines = csv_files.code(found, CsvOptions(**options), [c.name for c in found.columns])
    (tmp_path / "mine.csv").write_bytes(SCRIPTS[name])
    monkeypatch.chdir(tmp_path)
    head = (
        "from __future__ import annotations\nimport re\nimport numpy as np\nimport pandas as pd\n"
    )
    names: dict[str, Any] = {}
    exec(head + export.source(*functions) + "\n" + "\n".join(lines), names)  # the script
    again = names["table"]
    assert len(again) == len(table)
    for column in table:
        here, there = table[column], again[column]
        if here.dtype == "category":
            assert [None if v != v else v for v in there.astype("object")] == [
                None if v != v else v for v in here.astype("object")
            ]
        else:
            np.testing.assert_array_equal(here.to_numpy(), there.to_numpy("float32"))


@pytest.mark.parametrize("head", ["x1,x2", "A1,B2", "Q1,Q2", "USD1,EUR2", "a.b,c.d", "1st,2nd"])
def test_names_with_digits_are_names(head: str, tmp_path: Path) -> None:
    assert list(read(f"{head}\n1,2\n", tmp_path)[1]) == head.split(",")
