"""Advance a network by one round of its Strategy, if there is something new to decide on.

A round is recorded by compare-and-swap before its Tasks are created, and the keys of its Tasks follow from it. So two
schedulers on one network never ask for a Task twice, and what a killed one has recorded, the next completes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from ..caller import Caller
from ..errors import StrategyError
from ..estimates.gathering import gather_network
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..networks.stored import read_chain_text
from ..query import networks_in
from ..settings import Pools
from ..statestore.network_members import network_transformations, require_networks
from ..statestore.round_tasks import ensure_round_tasks
from ..statestore.task_operations import cancel_tasks
from ..store import Lake, NetworkState, StrategyDecision, now_utc
from .dormancy import known_dormant, log_versions, remember_dormant
from .link_rows import links_for, with_links
from .network_rows import network_rows, task_counts
from .proposing import propose
from .round_rows import StrategyRound, last_round, proposal_rows, record_round
from .strategy_plan import StrategyPlan
from .task_numbers import task_numbers

__all__ = ["RoundReport", "advance_network", "advance_scope"]

RoundState = Literal["asked", "idle", "finished", "error", "dormant", "early", "disabled", "inactive"]


@dataclass(frozen=True, slots=True)
class RoundReport:
    """Outcome of advancing a network.

    Attributes
    ----------
    network : str
        ScopedKey.
    round : int or None
        The newest round; None if there is none.
    state : str
        Of a new round: `asked`, `idle`, `finished` or `error`. If there was none: `dormant` (nothing has ended since
        the last one), `early` (its interval has not passed), `disabled`, or `inactive` (the network is).
    n_tasks : int
        Tasks created by this call, including those that an interrupted one left to create.
    n_cancelled : int
        Actions cancelled, in mode `full`.
    stop : str or None
        Why the Strategy is finished with the network.
    exception : str or None
        Why the round failed.
    last_state : str or None
        State of the newest round.
    """

    network: str
    round: int | None
    state: RoundState
    n_tasks: int = 0
    n_cancelled: int = 0
    stop: str | None = None
    exception: str | None = None
    last_state: str | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    """Tasks created and actions cancelled for a round that another scheduler has recorded."""

    n_created: int = 0
    n_cancelled: int = 0


def advance_scope(
    lake: Lake, scope: Scope | str = "*-*-*", *, caller: Caller, pools: Pools | None = None
) -> list[RoundReport]:
    """Advance all networks of a Scope that have a Strategy.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, default "*-*-*"
        A Scope, or a pattern such as `org-campaign-*`.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    pools : Pools, optional
        Declares what Tasks need, for predicted costs.

    Raises
    ------
    NotFoundError
        If there is no network.
    """
    wanted = Scope.parse(scope)
    chosen = sorted(n for n in lake.network_log.strategies() if wanted.is_superset(ScopedKey.from_str(n).scope))
    if not chosen:
        networks_in(lake, scope)  # raises if there is none at all
    return [advance_network(lake, network, caller=caller, pools=pools) for network in chosen]


def advance_network(
    lake: Lake, network: str, *, caller: Caller, pools: Pools | None = None, now: bool = False
) -> RoundReport:
    """Complete the last round of a network, and run the next one if there is something new to decide on.

    There is if a Task has completed or failed since the last round, links of the Scope have changed, or the Strategy
    was set anew. After a failed round, it needs to be set again.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    pools : Pools, optional
        Declares what Tasks need, for predicted costs.
    now : bool, default False
        Run a round in any case.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    StrategyError
        If it has no Strategy.
    """
    caller.require_for("write", [network])
    versions = log_versions(lake)
    if not now and (known := known_dormant(lake, network, versions)) is not None:
        return known
    decision = lake.network_log.strategies().get(network)
    if decision is None:
        require_networks(lake, [network])
        how = f"alchemiscale-lake strategy set {network} optimal-design"
        raise StrategyError(f"network {network} has no Strategy; set one with `{how}`", network=network)
    plan, last = StrategyPlan.parse(decision.text), last_round(lake, network)
    if plan.mode == "disabled":
        return _report(network, "disabled", last)
    if lake.network_log.states().get(network, NetworkState()).state != "active":
        return _report(network, "inactive", last)
    done = _Done() if last is None else _complete(lake, network, plan, decision, last, caller)
    states = lake.task_log.states()
    if last is not None and not now and last.plan_seq == decision.seq:
        digest = task_counts(states, last.transformations).digest
        if last.state == "error" or last.inputs_digest == with_links(digest, links_for(lake, network)):
            report = _report(network, "dormant", last, done)
            remember_dormant(lake, report, versions)
            return report
        if (now_utc() - last.at).total_seconds() < plan.interval_s:
            return _report(network, "early", last, done)
    return _run(lake, network, decision, plan, last, caller=caller, pools=pools, as_of_seq=states.seq, done=done)


def _run(
    lake: Lake,
    network: str,
    decision: StrategyDecision,
    plan: StrategyPlan,
    last: StrategyRound | None,
    *,
    caller: Caller,
    pools: Pools | None,
    as_of_seq: int,
    done: _Done,
) -> RoundReport:
    """Run a round; if another scheduler runs it at the same time, complete that one's."""
    number, at = 1 if last is None else last.number + 1, now_utc()
    counts = task_counts(lake.task_log.states(), network_transformations(lake, network))
    links = links_for(lake, network)
    gather_network(lake, network)
    rows = network_rows(lake, network, plan, counts, n_rounds=number - 1, at=at, pools=pools, links=links)
    named = ScopedKey.from_str(network)
    answer = propose(
        plan, rows, lambda: read_chain_text(lake.table("gufe_objects").scan(), named.scope, named.gufe_key)
    )
    n_tasks: Mapping[str, int] = {}
    state: Literal["asked", "idle", "finished", "error"] = "error"
    if answer.proposal is not None:
        n_tasks = task_numbers(plan, answer.proposal, rows, are_tasks=answer.are_tasks)
        state = "asked" if n_tasks else "finished" if answer.proposal.finished else "idle"
    common = {
        "round": number,
        "state": state,
        "strategy": plan.strategy,
        # of what ran: an installed package may be newer than when the Strategy was set
        "digest": answer.digest or plan.digest,
        "exception": answer.exception,
        "traceback": answer.traceback,
        "plan_seq": decision.seq,
        "inputs_digest": with_links(counts.digest, links),
        "as_of_seq": as_of_seq,
        "actor": caller.name,
        "at": at,
    }
    fault_point("rounds:before-record")
    recorded = record_round(
        lake, proposal_rows(network, rows, answer.proposal, n_tasks, common, are_tasks=answer.are_tasks)
    )
    fault_point("rounds:after-record")
    if not recorded:
        return advance_network(lake, network, caller=caller, pools=pools)
    n_created = done.n_created + ensure_round_tasks(lake, network, number, n_tasks, caller=caller)
    fault_point("rounds:after-tasks")
    n_cancelled = done.n_cancelled
    if plan.mode == "full" and answer.proposal is not None:
        finished = [key for key, weight in answer.proposal.weights.items() if weight is None]
        n_cancelled += _cancel(lake, network, finished, caller)
    stop = None if answer.proposal is None else answer.proposal.stop
    return RoundReport(network, number, state, n_created, n_cancelled, stop, answer.exception, state)


def _complete(
    lake: Lake, network: str, plan: StrategyPlan, decision: StrategyDecision, last: StrategyRound, caller: Caller
) -> _Done:
    """Do what the last round has recorded and an interrupted scheduler has not done."""
    n_created = ensure_round_tasks(lake, network, last.number, last.n_tasks, caller=caller)
    n_cancelled = 0
    if plan.mode == "full" and last.plan_seq == decision.seq and last.finished:
        n_cancelled = _cancel(lake, network, list(last.finished), caller)
    return _Done(n_created, n_cancelled)


def _cancel(lake: Lake, network: str, transformations: list[str], caller: Caller) -> int:
    """Cancel waiting and running Tasks of Transformations on a network; return their number."""
    states = lake.task_log.states()
    live = states.with_status("waiting", "running").filter(pl.col("transformation").is_in(transformations))
    actions = states.live_actions().filter(pl.col("network") == network)
    tasks = live.join(actions, on="task", how="semi")["task"].sort().to_list()
    return sum(outcome.ok for outcome in cancel_tasks(lake, tasks, network, caller=caller)) if tasks else 0


def _report(network: str, state: RoundState, last: StrategyRound | None, done: _Done | None = None) -> RoundReport:
    done = done or _Done()
    if last is None:
        return RoundReport(network, None, state)
    return RoundReport(
        network,
        last.number,
        state,
        done.n_created,
        done.n_cancelled,
        stop=last.stop,
        exception=last.exception,
        last_state=last.state,
    )
