"""Connections to the rows of some networks: a lake with hundreds of others costs hardly more than one without.

Conditions on Scope, network, Transformation and attempt are part of each scan, so that files and rows of others are
skipped when tables are read. Of the task log only the part that no snapshot has yet is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from ..ids import ScopedKey
from ..schemas import TABLES
from ..store import Lake, collect
from ..store.storage_errors import collect_all
from .connect import Connection, connect_frames
from .named_queries import NAMED_QUERIES
from .needs import needed_by

__all__ = ["NetworksConnection", "connect_to_networks"]


@dataclass(frozen=True, slots=True)
class NetworksConnection:
    """A connection to the rows of some networks.

    Attributes
    ----------
    connection : Connection
        As from `connect`, but `task_log` lacks the commits that the snapshots of states have.
    scopes : list of str
        Scopes of the networks.
    seq : int
        Number of the last commit to the task log that it was opened with.
    """

    connection: Connection
    scopes: list[str]
    seq: int


#: Columns by which the rows of networks are found.
_FOUND_BY: Final = ("task_log", "task_snapshots", "action_snapshots", "network_members", "results")
#: Tables that one query reads several times: read once, for at most so many Transformations.
_READ_OFTEN: Final = ("task_log", "task_snapshots", "network_members", "transformations", "results")
_FEW: Final = 1_000


def connect_to_networks(
    lake: Lake, networks: Collection[str], names: Iterable[str] = (*TABLES, *NAMED_QUERIES)
) -> NetworksConnection:
    """Open a connection that sees the rows of these networks only, and rows that belong to no network.

    Parameters
    ----------
    lake : Lake
    networks : collection of str
        ScopedKeys.
    names : iterable of str, optional
        Tables, named queries and other files of `query/sql` that it must have, as for `connect_for`. Default: all.
    """
    needs = needed_by((*names, *_FOUND_BY))
    frames = lake.snapshot(needs.tables)
    scopes = sorted({str(ScopedKey.from_str(network).scope) for network in networks})
    # the two differ after a fold that was interrupted
    folded = [_as_of(frames[name]) for name in ("task_snapshots", "action_snapshots")]
    tail = frames["task_log"].filter(pl.col("seq") > min(folded))
    last = collect(tail.select(pl.col("seq").max()), "the log of Tasks").item()
    seen = {name: _among(name, frame, "scope", scopes) for name, frame in {**frames, "task_log": tail}.items()}
    transformations = seen["network_members"].filter(pl.col("kind") == "transformation")
    members = _values(transformations.filter(pl.col("network").is_in(list(networks))), "member")
    attempts = _values(seen["results"].filter(pl.col("transformation").is_in(members)), "attempt")
    for name, frame in seen.items():
        # by the first that a table has: results of a Transformation count for every network that it is in
        for column, values in (("transformation", members), ("network", networks), ("attempt", attempts)):
            if column in TABLES[name].names:
                seen[name] = _among(name, frame, column, values)
                break
    read = _read_once(seen) if len(members) <= _FEW else {}
    connection = connect_frames({**seen, **read}, queries=needs.queries)
    return NetworksConnection(connection, scopes, max(last or 0, *folded))


def _read_once(seen: Mapping[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    often = [name for name in _READ_OFTEN if name in seen]
    return dict(zip(often, collect_all([seen[name] for name in often], "rows of networks"), strict=True))


def _among(table: str, frame: pl.LazyFrame, column: str, values: Collection[str]) -> pl.LazyFrame:
    """Filter the scan of a table by the values of a column, if it has that column."""
    return frame.filter(pl.col(column).is_in(list(values))) if column in TABLES[table].names else frame


def _values(frame: pl.LazyFrame, column: str) -> list[str]:
    return collect(frame.select(column).unique(), f"values of {column}")[column].to_list()


def _as_of(snapshots: pl.LazyFrame) -> int:
    """Return the number of the commit that a table of folded states reaches."""
    rows = collect(snapshots.select("as_of_seq").head(1), "folded states")
    return int(rows.item()) if len(rows) else 0
