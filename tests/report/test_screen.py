"""Tables for a terminal: one line per row, full names and numbers, and a note on what is not shown."""

from __future__ import annotations

import io
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from alchemiscale_lake.report import Table, lay_out

KEY = f"AlchemicalNetwork-{'0123456789abcdef' * 2}-org-campaign-project"
NETWORKS = Table(
    ("name", "scope", "state", "complete", "running", "waiting", "error", "note", "network"),
    [
        ("tyk2", "org-campaign-project", "active", 100, 2, 0, 0, None, KEY),
        ("mcl1", "org-campaign-project", "inactive", 7, 0, 55, 1, "somebody wrote a long note here " * 4, KEY),
    ],
)


def on(width: int, table: Table = NETWORKS, **options: object) -> tuple[list[str], list[str]]:
    screen = lay_out(table, width, **options)  # type: ignore[arg-type]
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(screen.rich())
    return console.file.getvalue().splitlines(), screen.notes  # type: ignore[attr-defined]


def test_at_80_columns_texts_are_cut_and_the_rest_is_whole() -> None:
    lines, notes = on(80)
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert [line.split()[:6] for line in lines[1:]] == [
        ["tyk2", "active", "100", "2", "0", "0"],
        ["mcl1", "inactive", "7", "0", "55", "1"],
    ]
    assert notes == [
        "hidden: network; --keys shows them",
        "shortened: note; a wider terminal, --tsv or -o FILE shows all",
        "in all rows: scope org-campaign-project",
    ]


def test_values_that_all_rows_share_are_noted_before_a_column_is_missing() -> None:
    wide = [(f"name{k}", "tyk2", 3.25, k, "0 to 9" if k else "1", k + 1.0, k + 2.0) for k in range(50)]
    table = Table(("name", "target", "same", "k", "differs", "from", "to"), wide, decimals={"same": 1})
    lines, notes = on(19, table)
    assert lines[0].split() == ["name", "k", "differs"]
    assert notes[0] == "in all rows: target tyk2, same 3.2"
    assert notes[1].startswith("too wide: from, to not shown")
    assert on(80, table)[1] == []

    some = lay_out(table, 19, most_rows=10).notes
    assert some[0] == "in the rows shown: target tyk2, same 3.2"
    assert lay_out(Table(table.columns, wide[:1]), 12).notes[0].startswith("in this row: target tyk2, k 0")


def test_a_long_name_is_shortened_in_its_middle_before_a_column_to_keep_is_missing() -> None:
    names = [f"a-name-of-a-network-that-is-very-long-{k}" for k in range(2)]
    table = Table(
        ("kind", "name", "value", "other"), [("dG", name, 1.5, 2.5) for name in names], keep=("name", "value")
    )
    lines, notes = on(40, table)
    assert [line.split() for line in lines[1:]] == [["dG", f"a-name-of-a-netwo…ry-long-{k}", "1.5"] for k in range(2)]
    assert notes[0].startswith("shortened: name")
    assert on(60, table)[0][1].split() == ["dG", names[0], "1.5", "2.5"]


def test_keys_that_are_wanted_are_shortened_where_they_do_not_fit() -> None:
    key = "{}-0123456789abcdef0123456789abcdef-org-campaign-project"
    table = Table(("scope", "transformation", "stands_for"), [("o-c-p", key.format("Transformation"), key.format("T"))])
    lines, notes = on(80, table, keys=True, short_keys=True)
    assert lines[-1].split() == ["o-c-p", "01234567…", "01234567…"]
    assert notes == ["shortened: transformation, stands_for; a wider terminal, --tsv or -o FILE shows all"]
    assert "…" not in on(200, table, keys=True, short_keys=True)[0][1]
    assert "…" not in on(80, table, keys=True)[0][1]


def test_at_200_columns_all_is_there() -> None:
    lines, notes = on(200, keys=True)
    assert KEY in lines[1]
    assert notes == ["shortened: note; a wider terminal, --tsv or -o FILE shows all"]
    assert on(300, keys=True)[1] == []


def test_a_table_of_nothing_but_keys_shows_them() -> None:
    table = Table(("task",), [(KEY,)])
    lines, notes = on(80, table)
    assert ([line.rstrip() for line in lines], notes) == (["task", KEY], [])


def test_of_many_rows_the_first_and_the_last_are_shown_where_asked() -> None:
    table = Table(("i",), [(i,) for i in range(100)], row_styles=("dim",) * 100)
    lines, notes = on(80, table, most_rows=5)
    assert [int(line) for line in lines[1:]] == [0, 1, 2, 98, 99]
    assert notes == ["5 of 100 rows shown; --tsv or -o FILE shows all"]
    assert len(on(80, table)[0]) == 101


@given(st.integers(0, 10**6), st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(seed: int, width: int) -> None:
    draw = random.Random(seed)

    def cell(kind: int) -> object:
        word = "".join(draw.choices(string.ascii_letters, k=draw.randint(1, 30)))
        return [draw.uniform(-1e6, 1e6), draw.randint(0, 10**9), word, f"{word} {word} {word}", None][kind]

    kinds = [draw.randrange(5) for _ in range(draw.randint(1, 12))]
    table = Table(
        tuple("".join(draw.choices(string.ascii_lowercase + "_ ", k=12)) for _ in kinds),
        [tuple(cell(kind) for kind in kinds) for _ in range(4)],
    )
    lines, _ = on(width, table)
    assert all(len(line) <= width for line in lines)
    shown = " ".join(lines)
    first = table.cells(table.rows[0])[0]
    assert kinds[0] not in (0, 1) or len(first) > width or first in shown


def test_an_empty_table_has_its_header() -> None:
    assert on(80, Table(("a", "b c"), []))[0] == ["a  b c"] or on(80, Table(("a", "b c"), []))[0] == ["   b", "a  c"]


@pytest.mark.parametrize("width", [1, 2, 10])
def test_the_narrowest_terminals_do_not_break_it(width: int) -> None:
    assert on(width)[0]
