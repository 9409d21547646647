"""Pools that do not take the Tasks left to them.

`policy` leaves Tasks to pools that precede the one that asks. A pool that had capacity for them, but started and ended
nothing for ten minutes, is no longer waited for, until it starts or ends a Task. Pure rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from .policy import Situation

__all__ = ["UnclaimedOffers"]

_LONGEST: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class UnclaimedOffers:
    """Since when Tasks are left to each pool without any movement there.

    Attributes
    ----------
    since : mapping of str to (int, datetime)
        By pool: a mark of the attempts that were running there, and the time when it was first seen.
    """

    since: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)

    def applied(self, situation: Situation, running: pl.DataFrame) -> Situation:
        """Return the situation in which pools that take nothing have no reporting dispatcher.

        Parameters
        ----------
        situation : Situation
        running : polars.DataFrame
            One row per running Task: pool, attempt.
        """
        expired = self._expired(running, situation.now)
        views = {n: replace(view, heard=view.heard and n not in expired) for n, view in situation.views.items()}
        return replace(situation, views=views)

    def after(self, left_to: Mapping[str, int], running: pl.DataFrame, now: datetime) -> UnclaimedOffers:
        """Return the offers after Tasks were left to pools.

        Parameters
        ----------
        left_to : mapping of str to int
            Number of Tasks left to each pool.
        running : polars.DataFrame
            One row per running Task: pool, attempt.
        now : datetime
        """
        marks = {pool: _mark(running, pool) for pool in left_to}
        expired = self._expired(running, now)
        kept = {pool: since for pool, since in self.since.items() if pool in expired or marks.get(pool) == since[0]}
        return UnclaimedOffers({pool: (mark, now) for pool, mark in marks.items()} | kept)

    def _expired(self, running: pl.DataFrame, now: datetime) -> set[str]:
        """Return the pools that are no longer waited for."""
        return {
            pool
            for pool, (mark, since) in self.since.items()
            if mark == _mark(running, pool) and now - since > _LONGEST
        }


def _mark(running: pl.DataFrame, pool: str) -> int:
    """Return a number that changes whenever a pool starts or ends a Task."""
    return int(running.filter(pl.col("pool") == pool)["attempt"].hash().sum() or 0)
