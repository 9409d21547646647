"""What happened to a network between two times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from ..ids import ScopedKey
from ..store import Lake
from .connect import connect_for, read_sql
from .named_queries import statement

__all__ = ["network_history"]

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 12, 31, tzinfo=UTC)


def network_history(
    lake: Lake, network: str, *, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """Return the results, estimates, decisions, rounds and other events of a network, in the order of their times.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    since, until : datetime, optional
        After the first and up to the second; default: from its beginning, up to now.

    Returns
    -------
    polars.DataFrame
        Columns at, what, subject, change, before_kcal_mol, value_kcal_mol, uncertainty_kcal_mol, actor; of a result,
        the actor is its pool.
    """
    bound = {
        "network": network,
        "scope": str(ScopedKey.from_str(network).scope),
        "since": since or _BEGINNING,
        "until": until or _END,
    }
    return read_sql(connect_for(lake, "network_history"), statement("network_history"), bound)
