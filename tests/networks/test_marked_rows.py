"""Lines that start with `#`: comments, or ligands with such names."""

from __future__ import annotations

import pytest

from alchemiscale_lake.cells import TableRow
from alchemiscale_lake.networks.marked_rows import is_comment, sure_names


def row(*cells: str, marked: bool = True) -> TableRow:
    return TableRow(number=2, cells=list(cells), marked=marked)


@pytest.mark.parametrize(
    ("cells", "comment"),
    [
        (("# from the paper", "1.0"), True),
        (("#",), True),
        (("#17", "no value"), True),
        (("#17", "-1.5"), False),
        (("#17", "x", "1e-3"), False),
    ],
)
def test_a_comment_has_a_space_or_no_number(cells: tuple[str, ...], comment: bool) -> None:
    assert is_comment(row(*cells), set()) == comment


def test_an_unmarked_row_is_never_a_comment() -> None:
    assert not is_comment(row("a", "b", marked=False), {"a"})


def test_what_may_be_either_is_refused_unless_the_table_decides() -> None:
    with pytest.raises(ValueError, match='quote the name: "#17"'):
        is_comment(row("#17", "1.0"), {"17"})
    assert not is_comment(row("#17", "1.0"), {"17", "#17"})


def test_a_marked_first_cell_is_no_sure_name() -> None:
    rows = [row("#1", "2"), row("3", "#4", marked=False), row("5", marked=False)]

    assert sure_names(rows, [0, 1]) == {"2", "3", "#4", "5"}
