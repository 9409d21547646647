"""Number of simulations: repeats within a Task (`protocol_repeats`) times Tasks per Transformation."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..plurals import count, verb
from ..store import Lake, collect
from .network_members import network_transformations

__all__ = ["multiplied_repeats", "repeats_within", "simulations_of"]


def multiplied_repeats(lake: Lake, network: str, tasks_per_transformation: int | None = None) -> str | None:
    """Return the warning that a network's Tasks multiply the repeats in its settings, if they do.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    tasks_per_transformation : int, optional
        Tasks per Transformation; default: the existing incomplete ones, since an imported repeat is a complete Task of
        its own.
    """
    members = network_transformations(lake, network)
    if tasks_per_transformation is None:
        tasks = lake.task_log.states().tasks.filter(
            pl.col("transformation").is_in(members) & ~pl.col("status").is_in(["complete", "invalid", "deleted"])
        )
        tasks_per_transformation = max(tasks.group_by("transformation").len()["len"].to_list(), default=0)
    rows = lake.table("transformations").scan().filter(pl.col("transformation").is_in(members))
    return simulations_of(collect(rows.select("n_repeats"), "repeats")["n_repeats"].to_list(), tasks_per_transformation)


def simulations_of(n_repeats: Sequence[int | None], tasks_per_transformation: int) -> str | None:
    """Return that warning for Transformations with these repeats in their settings; None if nothing multiplies.

    Parameters
    ----------
    n_repeats : sequence of int or None
        Repeats in the Protocol settings of each Transformation; None if its settings have none.
    tasks_per_transformation : int
        Tasks created for each Transformation.
    """
    several = [n for n in n_repeats if n is not None and n > 1]
    if not several or tasks_per_transformation <= 1:
        return None
    low, high = min(several), max(several)
    made = f"{low * tasks_per_transformation}" if low == high else f"up to {high * tasks_per_transformation}"
    return (
        f"{repeats_within(n_repeats)}: {tasks_per_transformation} Tasks each make {made} "
        "simulations of every leg; --tasks-per-transformation 1 makes the number in the settings"
    )


def repeats_within(n_repeats: Sequence[int | None]) -> str | None:
    """Return how many Transformations run several repeats within each Task; None if none does."""
    several = [n for n in n_repeats if n is not None and n > 1]
    if not several:
        return None
    low, high = min(several), max(several)
    within = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"{len(several)} of {count(len(n_repeats), 'Transformation')} {verb(len(several), 'runs', 'run')} "
        f"{within} repeats within each Task "
        "(`protocol_repeats` in their settings)"
    )
