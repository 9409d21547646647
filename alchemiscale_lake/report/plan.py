"""A dispatch plan as a table and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ..dispatch.plan import DispatchPlan, PoolPlan, Unplaced
from ..plurals import count, verb
from ..store import Lake
from .table import Table

__all__ = ["plan_lines", "plan_table"]

_COLUMNS = (
    "pool",
    "kind",
    "priority",
    "state",
    "running",
    "limit",
    "would_claim",
    "gpu_hours",
    "cost",
    "spent_today",
    "networks",
)

#: Source of the expected hours -> its description.
_SOURCES: Final = {
    "own results": "from results of the same Transformations",
    "cost model": "from the trained cost model",
    "protocol results": "from results of the same Protocol",
    "declared": "as declared in the pools file",
    "extrapolated": "from physics, or extrapolated by the cost model",
}


def plan_table(lake: Lake, plan: DispatchPlan) -> Table:
    """Build a table with one row per pool, in dispatch order.

    Parameters
    ----------
    lake : Lake
    plan : DispatchPlan
        Planned claims of all pools.
    """
    names = _network_names(lake)
    return Table(_COLUMNS, [_row(pool, names) for pool in plan.pools])


def plan_lines(plan: DispatchPlan) -> list[str]:
    """Return reasons pool by pool, then the Tasks that no pool would claim, with remedies."""
    lines = [_waiting(plan)]
    if plan.assumed:
        lines.append("planned as if every pool had a dispatcher")
    for pool in plan.pools:
        lines += [f"{pool.pool}: {reason}" for reason in pool.reasons]
        lines += [f"{pool.pool}: hours of {count(n, 'Task')} {_SOURCES[source]}" for source, n in pool.sources.items()]
        if pool.n_unknown:
            lines.append(f"{pool.pool}: {count(pool.n_unknown, 'Task')} of unknown duration counted as 0 hours")
    for group in plan.unplaced:
        lines += _unplaced(group)
    return lines


def _row(plan: PoolPlan, names: Mapping[str, str]) -> tuple[object, ...]:
    networks = ", ".join(f"{names.get(network, network)}: {n}" for network, n in plan.networks.items())
    cells = (plan.pool, plan.kind, plan.priority, plan.state, plan.running, plan.limit, plan.would_claim)
    return (*cells, round(plan.gpu_hours, 3), round(plan.cost, 2), round(plan.spent_today, 2), networks or None)


def _waiting(plan: DispatchPlan) -> str:
    text = f"{count(plan.n_claimable, 'Task')} can be claimed"
    if plan.n_not_claimable:
        text += (
            f"; {plan.n_not_claimable} more {verb(plan.n_not_claimable)} waiting but not actioned on an active "
            "network, "
            "or extend a Task that is not complete"
        )
    return text


def _unplaced(group: Unplaced) -> Sequence[str]:
    what = f"{count(group.n_tasks, 'Task')} of {group.protocol} in {group.scope}"
    if not group.remedies:
        return (f"left waiting: {what}: {_by_text(group.why)}",)
    return (f"no pool can take {what}: {_by_text(group.why)}", f"  remedy: {_by_text(group.remedies)}")


def _by_text(texts: Mapping[str, str]) -> str:
    """Join the texts of pools, each distinct text once."""
    pools: dict[str, list[str]] = {}
    for pool, text in texts.items():
        pools.setdefault(text, []).append(pool)
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in pools.items())


def _network_names(lake: Lake) -> dict[str, str]:
    rows = lake.table("networks").scan().select("network", "name").filter(pl.col("name").is_not_null()).collect()
    return dict(rows.iter_rows())
