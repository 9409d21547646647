"""Legs of results of Protocols that run several, read from the stored objects when asked.

The tables have the estimate of a result and its repeats. The legs they were computed from are in its object, in the
form of `networks.result_legs`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from ..errors import ContentError, InvalidNetworkError, NotFoundError, ResultFileError
from ..networks.leg_estimates import LegRow
from ..networks.result_legs import legs_of_result
from ..networks.stored_results import StoredResults
from ..store import Lake

__all__ = ["StoredLegs", "stored_legs"]


class StoredLegs(NamedTuple):
    """Legs of results, and why others have none.

    Attributes
    ----------
    legs : dict of str to list of LegRow
        By attempt.
    failures : dict of str to str
        Reason by attempt.
    """

    legs: dict[str, list[LegRow]]
    failures: dict[str, str]


def stored_legs(lake: Lake, attempts: Collection[str]) -> StoredLegs:
    """Read the legs of results from their objects.

    Parameters
    ----------
    lake : Lake
    attempts : collection of str
        Column `attempt` of the results.
    """
    if not attempts:
        return StoredLegs({}, {})
    wanted = lake.table("results").scan().filter(pl.col("attempt").is_in(list(attempts)) & pl.col("ok"))
    rows = wanted.select("attempt", "object_path", "digest").unique("attempt").sort("attempt").collect()
    stored, legs, failures = StoredResults(lake), dict[str, list[LegRow]](), dict[str, str]()
    for attempt, path, digest in rows.iter_rows():
        try:
            found = legs_of_result(stored.read(path, digest), path)
        except (ContentError, InvalidNetworkError, NotFoundError, ResultFileError) as e:
            failures[attempt] = str(e)
        else:
            if found:
                legs[attempt] = found
            else:
                failures[attempt] = f"{path}: its units do not say which leg they belong to"
    return StoredLegs(legs, failures)
