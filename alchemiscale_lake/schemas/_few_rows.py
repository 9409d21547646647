"""Quick check of a few rows, such as those of one attempt, against the declaration of their table.

It only finds out that rows certainly fit. If they do not, or a value needs conversion, `_base` checks column by column,
which takes ten times as long for one row, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from ._base import Column

__all__ = ["FewRows"]

#: For more rows, checking column by column is faster.
_MOST_ROWS: Final = 64
#: Exact type of the values, and type of the column in polars.
_TYPES: Final[dict[pa.DataType, tuple[type, pl.DataType]]] = {
    pa.string(): (str, pl.String()),
    pa.int64(): (int, pl.Int64()),
    pa.float64(): (float, pl.Float64()),
    pa.bool_(): (bool, pl.Boolean()),
    pa.binary(): (bytes, pl.Binary()),
    pa.timestamp("us", tz="UTC"): (datetime, pl.Datetime("us", "UTC")),
}


class FewRows:
    """Quick check of rows of one table.

    Parameters
    ----------
    columns : sequence of Column
    rules : sequence of pl.Expr
        True for valid rows.
    """

    def __init__(self, columns: Sequence[Column], rules: Sequence[pl.Expr]) -> None:
        self._names = frozenset(c.name for c in columns)
        # a column of another type is a list, whose elements would have to be checked, too
        self._types = {c.name: _TYPES[c.type][0] if c.type in _TYPES else type(None) for c in columns}
        self._schema = {c.name: _TYPES[c.type][1] if c.type in _TYPES else pl.List(pl.String) for c in columns}
        self._required = [c.name for c in columns if not c.nullable]
        self._choices = {c.name: frozenset(c.choices) for c in columns if c.choices}
        self._rules = pl.all_horizontal(rule.fill_null(True) for rule in rules) if rules else None

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame | None:
        """Return rows as a frame of the table's columns; None unless all values are of exactly their types."""
        if not 0 < len(rows) <= _MOST_ROWS:
            return None
        for row in rows:
            if not row.keys() <= self._names:
                return None
            for name, value in row.items():
                if value is not None and not (type(value) is self._types[name] and _is_plain(value)):
                    return None
        cells = [tuple(map(row.get, self._schema)) for row in rows]
        try:
            return pl.DataFrame(cells, schema=self._schema, orient="row", strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            return None  # text that is not UTF-8, for example

    def holds(self, frame: pl.DataFrame) -> bool:
        """Return whether a frame made here has no missing value, and satisfies choices and rules.

        Parameters
        ----------
        frame : pl.DataFrame
            As `frame` returned it.
        """
        missing = any(frame[name].null_count() for name in self._required)
        if missing or not all(set(frame[name].drop_nulls()) <= choices for name, choices in self._choices.items()):
            return False
        return self._rules is None or bool(frame.select(self._rules.all()).item())


def _is_plain(value: Any) -> bool:
    if type(value) is int:
        return -(2**63) <= value < 2**63
    # a time of another zone is converted column by column
    return type(value) is not datetime or value.tzinfo is UTC
