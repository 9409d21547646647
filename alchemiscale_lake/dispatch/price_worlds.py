"""Possible worlds: how long every Task that is left would take in each.

Draws numbers and adds them up; knows nothing of pools but their GPU models.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..ledger.cost_models import KnownModel
from ..ledger.cost_predictions import Ahead, OwnResults, hours_ahead
from ..ledger.cost_rows import CPU
from .remaining import Remaining

__all__ = ["Hours", "Worlds"]

Hours = NDArray[np.float64]

#: Worlds to draw, and numbers that a draw of all Tasks may have in all worlds.
_MOST_WORLDS: Final = 400
_FEWEST_WORLDS: Final = 40
_MOST_NUMBERS: Final = 4_000_000
#: A Task that runs for longer than thought goes on as if it were among the last of so many.
_LATEST: Final = 0.999


class Worlds:
    """What is left of a network, in many worlds.

    Parameters
    ----------
    known : KnownModel
    own : OwnResults
    rows : polars.DataFrame
        Of `Remaining`, and gpus.
    gpu_models : mapping
        For each pool, and None for no pool in particular, the GPU model of each row.
    remaining : Remaining
    seed : int

    Attributes
    ----------
    of_task : ndarray of int
        For each Task that is to be started the place of its Transformation in `rows`; waiting ones first.
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
        stored = remaining.network is not None
        todo = (rows["n_new"] + rows["n_waiting"] if stored else rows["n_new"]).to_numpy()
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
        """What one more result of each Transformation takes there."""
        return self._ahead[pool]

    def tasks(self, pool: str | None) -> Hours:
        """GPU-hours of each Task to be started, shape (worlds, Tasks)."""
        common, repeat_sd = self._logs(pool)
        logs = common[:, self.of_task]
        logs += self._repeat * repeat_sd[self.of_task]
        hours: Hours = np.exp(logs, out=logs)
        return hours

    def running(
        self, gpu_of: str | None, *, pool: str | None, but: Collection[str] = ()
    ) -> tuple[Hours, NDArray[np.intp]]:
        """GPU-hours that running Tasks will yet take, and the places of their Transformations.

        Parameters
        ----------
        gpu_of : str or None
            Pool whose GPU model to reckon with.
        pool : str or None
            Those that run there; None: all but those in the pools `but`.
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
        # of all durations longer than what has gone by, one at random
        total = np.exp(middle + sd * ndtri(gone + (1.0 - gone) * self._last[:, chosen]))
        return np.maximum(total - elapsed, 0.02 * total), places

    def gpu_hours(self, pool: str | None) -> Hours:
        """GPU-hours of all that is left, shape (worlds,)."""
        total: Hours = self.tasks(pool).sum(axis=1) + self.running(pool, pool=None)[0].sum(axis=1)
        return total

    def by_transformation(self) -> Hours:
        """GPU-hours of all that is left of each Transformation, shape (worlds, Transformations)."""
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
        """What is common to the results of each Transformation, in the logarithm, and how far they lie apart."""
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
    """Predict for every GPU model in one go, so that errors mean the same in all."""
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
    """Standard normal numbers of which each column is balanced: half of the worlds mirror the others."""
    half = rng.standard_normal(((shape[0] + 1) // 2, shape[1]))
    return np.concatenate([half, -half])[: shape[0]]
