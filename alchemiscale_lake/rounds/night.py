"""One night of a living network: grow by new design files, gather, run the next round of its Strategy.

What fails in one step is reported, and the others are taken nevertheless: an unreadable folder stops no round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from ..caller import Caller
from ..errors import LakeError
from ..estimates.gathering import GatherReport, gather_network
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..settings import Pools
from ..statestore.task_operations import ensure_tasks
from ..store import Lake, collect
from .advance import RoundReport, advance_network
from .design_history import lineage
from .growth import DesignGrowth, grow_network, living_network
from .setting import get_strategy
from .strategy_plan import StrategyPlan

__all__ = ["Night", "run_night"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Night:
    """Outcome of a night.

    Attributes
    ----------
    name, scope : str
        The living network.
    network : str or None
        ScopedKey of what it is now; None if there is nothing in it yet.
    growth : DesignGrowth or None
        None if it failed.
    n_tasks : int
        Tasks that were created.
    round : RoundReport or None
        None without a Strategy, or if it failed.
    gathered : GatherReport or None
        None without a network, or if it failed.
    failures : tuple of str
        What failed, and why.
    """

    name: str
    scope: str
    network: str | None
    growth: DesignGrowth | None
    n_tasks: int
    round: RoundReport | None
    gathered: GatherReport | None
    failures: tuple[str, ...]


def run_night(
    lake: Lake,
    source: str,
    scope: Scope | str,
    name: str,
    *,
    caller: Caller,
    plan: StrategyPlan | None = None,
    tasks_per_transformation: int = 0,
    pools: Pools | None = None,
    settle_s: float = 60.0,
    retry_refused: bool = False,
) -> Night:
    """Grow a living network, gather its results, and run the next round of its Strategy.

    Repeating it, also by two processes at once, picks up no file twice and asks for nothing twice.

    Parameters
    ----------
    lake : Lake
    source : str
        Folder, or URL of a prefix in a bucket, with design files.
    scope : Scope or str
        Specific Scope, without wildcards.
    name : str
        Name of the living network.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    plan : StrategyPlan, optional
        Strategy for a network that has never had one; what users set or clear later is left as it is.
    tasks_per_transformation : int, default 0
        Tasks that every Transformation gets in any case.
    pools : Pools, optional
        Declares what Tasks need, for predicted costs.
    settle_s : float, default 60
        Age from which a file in a folder is taken to be complete.
    retry_refused : bool, default False
        Read refused files again although they have not changed.

    Raises
    ------
    InvalidScopeError
        If the Scope is malformed or has a wildcard.
    """
    scope = Scope.parse(scope).require_specific()
    failures: list[str] = []
    growth = _tried(
        "picking up design files",
        lambda: grow_network(lake, source, scope, name, caller=caller, settle_s=settle_s, retry_refused=retry_refused),
        failures,
    )
    fault_point("night:grown")
    network = (
        growth.network
        if growth is not None
        else _tried("finding it", lambda: living_network(lake, scope, name), failures)
    )
    if network is None:
        return Night(name, str(scope), None, growth, 0, None, None, tuple(failures))
    n_tasks = 0
    if tasks_per_transformation and not (growth is not None and growth.paused):
        created = _tried(
            "creating Tasks", lambda: ensure_tasks(lake, network, tasks_per_transformation, caller=caller), failures
        )
        n_tasks = len(created or ())
    if plan is not None and not _was_decided(lake, network):
        _tried("setting its Strategy", lambda: _set(lake, network, plan, caller), failures)
    fault_point("night:strategy-set")
    gathered = _tried("gathering", lambda: gather_network(lake, network), failures)
    ran = None
    if get_strategy(lake, network) is not None:
        ran = _tried("running its round", lambda: advance_network(lake, network, caller=caller, pools=pools), failures)
        if ran is not None and (ran.last_state or ran.state) == "error":
            failures.append(f"its Strategy: {ran.exception}")
        n_tasks += 0 if ran is None else ran.n_tasks
    return Night(name, str(scope), network, growth, n_tasks, ran, gathered, tuple(failures))


def _tried(what: str, step: Callable[[], T], failures: list[str]) -> T | None:
    try:
        return step()
    except LakeError as e:
        failures.append(f"{what}: {e}")
        return None


def _set(lake: Lake, network: str, plan: StrategyPlan, caller: Caller) -> None:
    lake.network_log.set_strategy([network], plan.model_dump_json(), caller=caller)


def _was_decided(lake: Lake, network: str) -> bool:
    """Return whether the network, or one that it has grown from, has or once had a Strategy."""
    mine = pl.col("network").is_in(lineage(lake, network)) & (pl.col("event") == "strategy")
    rows = lake.table("network_log").scan().filter((pl.col("scope") == str(ScopedKey.from_str(network).scope)) & mine)
    return bool(len(collect(rows.select("seq"), "the log of networks")))
