"""Cells of CSV and TSV: what is written is read back, and safe to print."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.cells import csv_line, table_rows, tsv_line
from alchemiscale_lake.printable import printable

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.text(
    st.sampled_from('#"\\\t\n\r,; a\x85\u2028\x00\x1bn'), min_size=1
)
HEADER = ("ligand_i", "ligand_j")


@pytest.mark.parametrize("line", [csv_line, tsv_line])
@given(rows=st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=3))
def test_every_text_is_read_back(line: object, rows: list[tuple[str, str]]) -> None:
    assert callable(line)
    text = "".join(map(line, [HEADER, *rows]))

    found = list(table_rows(text, "names"))

    assert [tuple(row.cells) for row in found] == [HEADER, *rows]
    assert not any(row.marked for row in found)


@given(row=st.tuples(HOSTILE, HOSTILE))
def test_tsv_is_one_safe_line(row: tuple[str, str]) -> None:
    line = tsv_line(row)

    assert printable(line) == line
    assert (line.count("\n"), line.count("\t")) == (1, 1)


@given(row=st.tuples(HOSTILE, HOSTILE))
def test_any_reader_reads_csv(row: tuple[str, str]) -> None:
    text = csv_line(row)

    assert list(csv.reader(io.StringIO(text, newline=""))) == [list(row)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("F/C=C\\F", "F/C=C\\F"),
        (" a", '" a"'),
        ("a\tb", '"a\\tb"'),
        ('"a"', '"\\"a\\""'),
        ("#1", '"#1"'),
        ("é", "é"),
        ("\x1b[2J", '"\\u001b[2J"'),
    ],
)
def test_tsv_cells_stand_as_they_are_unless_they_would_be_misread(text: str, cell: str) -> None:
    assert tsv_line([text, "b"]) == f"{cell}\tb\n"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('"a, b", " c " ,d', ["a, b", " c ", "d"]),
        ('"a ""b""";"c"', ['a "b"', "c"]),
        ('a\t"b ""c"""\t d ', ["a", 'b "c"', "d"]),
        ("a\tb\\tc", ["a", "b\\tc"]),
    ],
)
def test_what_others_write_is_read(line: str, cells: list[str]) -> None:
    (row,) = table_rows(line, "table")

    assert row.cells == cells


def test_lines_are_counted_as_they_stand_in_the_file() -> None:
    rows = list(table_rows('a,b\n\n# c\n"d\ne",f\ng,h\n', "table"))

    assert [(row.number, row.marked) for row in rows] == [(1, False), (3, True), (5, False), (6, False)]
