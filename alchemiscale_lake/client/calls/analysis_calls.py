"""Questions about numbers: SQL, estimates, ranking, cost. Frames travel as Arrow IPC streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import polars as pl

from ...caller import Caller
from ...costs.pricing import TransformationPrice, price
from ...costs.remaining_work import remaining_of_network
from ...estimates.gathering import gather_network as gather
from ...estimates.ranked_ligands import NEEDS_FOR_RANKING, rank_network
from ...ids import ScopedKey
from ...query import NAMED_QUERIES, ask, read_sql
from ...store import Lake, now_utc
from ._rows import connection_for, connection_of, stream_of

__all__ = ["forecast", "gather_network", "named_query", "ranking", "sql"]


def sql(lake: Lake, caller: Caller, *, statement: str, parameters: Mapping[str, Any] | None = None) -> bytes:
    """Return the rows of a statement over what the caller may read.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    statement : str
        One statement of DuckDB's SQL.
    parameters : mapping of str to object, optional
        Values of `$name` in the statement.
    """
    return stream_of(read_sql(connection_of(lake, caller), statement, parameters))


def named_query(
    lake: Lake, caller: Caller, *, name: str, network: str | None = None, equals: Mapping[str, Any] | None = None
) -> bytes:
    """Return the rows of a named query.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    name : str
    network : str, optional
        ScopedKey.
    equals : mapping of str to object, optional
        Columns with the values that they must have.
    """
    if network is not None:
        caller.require_for("read", [network])
    needs = ("networks", name) if name in NAMED_QUERIES else ()  # `ask` refuses unknown ones
    return stream_of(ask(connection_for(lake, caller, *needs), name, network=network, **(equals or {})))


def ranking(
    lake: Lake, caller: Caller, *, network: str, top: int = 3, kind: str | None = None, model_error: Any = None
) -> bytes:
    """Return the ranked ligands of a network's newest estimate version, see `rank_network`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    top : int, default 3
    kind : str, optional
    model_error : float or str, optional
    """
    caller.require_for("read", [network])
    ranked = rank_network(
        connection_for(lake, caller, *NEEDS_FOR_RANKING), network, top=top, kind=kind, model_error=model_error
    )
    return stream_of(ranked.ligands)


def gather_network(lake: Lake, caller: Caller, *, network: str, rule: Any = None) -> dict[str, Any]:
    """Update the estimates of a network.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    rule : str, optional
        See `gather_networks`.
    """
    caller.require_for("write", [network])
    return asdict(gather(lake, network, rule=rule))


def forecast(lake: Lake, caller: Caller, *, network: str, tasks_per_transformation: int | None = None) -> bytes:
    """Return the predicted cost of what is left of a network, one row per Transformation.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    tasks_per_transformation : int, optional
        Tasks that each Transformation is to have; by default, those that exist.
    """
    caller.require_for("read", [network])
    now = now_utc()
    remaining = remaining_of_network(
        lake, str(ScopedKey.from_str(network)), tasks_per_transformation=tasks_per_transformation, now=now
    )
    priced = price(lake, remaining, None, now=now)
    return stream_of(pl.DataFrame([_price_row(one) for one in priced.transformations]))


def _price_row(one: TransformationPrice) -> dict[str, Any]:
    amounts = {
        f"{what}_hours{suffix}": value
        for what, amount in (("each", one.each), ("total", one.total))
        for suffix, value in (("", amount.median), ("_low", amount.low), ("_high", amount.high))
    }
    names = ("transformation", "name", "phase", "protocol", "n_results", "n_running", "n_waiting", "gpus", "basis")
    return {name: getattr(one, name) for name in names} | amounts
