"""Repeats that multiply: those that a Protocol makes within one result, and Tasks of one Transformation."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..store import Lake, collect
from .membership import network_transformations

__all__ = ["multiplied_repeats", "simulations_of"]


def multiplied_repeats(lake: Lake, network: str, tasks_per_transformation: int) -> str | None:
    """Say how many simulations a leg gets, if a network's settings ask for repeats and Tasks multiply them."""
    members = network_transformations(lake, network)
    rows = lake.table("transformations").scan().filter(pl.col("transformation").is_in(members))
    return simulations_of(collect(rows.select("n_repeats"), "repeats")["n_repeats"].to_list(), tasks_per_transformation)


def simulations_of(n_repeats: Sequence[int | None], tasks_per_transformation: int) -> str | None:
    """Say it of Transformations whose settings ask for these numbers of repeats; None where nothing multiplies."""
    several = [n for n in n_repeats if n is not None and n > 1]
    if not several or tasks_per_transformation <= 1:
        return None
    low, high = min(several), max(several)
    within = f"{low}" if low == high else f"{low} to {high}"
    made = f"{low * tasks_per_transformation}" if low == high else f"up to {high * tasks_per_transformation}"
    return (
        f"{len(several)} of {len(n_repeats)} Transformations make {within} repeats within each Task "
        f"(`protocol_repeats` in their settings): with {tasks_per_transformation} Tasks each that is {made} "
        "simulations of every leg; --tasks-per-transformation 1 makes as many as the settings say"
    )
