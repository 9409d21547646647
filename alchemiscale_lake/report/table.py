"""A table of results: full precision as TSV; its layout on a terminal is in `screen`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from ..cells import tsv_line
from .digits import round_to_uncertainty, shown

__all__ = ["ERROR", "NO_ESTIMATE", "Table"]

#: Text in place of a number whose computation failed.
ERROR = "Error"
#: Stands in place of a number where results are good and give none, as of plain MD.
NO_ESTIMATE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows, in display order.

    Attributes
    ----------
    columns : tuple of str
        Headers.
    rows : sequence of tuple
        Cells: None, text, numbers, times or lists.
    title : str or None
        Shown above the table on a terminal.
    precision_of : mapping of str to str
        Header of an estimate to the header of its uncertainty; a terminal rounds both to the second figure
        of the uncertainty.
    decimals : mapping of str to int
        Header to the number of decimals shown on a terminal; of an estimate, where its uncertainty is unknown or zero.
    styles : mapping of str to str
        rich style per header.
    row_styles : tuple of str
        rich style per row, if given.
    is_sheet : bool
        Whether the table describes a few items in columns: on a terminal its texts may wrap.
    keep : tuple of str
        Headers in order of importance: on a narrow terminal, all other columns are omitted first.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    title: str | None = None
    precision_of: Mapping[str, str] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)
    styles: Mapping[str, str] = field(default_factory=dict)
    row_styles: tuple[str, ...] = ()
    is_sheet: bool = False
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = (self.numbers | set(self.decimals) | set(self.styles)) - set(self.columns)
        if unknown:  # a terminal would fail where a pipe does not
            raise ValueError(f"a table with columns {self.columns} formats columns it does not have: {sorted(unknown)}")

    @property
    def numbers(self) -> frozenset[str]:
        """Headers of estimates and uncertainties."""
        return frozenset([*self.precision_of.keys(), *self.precision_of.values()])

    @classmethod
    def of(cls, frame: pl.DataFrame, title: str | None = None) -> Table:
        """Build a table from a data frame.

        Parameters
        ----------
        frame : polars.DataFrame
            Rows, in order.
        title : str, optional
            Title above the table.
        """
        return cls(tuple(frame.columns), frame.rows(), title)

    def tsv(self, *, digits: int | None = None) -> str:
        """Write tab-separated text: one header line, newline endings, empty for missing.

        Numbers have full precision, or the given number of significant `digits`. Texts that would not be read back
        unchanged are written as JSON strings (`cells`).
        """
        lines = [self.columns, *([_plain(cell, digits) for cell in row] for row in self.rows)]
        return "".join(map(tsv_line, lines))

    def cells(self, row: tuple[Any, ...]) -> list[str]:
        """Return the displayed cells of a row."""
        values = dict(zip(range(len(row)), row, strict=True))
        texts = {k: shown(value) for k, value in values.items()}
        for name, digits in self.decimals.items():
            k = self.columns.index(name)
            if isinstance(values[k], float):
                texts[k] = f"{values[k]:z.{digits}f}"  # no -0.00
        for estimate, uncertainty in self.precision_of.items():
            of, by = self.columns.index(estimate), self.columns.index(uncertainty)
            if not values[by] and estimate in self.decimals:
                continue
            texts[of], texts[by] = round_to_uncertainty(values[of], values[by])
        return list(texts.values())


def _plain(value: Any, digits: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if digits is None else f"{value:.{digits}g}"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, default=str) if isinstance(value, (list, dict, tuple)) else str(value)
