"""Number of simulations: repeats within a Task (`protocol_repeats`) times Tasks per Transformation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from ..plurals import part, verb
from ..store import Lake, collect
from .network_members import network_transformations

__all__ = ["ONE_TASK_EACH", "multiplied_repeats", "repeats_within", "simulations_of"]

#: Advice before Tasks are created.
ONE_TASK_EACH: Final = "; --tasks-per-transformation 1 runs only the repeats in the settings"


def multiplied_repeats(lake: Lake, network: str, tasks_per_transformation: int | None = None) -> str | None:
    """Return the warning that a network's Tasks multiply the repeats in its settings, if they do, and what to do.

    Complete Tasks do not count, since an imported repeat is a complete Task of its own.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    tasks_per_transformation : int, optional
        Tasks per Transformation that are about to be made, including existing ones; default: the existing ones.
    """
    members = network_transformations(lake, network)
    tasks = lake.task_log.states().tasks.filter(pl.col("transformation").is_in(members))
    live = Counter(tasks.filter(~pl.col("status").is_in(["invalid", "deleted"]))["transformation"].to_list())
    complete = Counter(tasks.filter(pl.col("status") == "complete")["transformation"].to_list())
    rows = lake.table("transformations").scan().filter(pl.col("transformation").is_in(members))
    repeats = dict(collect(rows.select("transformation", "n_repeats"), "repeats").iter_rows())
    left = [max(live[one], tasks_per_transformation or 0) - complete[one] for one in repeats]
    warning = simulations_of(list(repeats.values()), left)
    if warning is None:
        return None
    if max((live - complete).values(), default=0) <= 1:
        return f"{warning}{ONE_TASK_EACH}"
    delete = "alchemiscale-lake tasks set-status deleted TASK ..."
    return (
        f"{warning}; to run only the repeats in the settings, delete the other Tasks with `{delete}`; "
        f"`alchemiscale-lake tasks --network {network} --tsv` lists them"
    )


def simulations_of(n_repeats: Sequence[int | None], n_tasks: int | Sequence[int]) -> str | None:
    """Return that warning for Transformations with these repeats in their settings; None if nothing multiplies.

    Parameters
    ----------
    n_repeats : sequence of int or None
        Repeats in the Protocol settings of each Transformation; None if its settings have none.
    n_tasks : int or sequence of int
        Number of Tasks of every Transformation, or of each.
    """
    tasks = [n_tasks] * len(n_repeats) if isinstance(n_tasks, int) else n_tasks
    repeated = [(n, of_it) for n, of_it in zip(n_repeats, tasks, strict=True) if n is not None and n > 1]
    several = [(n, of_it) for n, of_it in repeated if of_it > 1]
    if not several:
        return None
    each, made = _range(of_it for _, of_it in several), _range(n * of_it for n, of_it in several)
    if len(several) == len(repeated):
        return f"{repeats_within(n_repeats)}: {each} Tasks per Transformation make {made} simulations of every leg"
    one = len(several) == 1
    return (
        f"{repeats_within(n_repeats)}: {len(several)} of them {verb(len(several), 'has', 'have')} {each} Tasks, which "
        f"make {made} simulations of {'its leg' if one else 'their legs'}"
    )


def repeats_within(n_repeats: Sequence[int | None]) -> str | None:
    """Return how many Transformations run several repeats within each Task; None if none does."""
    several = [n for n in n_repeats if n is not None and n > 1]
    if not several:
        return None
    return (
        f"{part(len(several), len(n_repeats), 'Transformation')} {verb(len(several), 'runs', 'run')} "
        f"{_range(several)} repeats within each Task (`protocol_repeats` in their settings)"
    )


def _range(numbers: Iterable[int]) -> str:
    found = list(numbers)
    low, high = min(found), max(found)
    return str(low) if low == high else f"{low} to {high}"
