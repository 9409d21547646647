"""Rounds of a network in the table `strategy_rounds`: the last one, and a new one by compare-and-swap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from ..ids import ScopedKey
from ..store import Lake, collect
from ..strategies.proposal import Proposal
from ..strategies.strategy_rows import NetworkRows

__all__ = ["StrategyRound", "last_round", "proposal_rows", "record_round"]


@dataclass(frozen=True, slots=True)
class StrategyRound:
    """A recorded round.

    Attributes
    ----------
    number : int
    state : str
        `asked`, `idle`, `finished` or `error`.
    transformations : tuple of str
        All Transformations of the network.
    finished : tuple of str
        Those that the Strategy was finished with.
    n_tasks : mapping of str to int
        Tasks by Transformation.
    stop, exception, traceback : str or None
    plan_seq : int
        Commit of the log of networks that set the Strategy.
    inputs_digest : str
        Of the ended Tasks that it was decided on.
    at : datetime
    """

    number: int
    state: str
    transformations: tuple[str, ...]
    finished: tuple[str, ...]
    n_tasks: Mapping[str, int]
    stop: str | None
    exception: str | None
    traceback: str | None
    plan_seq: int
    inputs_digest: str
    at: datetime


def last_round(lake: Lake, network: str) -> StrategyRound | None:
    """Return the last round of a network, None before the first.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    rows = collect(_last(lake.table("strategy_rounds").scan(), network), "rounds of Strategies")
    if not len(rows):
        return None
    first = rows.row(0, named=True)
    rows = rows.sort("transformation")
    asked = rows.filter(pl.col("n_tasks") > 0).select("transformation", "n_tasks")
    finished = rows.filter(pl.col("weight").is_null() & (pl.col("state") != "error"))
    fields = ("state", "stop", "exception", "traceback", "plan_seq", "inputs_digest", "at")
    return StrategyRound(
        first["round"],
        transformations=tuple(rows["transformation"]),
        finished=tuple(finished["transformation"]),
        n_tasks=dict(asked.iter_rows()),
        **{name: first[name] for name in fields},
    )


def _last(rows: pl.LazyFrame, network: str) -> pl.LazyFrame:
    scope = str(ScopedKey.from_str(network).scope)
    own = rows.filter((pl.col("scope") == scope) & (pl.col("network") == network))
    return own.filter(pl.col("round") == pl.col("round").max())


def record_round(lake: Lake, rows: list[dict[str, Any]]) -> bool:
    """Write a round unless the network already has one with this number; return whether these rows were written.

    Parameters
    ----------
    lake : Lake
    rows : list of dict
        Of one network and round.
    """
    network, scope, number = rows[0]["network"], rows[0]["scope"], rows[0]["round"]
    mine = (pl.col("scope") == scope) & (pl.col("network") == network) & (pl.col("round") >= number)
    written = False

    def decide(table: pl.LazyFrame) -> list[dict[str, Any]]:
        nonlocal written
        there = collect(table.filter(mine).select("actor", "at"), "rounds of Strategies").unique()
        # after a commit with unknown outcome, these may be the same rows
        written = not len(there) or there.rows() == [(rows[0]["actor"], rows[0]["at"])]
        return [] if len(there) else rows

    lake.table("strategy_rounds").append_decided(decide)
    return written


def proposal_rows(
    network: str,
    state: NetworkRows,
    proposal: Proposal | None,
    n_tasks: Mapping[str, int],
    common: Mapping[str, Any],
    *,
    are_tasks: bool = False,
) -> list[dict[str, Any]]:
    """Return the rows of a round.

    Parameters
    ----------
    network : str
        ScopedKey of the network.
    state : NetworkRows
        What the Strategy decided on.
    proposal : Proposal or None
        None if it failed.
    n_tasks : mapping of str to int
        Tasks by Transformation.
    common : mapping of str to object
        Columns with one value for the round.
    are_tasks : bool, default False
        Whether the weights are numbers of Tasks.
    """
    facts = json.dumps(dict(proposal.facts), sort_keys=True) if proposal is not None and proposal.facts else None
    return [
        {
            **common,
            "scope": str(ScopedKey.from_str(network).scope),
            "network": network,
            "transformation": row.key,
            "weight": None if proposal is None else proposal.weights[row.key],
            "n_tasks": n_tasks.get(row.key, 0),
            "reason": None if proposal is None else _reason(proposal, row.key, n_tasks.get(row.key, 0), are_tasks),
            "votes": None if proposal is None else _votes(proposal, row.key),
            "n_results": row.n_results,
            "n_in_flight": row.n_in_flight,
            "gpu_hours": row.gpu_hours,
            "stop": None if proposal is None else proposal.stop,
            "facts": facts,
            "spent_gpu_hours": state.spent_gpu_hours,
            "budget_gpu_hours": state.budget_gpu_hours,
        }
        for row in state.transformations
    ]


def _reason(proposal: Proposal, transformation: str, n_tasks: int, are_tasks: bool) -> str | None:
    """Return the Strategy's reason, and whether the limits of the round allowed less than it wanted."""
    reason, weight = proposal.reasons.get(transformation), proposal.weights[transformation]
    if not weight or n_tasks >= (round(weight) if are_tasks else 1):
        return reason
    cut = f"the round's limits leave {n_tasks}" if are_tasks else "others were more urgent in this round"
    return cut if reason is None else f"{reason}; {cut}"


def _votes(proposal: Proposal, transformation: str) -> str | None:
    if not proposal.votes:
        return None
    return json.dumps({name: vote.weights[transformation] for name, vote in sorted(proposal.votes.items())})
