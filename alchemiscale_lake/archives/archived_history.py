"""Histories of Tasks and networks from another lake, as one commit to each log of this one.

Events keep their times and authors. Numbers of commits are those of each lake: what refers to them is shifted, so that
it keeps its order and ends with the new commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..schemas import TABLES
from ..store import NetworkState, now_utc
from ..tasks import Event, TaskStates, status

__all__ = ["AS_OF", "decisions", "last_commit", "of_plans", "task_history"]

#: Column that numbers commits of the task log.
AS_OF: Final = "as_of_seq"


def last_commit(rows: Mapping[str, pl.DataFrame]) -> int:
    """Return the number of the last commit to the task log that any row refers to.

    Parameters
    ----------
    rows : mapping of str to polars.DataFrame
        Rows by table.
    """
    found = [rows["task_log"]["seq"].max(), *(frame[AS_OF].max() for frame in rows.values() if AS_OF in frame.columns)]
    return max((number for number in found if isinstance(number, int)), default=0)


def task_history(states: TaskStates, log: pl.DataFrame, who: Caller) -> pl.DataFrame:
    """Return the events of Tasks that the lake lacks, and the completion of those that it has and has not ended.

    A Task that was running waits again. Restarts are counted anew, since the patterns are as new as this lake's commit.

    Parameters
    ----------
    states : TaskStates
        Of the lake.
    log : polars.DataFrame
        Rows of `task_log` from the archive.
    who : Caller
        Author of releases.
    """
    ordered = log.sort("seq", "idx").with_columns(pattern_seq=pl.lit(None, pl.Int64))
    here = states.of(ordered["task"].unique().to_list())
    is_known = pl.col("task").is_in(list(here))
    new = ordered.filter(~is_known)
    added: list[dict[str, Any]] = []
    done = ordered.filter(is_known & (pl.col("event") == "completed")).unique("task", keep="last", maintain_order=True)
    for row in done.iter_rows(named=True):
        event = status.complete(here[row["task"]], row["of_attempt"])
        if isinstance(event, Event):
            added.append({**event.row(), "actor": row["actor"], "at": row["at"]})
    last = new.unique("task", keep="last", maintain_order=True)
    for state in TaskStates.empty().advance(last, 1).running().values():
        event = status.release(state, str(state.attempt), "it was running when it was archived")
        if isinstance(event, Event):
            added.append({**event.row(), "actor": who.name, "at": now_utc()})
    # the commit that appends them gives them its number and id
    rows = [{**row, "seq": 1, "idx": 0, "commit_id": ""} for row in added]
    return pl.concat([new, pl.DataFrame(TABLES["task_log"].table(rows))])


def decisions(
    networks: Iterable[str], log: pl.DataFrame, state: str | None, reason: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the decisions about each network, and the state that it has after the import.

    Parameters
    ----------
    networks : iterable of str
        ScopedKeys.
    log : polars.DataFrame
        Rows of `network_log` from the archive.
    state : str or None
        State after the import; None keeps that in which it was archived.
    reason : str
        Of that state.
    """
    ordered = log.sort("seq", "idx").drop("seq", "idx", "commit_id")
    found: dict[str, list[dict[str, Any]]] = {}
    for network in networks:
        history = ordered.filter(pl.col("network") == network).to_dicts()
        if state is not None:
            weight = history[-1]["weight"] if history else NetworkState().weight
            history.append({"event": "state", "state": state, "weight": weight, "reason": reason})
        if history:
            found[network] = history
    return found


def of_plans(rounds: pl.DataFrame, log: pl.DataFrame, seq: int) -> pl.DataFrame:
    """Let rounds refer to the commit that set their Strategy in this lake.

    Parameters
    ----------
    rounds : polars.DataFrame
        Rows of `strategy_rounds` from the archive.
    log : polars.DataFrame
        Rows of `network_log` from the archive.
    seq : int
        Number of the commit to `network_log` in this lake.
    """
    latest = log.filter(pl.col("event") == "strategy").group_by("network").agg(pl.col("seq").max())
    joined = rounds.join(latest, on="network", how="left", maintain_order="left")
    return joined.with_columns(plan_seq=pl.col("plan_seq") - pl.col("seq").fill_null(pl.col("plan_seq")) + seq).drop(
        "seq"
    )
