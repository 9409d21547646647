"""From a proposal to whole numbers of Tasks, within the limits of a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..strategies.proposal import Proposal, apportion
from ..strategies.strategy_rows import NetworkRows
from .strategy_plan import StrategyPlan

__all__ = ["task_numbers"]

_ROUNDING: Final = 1e-9


def task_numbers(plan: StrategyPlan, proposal: Proposal, network: NetworkRows, *, are_tasks: bool) -> dict[str, int]:
    """Return how many Tasks each Transformation gets; those without any are left out.

    Parameters
    ----------
    plan : StrategyPlan
    proposal : Proposal
    network : NetworkRows
        The rows that it was made for.
    are_tasks : bool
        Whether the weights are numbers of Tasks.
    """
    weights = proposal.weights
    limits = _limits(plan, network)
    if plan.task_scaling != "proportional" and plan.max_tasks_per_transformation is not None:
        wanted = _scaled(plan, weights, network)
    elif are_tasks:
        wanted = {key: round(weight) for key, weight in weights.items() if weight}
    else:
        most = sum(1 for weight in weights.values() if weight)
        if network.max_tasks is not None:
            most = min(most, network.max_tasks)
        wanted = apportion(weights, most, limits=limits)
    wanted = {key: min(n, limits.get(key, n)) for key, n in wanted.items()}
    if network.max_tasks is not None and sum(wanted.values()) > network.max_tasks:
        wanted = apportion({key: float(n) for key, n in wanted.items()}, network.max_tasks, limits=wanted)
    return _affordable({key: n for key, n in wanted.items() if n > 0}, weights, network)


def _limits(plan: StrategyPlan, network: NetworkRows) -> dict[str, int]:
    if plan.max_tasks_per_transformation is None:
        return {}
    return {row.key: max(0, plan.max_tasks_per_transformation - row.n_counted) for row in network.transformations}


def _scaled(plan: StrategyPlan, weights: Mapping[str, float | None], network: NetworkRows) -> dict[str, int]:
    """Return what is missing from alchemiscale's numbers, for weights relative to the largest."""
    most = plan.max_tasks_per_transformation or 0
    largest = max((weight for weight in weights.values() if weight), default=0.0)
    in_flight = {row.key: row.n_in_flight for row in network.transformations}
    wanted = {}
    for key, weight in weights.items():
        if not weight:
            continue
        share = weight / largest
        target = int(1 + share * most) if plan.task_scaling == "linear" else int((1 + most) ** share)
        wanted[key] = max(0, min(target, most) - in_flight[key])
    return wanted


def _affordable(wanted: Mapping[str, int], weights: Mapping[str, float | None], network: NetworkRows) -> dict[str, int]:
    """Keep what the GPU-hours allow, the most urgent Transformations first; unknown costs count as none."""
    left = network.hours_left
    if left == float("inf"):
        return dict(wanted)
    cost = {row.key: row.gpu_hours or 0.0 for row in network.transformations}
    kept = {}
    for key in sorted(wanted, key=lambda key: (-(weights[key] or 0.0), key)):
        n = wanted[key] if cost[key] <= 0 else min(wanted[key], int((left + _ROUNDING) / cost[key]))
        if n > 0:
            kept[key] = n
            left -= n * cost[key]
    return dict(sorted(kept.items()))
