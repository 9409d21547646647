"""Names in tables that differ only by surrounding spaces, which are ignored unless the cell is quoted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..cells import TableRow
from ..plurals import count, verb
from .marked_rows import is_comment

__all__ = ["spaced_names_note"]

#: Names that are listed.
_NAMED = 5


def spaced_names_note(rows: Sequence[TableRow], columns: Iterable[Collection[int]]) -> str | None:
    """Return a note on names that are one name because their spaces are ignored, with their number; None without any.

    Spaces that every cell of a column has are its format, as those after the commas of `a, b, 1.0`.

    Parameters
    ----------
    rows : sequence of TableRow
        Rows below the header.
    columns : iterable of collection of int
        Positions of columns with names, those whose names are of one kind together.
    """
    plain = [row for row in rows if not is_comment(row, {row.cells[0]})]
    merged = sorted({name for of_kind in columns for name in _merged(plain, of_kind)})
    if not merged:
        return None
    more = f" and {len(merged) - _NAMED} more" if len(merged) > _NAMED else ""
    return (
        f"{count(len(merged), 'name')} {verb(len(merged), 'is', 'are')} also written with surrounding spaces, which "
        f"are ignored: {', '.join(map(repr, merged[:_NAMED]))}{more}; quote names whose spaces matter"
    )


def _merged(plain: Sequence[TableRow], columns: Iterable[int]) -> list[str]:
    """Return the names of some columns that are written in several ways."""
    written: dict[str, set[str]] = {}
    for column in columns:
        named = [row for row in plain if column < len(row.cells) and row.cells[column]]
        texts = [row.spaced.get(column, row.cells[column]) for row in named]
        before = all(text != text.lstrip() for text in texts)
        after = all(text != text.rstrip() for text in texts)
        for row, text in zip(named, texts, strict=True):
            if column in row.spaced:
                text = text.lstrip() if before else text
                text = text.rstrip() if after else text
            written.setdefault(row.cells[column], set()).add(text)
    return [name for name, forms in written.items() if len(forms) > 1]
