"""One step from a format to the next, and the step that adds what `schemas` declares as new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...faults import fault_point
from ...schemas import TABLES

if TYPE_CHECKING:
    from ..lake import Lake

__all__ = ["Step", "add_new"]


def add_new(lake: Lake, to: int, tell: Callable[[str], None]) -> None:
    """Create the tables and add the columns that came with format `to`.

    Parameters
    ----------
    lake : Lake
    to : int
    tell : callable
        Called with a line before each table.

    Raises
    ------
    CommitConflictError, StorageError
    """
    for name, schema in TABLES.items():
        if schema.since == to:
            tell(f"table {name}: creating")
            lake.table(name).create()
        elif any(column.since == to for column in schema.columns):
            tell(f"table {name}: adding columns")
            lake.table(name).add_columns()
        else:
            continue
        fault_point(f"migrate:{to}:{name}")


@dataclass(frozen=True, slots=True)
class Step:
    """A step from format `to - 1` to `to`.

    Attributes
    ----------
    to : int
        Format of the lake afterwards.
    what : str
        The change, in a few words.
    run : callable
        Makes the change, given the lake, `to` and a function that is called with lines about the progress. Must be
        idempotent.
    additive : bool
        Whether readers and writers of the format before are not disturbed: nothing that existed changes.
    """

    to: int
    what: str
    run: Callable[[Lake, int, Callable[[str], None]], None] = add_new
    additive: bool = True
