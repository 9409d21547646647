"""The last row per key of a growing log: an update costs what changed, not what exists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

__all__ = ["LatestRows"]

#: Changes are merged into the other rows once they are more than this, and this part of them.
_FEW: Final = 1_000
_PART: Final = 20


@dataclass(frozen=True)
class LatestRows:
    """Rows by key, of which the newest are kept apart.

    Attributes
    ----------
    key : tuple of str
    rows : polars.DataFrame
        Unique by key.
    newer : polars.DataFrame
        Unique by key; each replaces the row of the same key in `rows`.
    """

    key: tuple[str, ...]
    rows: pl.DataFrame
    newer: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame, *key: str) -> LatestRows:
        """Return rows, unique by key, without changes.

        Parameters
        ----------
        rows : polars.DataFrame
            Unique by key.
        *key : str
            Names of the columns of the key.
        """
        return cls(key, rows, rows.clear())

    @cached_property
    def whole(self) -> pl.DataFrame:
        """Return all rows in one frame, the changed ones last. It costs as much as there are rows, once."""
        return pl.concat([self._without(self.rows, self.newer), self.newer]) if len(self.newer) else self.rows

    def replaced_by(self, changes: pl.DataFrame) -> LatestRows:
        """Return the rows after changes, unique by key, all later."""
        if "whole" in self.__dict__:  # merged already
            return LatestRows(self.key, self.whole, changes)
        newer = pl.concat([self._without(self.newer, changes), changes])
        found = LatestRows(self.key, self.rows, newer)
        if len(newer) > max(_FEW, len(self.rows) // _PART):
            return LatestRows.of(found.whole, *self.key)
        return found

    def where(self, condition: pl.Expr) -> pl.DataFrame:
        """Return the rows that meet a condition, in the order of `whole`."""
        kept = self.rows.filter(condition)
        if not len(self.newer):
            return kept
        return pl.concat([self._without(kept, self.newer), self.newer.filter(condition)])

    def _without(self, rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
        """Return the rows without those whose key others have."""
        if not (len(rows) and len(others)):
            return rows
        return rows.join(others.select(self.key), on=self.key, how="anti", maintain_order="left")
