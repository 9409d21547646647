"""A table to be read: full numbers as TSV for programs, rounded ones in colour for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from ..printable import one_line, printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

__all__ = ["ERROR", "Table", "round_to_uncertainty"]

#: What stands in place of a number that was to be and failed.
ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers, in the order in which they are shown.

    Attributes
    ----------
    columns : tuple of str
        Headers.
    rows : sequence of tuple
        Cells: None, text, numbers, times or lists.
    title : str or None
        For people, to be shown above; `rich` leaves it to the caller, who knows how wide the terminal is.
    precision_of : mapping of str to str
        Header of an estimate to the header of its uncertainty, to whose first figure both are rounded
        on a terminal.
    decimals : mapping of str to int
        Header to the digits behind the point that a terminal shows.
    styles : mapping of str to str
        rich style per header.
    row_styles : tuple of str
        rich style per row, if given.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    title: str | None = None
    precision_of: Mapping[str, str] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)
    styles: Mapping[str, str] = field(default_factory=dict)
    row_styles: tuple[str, ...] = ()

    @classmethod
    def of(cls, frame: pl.DataFrame, title: str | None = None) -> Table:
        """Show a data frame as it is."""
        return cls(tuple(frame.columns), frame.rows(), title)

    def tsv(self, *, digits: int | None = None) -> str:
        """Write tab-separated text: one header line, newline endings, empty for missing.

        Numbers have full precision, or so many `digits`.
        """
        lines = [
            "\t".join(one_line(name) for name in self.columns),
            *("\t".join(_plain(cell, digits) for cell in row) for row in self.rows),
        ]
        return "".join(line + "\n" for line in lines)

    def rich(self) -> RichTable:
        """Build the table for a terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        shown = RichTable()
        for index, name in enumerate(self.columns):
            numbers = any(isinstance(row[index], (int, float)) for row in self.rows)
            shown.add_column(
                Text(printable(name)),
                justify="right" if numbers else "left",
                overflow="fold",
                style=self.styles.get(name),
            )
        row_styles = self.row_styles or [None] * len(self.rows)
        for row, style in zip(self.rows, row_styles, strict=True):
            # Text: a name such as "[bold]" is a name, not markup
            cells = [Text(printable(cell), style="red" if cell == ERROR else "") for cell in self._cells(row)]
            shown.add_row(*cells, style=style)
        return shown

    def _cells(self, row: tuple[Any, ...]) -> list[str]:
        cells = dict(zip(self.columns, row, strict=True))
        shown = {name: _short(value) for name, value in cells.items()}
        for name, digits in self.decimals.items():
            if isinstance(cells[name], float):
                shown[name] = f"{cells[name]:.{digits}f}"
        for estimate, uncertainty in self.precision_of.items():
            shown[estimate], shown[uncertainty] = round_to_uncertainty(cells[estimate], cells[uncertainty])
        return list(shown.values())


def round_to_uncertainty(value: Any, uncertainty: Any) -> tuple[str, str]:
    """Return both as text, rounded to the first significant figure of the uncertainty.

    >>> round_to_uncertainty(17.418, 0.058)
    ('17.42', '0.06')
    >>> round_to_uncertainty(17.418, 12.0)
    ('20', '10')
    """
    if not isinstance(value, float) or not isinstance(uncertainty, float) or not 0 < uncertainty < math.inf:
        return _short(value), _short(uncertainty)
    rounded = float(f"{uncertainty:.0e}")  # 0.096 has its first figure at the first place: 0.1
    places = -math.floor(math.log10(rounded))
    decimals = max(0, places)
    return f"{round(value, places):.{decimals}f}", f"{rounded:.{decimals}f}"


def _plain(value: Any, digits: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if digits is None else f"{value:.{digits}g}"
    if isinstance(value, datetime):
        return value.isoformat()
    text = json.dumps(value, default=str) if isinstance(value, (list, dict, tuple)) else str(value)
    return one_line(text.replace("\\", "\\\\"))


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
