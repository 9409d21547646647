"""Strategies of networks."""

from __future__ import annotations

from typing import Any

from ...caller import Caller
from ...rounds.advance import advance_network as advance
from ...rounds.round_rows import last_round
from ...rounds.setting import adopt_plan, clear_strategy, get_strategy
from ...rounds.strategy_plan import StrategyPlan
from ...statestore.network_members import require_networks
from ...store import Lake

__all__ = ["advance_network", "clear_network_strategy", "network_strategy", "set_network_strategy", "wake_strategy"]


def set_network_strategy(lake: Lake, caller: Caller, *, network: str, plan: str) -> bool:
    """Give a network a Strategy; return whether it had another.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    plan : str
        `StrategyPlan` as JSON.
    """
    caller.require_for("write", [network])
    require_networks(lake, [network])
    return adopt_plan(lake, network, StrategyPlan.parse(plan), caller=caller)


def clear_network_strategy(lake: Lake, caller: Caller, *, network: str) -> bool:
    """Clear the Strategy of a network; return whether it had one.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    return bool(clear_strategy(lake, [network], caller=caller))


def network_strategy(lake: Lake, caller: Caller, *, network: str) -> dict[str, Any] | None:
    """Return the plan of a network's Strategy, and its last round (None before the first); None if it has none.

    A round is `current` if the Strategy has not been set since.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    caller.require_for("read", [network])
    require_networks(lake, [network])
    decision = lake.network_log.strategies().get(network)
    if decision is None:
        return None
    last = last_round(lake, network)
    held = last and {
        "round": last.number,
        "state": last.state,
        "at": last.at.isoformat(),
        "exception": last.exception,
        "traceback": last.traceback,
        "stop": last.stop,
        "current": last.plan_seq == decision.seq,
    }
    return {"plan": StrategyPlan.parse(decision.text).model_dump(mode="json"), "last": held}


def wake_strategy(lake: Lake, caller: Caller, *, network: str) -> bool:
    """Set the Strategy of a network anew, so that it is asked again; return whether it has one.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    caller.require_for("write", [network])
    plan = get_strategy(lake, network)
    if plan is not None:
        lake.network_log.set_strategy([network], plan.model_dump_json(), caller=caller, reason="woken")
    return plan is not None


def advance_network(lake: Lake, caller: Caller, *, network: str, now: bool = False) -> dict[str, Any]:
    """Run the next round of a network's Strategy, see `rounds.advance`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    now : bool, default False
        Run a round even if nothing has ended since the last one.
    """
    report = advance(lake, network, caller=caller, now=now)
    names = ("round", "state", "n_tasks", "n_cancelled", "stop", "exception", "last_state")
    return {name: getattr(report, name) for name in names}
