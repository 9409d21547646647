"""Hand over what a network has to the one that it has grown into: Strategy, weight, restart patterns, open Tasks.

Every step looks at what is there, so it can be killed and repeated. The last one makes the former network inactive,
which says that all others are done: what users change on the new one later is not overwritten.
"""

from __future__ import annotations

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..ids import ScopedKey
from ..statestore.network_state import set_network_state
from ..statestore.task_operations import action_tasks
from ..store import Lake, NetworkState, collect

__all__ = ["hand_over"]


def hand_over(lake: Lake, old: str, new: str, *, caller: Caller) -> None:
    """Let a network succeed another one, unless it has already.

    Parameters
    ----------
    lake : Lake
    old, new : str
        ScopedKeys of the networks; the new one contains all Transformations of the old one.
    caller : Caller
        Recorded as the author.
    """
    log = lake.network_log
    state = log.states().get(old, NetworkState())
    if state.state != "active":
        return
    decided = _decided(lake, new)
    strategy = log.strategies().get(old)
    if strategy is not None and "strategy" not in decided:
        log.set_strategy([new], strategy.text, caller=caller, reason=f"as on {old}, from which it has grown")
    fault_point("succession:strategy-set")
    if state.weight != NetworkState().weight and not decided & {"weight", "state"}:
        log.set([new], caller=caller, weight=state.weight)
    patterns = log.restart_patterns()
    for pattern, limit in sorted(patterns.get(old, {}).items()):
        if pattern not in patterns.get(new, {}):
            log.add_patterns(new, [pattern], limit.max_retries, caller=caller)
    fault_point("succession:patterns-set")
    _action(lake, old, new, caller)
    fault_point("succession:tasks-actioned")
    set_network_state(lake, [old], "inactive", caller=caller, reason=f"it has grown into {new}")


def _decided(lake: Lake, network: str) -> set[str]:
    """Return the kinds of decisions that there were about a network."""
    scope = str(ScopedKey.from_str(network).scope)
    rows = lake.table("network_log").scan().filter((pl.col("scope") == scope) & (pl.col("network") == network))
    return set(collect(rows.select("event"), "the log of networks")["event"])


def _action(lake: Lake, old: str, new: str, caller: Caller) -> None:
    states = lake.task_log.states()
    actions = states.live_actions()
    there = actions.filter(pl.col("network") == new).select("task")
    lacking = actions.filter(pl.col("network") == old).join(there, on="task", how="anti").sort("task")
    if len(lacking):
        action_tasks(lake, lacking["task"].to_list(), new, weight=lacking["weight"].to_list(), caller=caller)
