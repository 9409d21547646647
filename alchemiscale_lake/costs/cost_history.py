"""Cost of past calculations: results as evidence, with the features of their Transformations and hosts.

Each good result with a wall time is one row. Its cost is GPU time if it used a GPU, else wall time: worker-hours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import polars as pl

from ..store import Lake, collect
from ..tasks.default_needs import default_needs
from .cost_rows import CPU, FEATURE_COLUMNS

__all__ = ["CostHistory", "cost_history", "usual_gpus", "with_targets"]

_S_PER_H: Final = 3600.0
_OF_RESULTS: Final = ("scope", "transformation", "pool", "host", "wall_time_s", "gpu_time_s", "ended_at")


@dataclass(frozen=True, slots=True)
class CostHistory:
    """Evidence for cost models.

    Attributes
    ----------
    rows : polars.DataFrame
        One row per result, oldest first: scope, transformation, environment, pool, ended_at, hours, gpu_model,
        packing, what `with_targets` adds, and `cost_rows.FEATURE_COLUMNS`.
    n_results : int
        Number of good results in the lake with a wall time.
    """

    rows: pl.DataFrame
    n_results: int


def cost_history(lake: Lake) -> CostHistory:
    """Read all evidence of a lake, from all Scopes."""
    # a result of another Scope is evidence once, there
    computed = pl.col("ok") & pl.col("origin_attempt").is_null()
    good = lake.table("results").scan().filter(computed & (pl.col("wall_time_s") > 0))
    results = collect(good.select(_OF_RESULTS), "results")
    hosts = collect(lake.table("hosts").scan().select("host", host_gpu="gpu_model"), "hosts").unique("host")
    columns = ("scope", "transformation", "environment", "ligand_a", "ligand_b", *FEATURE_COLUMNS)
    transformations = collect(lake.table("transformations").scan().select(columns), "Transformations")
    described = with_targets(transformations.unique("transformation", maintain_order=True))
    rows = results.join(
        described.select("transformation", "environment", "system", "target", "campaign", *FEATURE_COLUMNS),
        on="transformation",
    )
    # an imported result of a GPU Protocol does not state the GPU, or whether it had one
    on_gpus = [name for name, needs in default_needs().protocols.items() if needs.gpus > 0]
    silent = pl.col("host").is_null() & pl.col("gpu_time_s").is_null() & pl.col("protocol_qualname").is_in(on_gpus)
    rows = rows.filter(~silent).join(hosts, on="host", how="left").with_columns(_costs())
    return CostHistory(rows.drop("host", "host_gpu", "gpu_time_s").sort("ended_at", "transformation"), len(results))


def usual_gpus(rows: pl.DataFrame, by: str) -> dict[str, str]:
    """Return the GPU model of most results, by `protocol_qualname` or `pool`; results without GPU are ignored.

    Parameters
    ----------
    rows : polars.DataFrame
        Results with the column `gpu_model` and the one named by `by`.
    by : str
        Column to group by.
    """
    counts = rows.filter(pl.col("gpu_model").is_not_null() & (pl.col("gpu_model") != CPU) & pl.col(by).is_not_null())
    counts = counts.group_by(by, "gpu_model").len().sort("len", "gpu_model")
    return dict(counts.select(by, "gpu_model").iter_rows())


def _costs() -> list[pl.Expr]:
    """Return the hours of a result, its GPU, and the number of Tasks that shared it."""
    held = pl.col("gpu_time_s") > 0
    beside = pl.col("wall_time_s") / pl.col("gpu_time_s")
    return [
        (pl.when(held).then("gpu_time_s").otherwise("wall_time_s") / _S_PER_H).alias("hours"),
        pl.when(held).then("host_gpu").otherwise(pl.lit(CPU)).alias("gpu_model"),
        pl.when(held).then(beside.clip(1.0)).otherwise(1.0).alias("packing"),
    ]


def with_targets(transformations: pl.DataFrame) -> pl.DataFrame:
    """Add system, target and campaign of each Transformation, as digests that differ between Scopes.

    A model for all Scopes therefore does not reveal to one Scope what another one computes.

    Parameters
    ----------
    transformations : polars.DataFrame
        With columns scope, transformation, environment, ligand_a, ligand_b.

    Returns
    -------
    polars.DataFrame
        With three additional columns. system: the protein of the leg, or of the complex legs of its ligand; null if
        there is none. target: the system, else the ligand or the Transformation itself; legs of one target must not be
        on both sides of a validation split. campaign: the Scope.
    """
    legs = transformations.filter(pl.col("environment").is_not_null())
    proteins = (
        pl.concat([legs.select("scope", "environment", ligand=side) for side in ("ligand_a", "ligand_b")])
        .drop_nulls()
        .group_by("scope", "ligand")
        .agg(protein=pl.col("environment").min())
    )
    named = transformations.join(proteins, left_on=["scope", "ligand_a"], right_on=["scope", "ligand"], how="left")
    system = pl.coalesce("environment", "protein")
    target = pl.coalesce(system, "ligand_a", "transformation")
    named = named.with_columns(
        system=pl.concat_str("scope", system, separator=" "),
        target=pl.concat_str("scope", target, separator=" "),
        campaign="scope",
    )
    return named.with_columns(_digested(named, name) for name in ("system", "target", "campaign")).drop("protein")


def _digested(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return digests of texts, each computed once."""
    texts = frame[name].unique().drop_nulls().to_list()
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
    return frame[name].replace_strict(texts, digests, default=None, return_dtype=pl.String)
