"""Choice of the Tasks to claim next: network weight, then strict priority, then Task weight.

The rules are those of alchemiscale, with one difference: a network's weight counts once for each of its waiting
Transformations, so one network with a hundred Transformations is served like ten networks with ten each. Weighted
sampling without replacement uses exponential clocks (Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from .shares import TURN_COLUMNS, take_turns

__all__ = ["choose"]

_COLUMNS: Final = ("task", "transformation", "priority", "network", "weight")
#: Smallest weight; smaller ones are raised to it so that their inverse stays finite.
_LEAST: Final = 1e-100


def choose(
    candidates: pl.DataFrame, network_weights: Mapping[str, float], count: int, rng: np.random.Generator
) -> list[str]:
    """Draw up to `count` Tasks.

    Parameters
    ----------
    candidates : polars.DataFrame
        One row per action: task, transformation, priority, network, weight (> 0). If `shares.TURN_COLUMNS` are
        present, groups of Scopes take turns by their shares.
    network_weights : mapping
        Weight in [0, 1] of each network; networks that are missing or have weight 0 are not drawn.
    count : int
    rng : numpy.random.Generator
        The same generator state draws the same Tasks.

    Returns
    -------
    list of str
        Tasks in the order drawn, without duplicates. Within a network, a Task is drawn only when none of its Tasks
        with a lower priority number is left.
    """
    columns = [name for name in (*_COLUMNS, *TURN_COLUMNS) if name in candidates.columns]
    # sort first: the draw must not depend on the order of the rows
    weights = _positive(network_weights)
    rows = candidates.select(columns).join(weights, on="network").sort("network", "task")
    if not len(rows) or count < 1:
        return []
    clock = rng.standard_exponential(len(rows)) / rows["weight"].clip(_LEAST).to_numpy()
    # integers sort faster than names
    rows = rows.with_columns(
        pl.col("network").rle_id(),
        pl.Series("clock", clock),
        rate=pl.col("network_weight") * pl.col("transformation").n_unique().over("network"),
    ).sort("network", "priority", "clock")
    gaps = rng.standard_exponential(len(rows)) / rows["rate"].clip(_LEAST).to_numpy()
    rows = rows.with_columns(pl.Series("gap", gaps)).with_columns(arrival=pl.col("gap").cum_sum().over("network"))
    drawn = rows.sort("arrival", "network").filter(pl.col("task").is_first_distinct())
    drawn = take_turns(drawn) if "turn_group" in columns else drawn
    return drawn["task"].head(count).to_list()


def _positive(network_weights: Mapping[str, float]) -> pl.DataFrame:
    schema = {"network": pl.String, "network_weight": pl.Float64}
    return pl.DataFrame(list(network_weights.items()), schema=schema, orient="row").filter(pl.col("network_weight") > 0)
