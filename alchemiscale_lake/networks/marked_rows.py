"""Lines of tables that start with `#`: comments, or rows of ligands with such names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..cells import TableRow

__all__ = ["is_comment", "sure_names"]


def is_comment(row: TableRow, names: set[str]) -> bool:
    """Return whether a row is a comment: it starts with `#` and a space, or has no number after its first cell.

    Parameters
    ----------
    row : TableRow
    names : set of str
        Unambiguous names in the table, from `sure_names`.

    Raises
    ------
    ValueError
        If it may be either: it reads as a row, and its name without the `#` is in the table.
    """
    if not row.marked:
        return False
    name = row.cells[0]
    bare = name.lstrip("#")
    if not bare or bare[0].isspace() or not any(map(_is_number, row.cells[1:])):
        return True
    if name not in names and bare in names:
        raise ValueError(
            f"begins with # and reads as a row, and there is a ligand {bare!r}; remove the line if it is a comment, or "
            f'quote the name: "{name}"'
        )
    return False


def sure_names(rows: Iterable[TableRow], columns: Sequence[int]) -> set[str]:
    """Return the names in these columns, except those that may be a name with the `#` of a comment.

    Parameters
    ----------
    rows : iterable of TableRow
        Rows of the table.
    columns : sequence of int
        Indices of columns with names.
    """
    return {row.cells[at] for row in rows for at in columns if at < len(row.cells) and not (row.marked and at == 0)}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
