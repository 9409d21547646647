"""Fitness of pools for Transformations, and the share of a pool that one Task takes.

Pure functions, vectorised over Transformations: a lake has few pools and many Transformations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import polars as pl

from ..ids import Scope
from ..resources import Resources
from ..settings import Pool, Pools

__all__ = ["FITS", "NEEDS_SCHEMA", "REFUSALS", "fitness", "hours_in", "part_in", "refused_by", "worker_of"]

#: Input columns of `fitness`: the needs of one Task of each Transformation.
NEEDS_SCHEMA: Final = {
    "transformation": pl.String,
    "scope": pl.String,
    "protocol": pl.String,
    "cores": pl.Int64,
    "memory_bytes": pl.Int64,
    "gpus": pl.Float64,
    "duration_s": pl.Float64,
}
#: Code of a Transformation that a pool can run.
FITS: Final = 0
#: Reasons for a refusal, indexed by code.
REFUSALS: Final = (
    "",
    "its Scope is not among `scopes`",
    "its Scope is among `exclude_scopes`",
    "its Protocol is not among `protocols`",
    "its Protocol is among `exclude_protocols`",
    "it needs more GPUs than a worker has",
    "it needs more cores than a worker has",
    "it needs more memory than a worker has",
    "it is expected to take longer than a worker's walltime minus `retire_before`",
)
#: Cores assumed for a machine whose cores are unknown, so that cores never exclude it.
_UNCOUNTED_CORES: Final = 2**20
_GPU_SLACK: Final = 1e-6


def refused_by(pool: str) -> str:
    """Return the name of the column with a pool's refusal code."""
    return f"refused_by:{pool}"


def part_in(pool: str) -> str:
    """Return the name of the column with the fraction of a worker that one Task takes up."""
    return f"part_in:{pool}"


def hours_in(pool: str) -> str:
    """Return the name of the column with the GPU-hours of one Task."""
    return f"hours_in:{pool}"


def worker_of(pool: Pool) -> Resources:
    """Return the capacity of one worker. Cores do not limit a local pool that states none."""
    if pool.is_local and pool.cores is None:
        return Resources(_UNCOUNTED_CORES, pool.memory_bytes, float(pool.gpus))
    return pool.capacity


def fitness(pools: Pools, needs: pl.DataFrame) -> pl.DataFrame:
    """Evaluate every Transformation against every pool.

    Parameters
    ----------
    pools : Pools
    needs : polars.DataFrame
        Columns `NEEDS_SCHEMA`; null memory is ignored, null duration is unknown. The duration is an upper estimate; if
        a column `expected_s` exists, hours are computed from it.

    Returns
    -------
    polars.DataFrame
        `transformation`, and for each pool: `refused_by` (0 if the pool can run it, else an index into `REFUSALS`),
        `part_in` (fraction of a worker; two Tasks of 0.6 do not share one, so 0.6 takes all of it; in a local pool, at
        least 1/`limits.maximum`), and `hours_in`: GPU-hours, null if the duration is unknown. A Task without GPUs
        counts the GPUs of the fraction of the worker that it takes up or, where the worker has none, worker-hours.
    """
    columns: list[pl.Expr] = []
    scopes = needs["scope"].unique().sort().to_list()
    for name, pool in pools.pools.items():
        worker = worker_of(pool)
        share = _share(worker)
        columns += [
            _refusal(pool, worker, scopes).cast(pl.UInt8).alias(refused_by(name)),
            _part(pool, share).alias(part_in(name)),
            _hours(worker, share, "expected_s" if "expected_s" in needs.columns else "duration_s").alias(
                hours_in(name)
            ),
        ]
    return needs.select("transformation", *columns)


def _refusal(pool: Pool, worker: Resources, scopes: Sequence[str]) -> pl.Expr:
    conditions = (
        (pl.lit(bool(pool.scopes)), ~pl.col("scope").is_in(_matching(pool.scopes, scopes))),
        (pl.lit(True), pl.col("scope").is_in(_matching(pool.exclude_scopes, scopes))),
        (pl.lit(bool(pool.protocols)), ~pl.col("protocol").is_in(list(pool.protocols))),
        (pl.lit(True), pl.col("protocol").is_in(list(pool.exclude_protocols))),
        (pl.lit(True), pl.col("gpus") > worker.gpus + _GPU_SLACK),
        (pl.lit(True), pl.col("cores") > worker.cores),
        (pl.lit(worker.memory_bytes is not None), pl.col("memory_bytes") > (worker.memory_bytes or 0)),
        (pl.lit(pool.walltime_s is not None), pl.col("duration_s") > (pool.walltime_s or 0.0) - pool.retire_before_s),
    )
    code = pl.lit(FITS)
    for index in range(len(conditions), 0, -1):
        applies, is_refused = conditions[index - 1]
        code = pl.when(applies & is_refused.fill_null(value=False)).then(pl.lit(index)).otherwise(code)
    return code


def _matching(patterns: Sequence[str], scopes: Sequence[str]) -> list[str]:
    wanted = [Scope.from_str(pattern) for pattern in patterns]
    return [scope for scope in scopes if any(w.is_superset(Scope.from_str(scope)) for w in wanted)]


def _share(worker: Resources) -> pl.Expr:
    shares = [pl.col("cores") / max(worker.cores, 1)]
    if worker.gpus > 0:
        shares.append(pl.col("gpus") / worker.gpus)
    if worker.memory_bytes:
        shares.append(pl.col("memory_bytes").fill_null(0) / worker.memory_bytes)
    return pl.max_horizontal(shares)


def _part(pool: Pool, share: pl.Expr) -> pl.Expr:
    at_once = (1.0 / share.clip(1e-9) + 1e-9).floor().clip(1.0)
    if pool.is_local:
        at_once = at_once.clip(upper_bound=float(pool.limits.maximum))
    return 1.0 / at_once


def _hours(worker: Resources, share: pl.Expr, duration: str) -> pl.Expr:
    # unknown cores cannot give a fraction of the machine
    held = pl.lit(1.0) if worker.cores == _UNCOUNTED_CORES else share * max(1.0, math.floor(worker.gpus))
    return pl.col(duration) / 3600.0 * pl.when(pl.col("gpus") > 0).then(pl.col("gpus")).otherwise(held)
