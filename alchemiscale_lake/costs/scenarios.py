"""Scenarios for the remaining Tasks: random draws of the duration of each.

Draws numbers and sums them; of pools, only their GPU models are used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .cost_models import KnownModel
from .cost_predictions import Ahead, OwnResults, hours_ahead
from .cost_rows import CPU
from .remaining_work import Remaining

__all__ = ["Hours", "Worlds"]

Hours = NDArray[np.float64]

#: Maximum and minimum number of scenarios, and maximum number of drawn values in all scenarios.
_MOST_WORLDS: Final = 400
_FEWEST_WORLDS: Final = 40
_MOST_NUMBERS: Final = 4_000_000
#: Largest quantile of a running Task's duration that its elapsed time may correspond to.
_LATEST: Final = 0.999


class Worlds:
    """Remaining work of a network in many scenarios.

    Parameters
    ----------
    known : KnownModel
    own : OwnResults
    rows : polars.DataFrame
        Rows of `Remaining`, with gpus.
    gpu_models : mapping
        For each pool, and for None (no specific pool), the GPU model of each row.
    remaining : Remaining
    seed : int

    Attributes
    ----------
    of_task : ndarray of int
        For each Task to be started, the index of its Transformation in `rows`; waiting ones first.
    """

    def __init__(
        self,
        known: KnownModel,
        own: OwnResults,
        rows: pl.DataFrame,
        gpu_models: Mapping[str | None, Sequence[str | None]],
        remaining: Remaining,
        *,
        seed: int,
    ) -> None:
        todo = (rows["n_new"] + rows["n_waiting"]).to_numpy()
        self.of_task: NDArray[np.intp] = np.repeat(np.arange(len(rows)), todo)
        self._place_of = {key: i for i, key in enumerate(rows["transformation"])}
        self._running = remaining.running
        self._held = rows.select(pl.when(pl.col("gpus") > 0).then("gpus").otherwise(1.0)).to_series().to_numpy()
        self._ahead = _ahead(known, own, rows, gpu_models)
        n = max(len(self.of_task), len(rows), 1)
        self._n_worlds = int(np.clip(_MOST_NUMBERS // n, _FEWEST_WORLDS, _MOST_WORLDS))
        rng = np.random.default_rng(seed)
        some = next(iter(self._ahead.values()))
        self._shared = _standard(rng, (self._n_worlds, some.shared.shape[1]))
        self._own = _standard(rng, (self._n_worlds, len(rows)))
        self._repeat = _standard(rng, (self._n_worlds, len(self.of_task)))
        self._last = rng.uniform(size=(self._n_worlds, len(self._running)))

    def ahead(self, pool: str | None) -> Ahead:
        """Return the prediction for one more result of each Transformation in a pool."""
        return self._ahead[pool]

    def tasks(self, pool: str | None) -> Hours:
        """Return GPU-hours of each Task to be started, shape (scenarios, Tasks)."""
        common, repeat_sd = self._logs(pool)
        logs = common[:, self.of_task]
        logs += self._repeat * repeat_sd[self.of_task]
        hours: Hours = np.exp(logs, out=logs)
        return hours

    def running(
        self, gpu_of: str | None, *, pool: str | None, but: Collection[str] = ()
    ) -> tuple[Hours, NDArray[np.intp]]:
        """Return remaining GPU-hours of running Tasks, and the indices of their Transformations.

        Parameters
        ----------
        gpu_of : str or None
            Pool whose GPU model is assumed.
        pool : str or None
            Only Tasks that run there; None: all except those in the pools `but`.
        but : collection of str, default ()
            Pools whose Tasks are left out.
        """
        asked = pl.col("pool") == pool if pool is not None else ~pl.col("pool").is_in(list(but)).fill_null(value=False)
        chosen = self._running.select(asked.fill_null(value=False)).to_series().to_numpy()
        mine = self._running.filter(pl.Series(chosen, dtype=pl.Boolean))
        places = np.array([self._place_of[key] for key in mine["transformation"]], dtype=np.intp)
        if not len(places):
            return np.zeros((self._n_worlds, 0)), places
        common, repeat_sd = self._logs(gpu_of)
        elapsed = mine["elapsed_h"].to_numpy() * self._held[places]
        middle, sd = common[:, places], np.maximum(repeat_sd[places], 1e-6)
        with np.errstate(divide="ignore"):
            gone = np.minimum(ndtr((np.log(elapsed) - middle) / sd), _LATEST)
        # draw from the durations longer than the elapsed time
        total = np.exp(middle + sd * ndtri(gone + (1.0 - gone) * self._last[:, chosen]))
        return np.maximum(total - elapsed, 0.02 * total), places

    def gpu_hours(self, pool: str | None) -> Hours:
        """Return GPU-hours of all remaining work, shape (scenarios,)."""
        total: Hours = self.tasks(pool).sum(axis=1) + self.running(pool, pool=None)[0].sum(axis=1)
        return total

    def by_transformation(self) -> Hours:
        """Return GPU-hours of all remaining work by Transformation, shape (scenarios, Transformations)."""
        totals = np.zeros((self._n_worlds, len(self._held)))
        tasks = self.tasks(None)
        if len(self.of_task):
            starts = np.flatnonzero(np.diff(self.of_task, prepend=-1))
            totals[:, self.of_task[starts]] = np.add.reduceat(tasks, starts, axis=1)
        left, places = self.running(None, pool=None)
        for i, place in enumerate(places):
            totals[:, place] += left[:, i]
        return totals

    def _logs(self, pool: str | None) -> tuple[Hours, Hours]:
        """Return the common part of each Transformation's log duration, and the spread between its results."""
        ahead = self._ahead[pool]
        common = self._shared @ ahead.shared.T
        common += self._own * np.sqrt(ahead.own_sd**2 - ahead.repeat_sd**2)
        common += np.log(ahead.median)
        return common, ahead.repeat_sd


def _ahead(
    known: KnownModel,
    own: OwnResults,
    rows: pl.DataFrame,
    gpu_models: Mapping[str | None, Sequence[str | None]],
) -> dict[str | None, Ahead]:
    """Predict for every GPU model in one call, so that errors are shared between them."""
    on_gpu = pl.col("gpus") > 0
    beside = pl.when(on_gpu).then((1.0 / pl.col("gpus")).clip(1.0)).otherwise(1.0)
    kinds: dict[tuple[str | None, ...], int] = {}
    for models in gpu_models.values():
        kinds.setdefault(tuple(models), len(kinds))
    parts = [
        rows.with_columns(
            gpu_model=pl.when(on_gpu).then(pl.Series(kind, dtype=pl.String)).otherwise(pl.lit(CPU)), packing=beside
        )
        for kind in kinds
    ]
    whole = hours_ahead(known, pl.concat(parts), own)
    n = len(rows)
    return {pool: whole.part(n * (k := kinds[tuple(models)]), n * (k + 1)) for pool, models in gpu_models.items()}


def _standard(rng: np.random.Generator, shape: tuple[int, int]) -> Hours:
    """Return standard normal numbers with balanced columns: half of the scenarios mirror the others."""
    half = rng.standard_normal(((shape[0] + 1) // 2, shape[1]))
    return np.concatenate([half, -half])[: shape[0]]
