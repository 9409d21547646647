"""Layout of a table for a terminal: one line per row, names and numbers never wrapped.

Columns of keys (60 characters each) are hidden unless requested. A table wider than the terminal is shortened: first
long texts and keys, then columns that have the same value in all rows, then columns from the right, those to keep last,
after their long names were shortened, and never the first one; both ends of an interval are shown or omitted together.
Notes below give the values that all rows share, and list what is missing and how to show it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ..plurals import part
from ..printable import printable
from .table import ERROR, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

__all__ = ["Screen", "lay_out"]

#: A gufe key, a ScopedKey, an attempt id or a digest.
_KEY: Final = re.compile(r"(?:[A-Za-z_]\w*-)?[0-9a-f]{32,64}(?:-[^-\s]+-[^-\s]+-[^-\s]+)?")
#: First digits of its token.
_TOKEN: Final = re.compile(r"[0-9a-f]{8}(?=[0-9a-f]{24})")
#: Where a header may be broken.
_WORDS: Final = re.compile(r"(?<=[ _])")
#: Words that distinguish the two ends of an interval.
_END: Final = re.compile(r"(^|[_ ])(low|high|from|to)$")
#: Minimum width of a shortened text.
_LEAST_TEXT: Final = 24
#: Maximum number of omitted columns that are named.
_NAMED: Final = 6
#: Spaces between two columns.
_GAP: Final = 2


class Screen:
    """Displayed part of a table.

    Attributes
    ----------
    notes : list of str
        Omitted parts, and how to show them.
    """

    def __init__(self, columns: Sequence[_Column], table: Table, shown: Sequence[int], notes: list[str]) -> None:
        self._columns = columns
        self._table = table
        self._shown = shown
        self.notes = notes

    def rich(self) -> RichTable:
        """Build the table for a terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        built = RichTable(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
        for column in self._columns:
            built.add_column(
                Text(column.header),
                justify="right" if column.is_number else "left",
                style=self._table.styles.get(column.name),
                no_wrap=not column.wraps,
                width=column.width,
            )
        styles = self._table.row_styles or [None] * len(self._table.rows)
        for k, row in enumerate(self._shown):
            # Text: a name such as "[bold]" is a name, not markup
            cells = [Text(c.cells[k], style="red" if c.cells[k] == ERROR else "") for c in self._columns]
            built.add_row(*cells, style=styles[row])
        return built


class _Column:
    """One column as text."""

    def __init__(self, name: str, values: Sequence[Any], cells: Sequence[str], *, wraps: bool) -> None:
        self.wraps = wraps
        self.name = printable(name)
        self.cells = [printable(cell) for cell in cells]
        self.is_cut = False
        given = [value for value in values if value is not None]
        self.is_number = any(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given)
        self.is_key = bool(given) and all(isinstance(v, str) and _KEY.fullmatch(v) for v in given)
        is_string = bool(given) and all(isinstance(v, str) for v in given)
        self.is_name = is_string and not self.is_key and not any(" " in v for v in given)
        self.common = self._common()
        self.is_text = any(isinstance(v, (list, tuple, dict)) or (isinstance(v, str) and " " in v) for v in given)
        self.widest = max([0, *map(_width, self.cells)])
        self.width = max(self.widest, _width(self.name))

    def _common(self) -> str | None:
        """Return a short text that all cells have."""
        cells = set(self.cells)
        text = cells.pop() if len(cells) == 1 else None
        is_long = self.is_key or _END.search(self.name) or _width(text or "") > _LEAST_TEXT
        return None if is_long else text or None

    def break_header(self) -> None:
        """Wrap the header, so that it is no wider than the cells or its longest word."""
        self.width = max([self.widest, *(_width(word.rstrip()) for word in _WORDS.split(self.name))])

    def narrow(self, width: int) -> None:
        """Wrap texts, or shorten every cell, to a width."""
        self.width = width
        if not (self.wraps and self.is_text):
            cut = _cut_middle if self.is_name else _cut
            self.cells = [cell if _width(cell) <= width else cut(cell, width) for cell in self.cells]
            self.is_cut = True

    def shorten_keys(self) -> None:
        """Shorten every key to the first digits of its token."""
        self.cells = [_short_key(cell) for cell in self.cells]
        self.widest = max([0, *map(_width, self.cells)])
        self.is_cut = True
        self.break_header()

    @property
    def header(self) -> str:
        """Return the name, wrapped between words."""
        lines = [""]
        for word in _WORDS.split(self.name):
            if lines[-1] and _width((lines[-1] + word).rstrip()) > self.width:
                lines.append("")
            lines[-1] += word
        short = (line.rstrip() for line in lines)
        return "\n".join(line if _width(line) <= self.width else _cut(line, self.width) for line in short)


def lay_out(
    table: Table, width: int, *, keys: bool = False, short_keys: bool = False, most_rows: int | None = None
) -> Screen:
    """Lay a table out for a terminal.

    Parameters
    ----------
    table : Table
    width : int
        Width of the terminal in characters.
    keys : bool
        Show columns that contain only keys.
    short_keys : bool
        Shorten keys before columns are left out, to 8 digits of their token.
    most_rows : int, optional
        Maximum number of rows; of more, the first and the last are shown.
    """
    positions = _positions(len(table.rows), most_rows)
    rows = [table.rows[k] for k in positions]
    texts = [table.cells(row) for row in rows]
    columns = [
        _Column(name, [row[k] for row in rows], [cells[k] for cells in texts], wraps=table.is_sheet)
        for k, name in enumerate(table.columns)
    ]
    shown = columns if keys else [column for column in columns if not column.is_key] or columns
    hidden = [column.name for column in columns if column not in shown]
    fitting = _fitted(shown, width, table.keep, short_keys=short_keys)
    notes = []
    if hidden:
        notes.append(f"hidden: {', '.join(hidden)}; --keys shows them")
    cut = [column.name for column in fitting if column.is_cut]
    if cut:
        notes.append(f"shortened: {', '.join(cut)}; a wider terminal, --tsv or -o FILE shows all")
    missing = [column for column in shown if column not in fitting]
    common = [f"{column.name} {column.common}" for column in missing if column.common]
    if common:
        notes.append(f"in {_all_of(len(rows), len(table.rows))}: {', '.join(common)}")
    names = [column.name for column in missing if not column.common]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        listed = ", ".join(names[:_NAMED]) + more
        notes.append(f"too wide: {listed} not shown; a wider terminal, --tsv or -o FILE shows all")
    if len(rows) < len(table.rows):
        notes.append(f"{part(len(rows), len(table.rows), 'row')} shown; --tsv or -o FILE shows all")
    return Screen(fitting, table, positions, notes)


def _positions(n: int, most: int | None) -> list[int]:
    """Return the indices of the rows shown: all, or half from the start and half from the end."""
    if most is None or n <= most:
        return list(range(n))
    return [*range(most - most // 2), *range(n - most // 2, n)]


def _fitted(columns: list[_Column], width: int, keep: Sequence[str], *, short_keys: bool) -> list[_Column]:
    """Wrap headers, narrow texts, then omit columns, the least important first, until the rest fits."""
    if _total(columns) > width:
        for column in columns:
            column.break_header()
    for least in (2 * _LEAST_TEXT, _LEAST_TEXT):
        over = _total(columns) - width
        for column in sorted((c for c in columns if c.is_text), key=lambda c: -c.width):
            if over > 0 and column.width > least:
                before = column.width
                column.narrow(max(least, column.width - over))
                over -= before - column.width
    if short_keys and _total(columns) > width:
        for column in columns:
            if column.is_key:
                column.shorten_keys()
    kept, omitted = list(columns), []
    for group in _least_important_first(columns[1:], keep):
        if any(column.name in keep for column in group):
            _narrow_names(kept, width, keep)  # a long name, rather than a column to keep
        if _total(kept) <= width:
            break
        kept = [column for column in kept if column not in group]
        omitted.append(group)
    for group in reversed(omitted):  # a wide column may have left space for narrow ones
        more = [column for column in columns if column in kept or column in group]
        kept = more if _total(more) <= width else kept
    if kept and _total(kept) > width:
        kept[0].narrow(width)
    return kept


def _narrow_names(columns: Sequence[_Column], width: int, keep: Sequence[str]) -> None:
    """Shorten names of columns to keep, in their middle, as far as needed."""
    for column in columns:
        over = _total(columns) - width
        if over > 0 and column.is_name and column.name in keep and column.width > _LEAST_TEXT:
            column.narrow(max(_LEAST_TEXT, column.width - over))


def _least_important_first(columns: Sequence[_Column], keep: Sequence[str]) -> list[list[_Column]]:
    """Return the columns in the order in which they are omitted, both ends of an interval together."""
    groups: dict[str, list[_Column]] = {}
    for column in columns:
        groups.setdefault(_END.sub(" interval", column.name), []).append(column)
    rank = {name: k for k, name in enumerate(reversed(keep), 1)}

    def importance(group: list[_Column]) -> tuple[int, bool]:
        return max(rank.get(column.name, 0) for column in group), not all(column.common for column in group)

    from_the_right = list(groups.values())[::-1]
    return sorted(from_the_right, key=importance)


def _all_of(n_shown: int, n_rows: int) -> str:
    if n_rows == 1:
        return "this row"
    return "all rows" if n_shown == n_rows else "the rows shown"


def _short_key(key: str) -> str:
    token = _TOKEN.search(key)
    return key if token is None else f"{token[0]}…"


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _cut_middle(text: str, width: int) -> str:
    """Keep both ends of a name, which may be what distinguishes it."""
    end, start = text, _cut(text, width - width // 3)
    while _width(start + end) > width:
        end = end[1:]
    return start + end


def _cut(text: str, width: int) -> str:
    from rich.cells import set_cell_size

    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"
