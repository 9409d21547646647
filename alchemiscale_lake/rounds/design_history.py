"""History of a living network in the table `design_files`: pick-ups, versions, refused files.

Reads and appends rows; `growth` decides what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..caller import Caller
from ..ids import Scope, ScopedKey
from ..store import Lake, collect, now_utc

__all__ = ["DesignHistory", "design_rows", "lineage", "record_pickup"]


@dataclass(frozen=True, slots=True, eq=False)
class DesignHistory:
    """Pick-ups of a living network so far.

    Attributes
    ----------
    rows : polars.DataFrame
        Rows of `design_files`, by pick-up.
    """

    rows: pl.DataFrame

    @classmethod
    def of(cls, lake: Lake, scope: Scope, name: str) -> DesignHistory:
        """Read the history of a living network.

        Parameters
        ----------
        lake : Lake
        scope : Scope
        name : str
        """
        return cls(collect(_own(lake.table("design_files").scan(), scope, name), "design files"))

    @property
    def pickup(self) -> int:
        """Return the number of the last pick-up; 0 before the first."""
        return max(self.rows["pickup"].to_list(), default=0)

    @property
    def versions(self) -> list[str]:
        """Return the networks that the living network has been, in order; the last one is the current."""
        found: dict[str, None] = {}
        for before, network in self.rows.filter(pl.col("network").is_not_null()).select("grown_from", "network").rows():
            found |= {key: None for key in (before, network) if key is not None and key not in found}
        return list(found)

    def latest(self, source: str) -> dict[str, dict[str, Any]]:
        """Return the last row of each path of a source."""
        return {row["path"]: row for row in self.rows.filter(pl.col("source") == source).iter_rows(named=True)}


def lineage(lake: Lake, network: str) -> list[str]:
    """Return the networks from which a network grew, oldest first, and itself last.

    It grew by design files, or by hand from one network that it extends.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    scope = str(ScopedKey.from_str(network).scope)
    rows = lake.table("design_files").scan().filter((pl.col("scope") == scope) & pl.col("grown_from").is_not_null())
    by_files = collect(rows.sort("pickup").select("network", "grown_from"), "design files").iter_rows()
    of_one = (pl.col("scope") == scope) & (pl.col("made_by") == "extend") & (pl.col("made_from").list.len() == 1)
    extended = lake.table("networks").scan().filter(of_one).select("network", pl.col("made_from").list.first())
    before = dict(collect(extended, "networks").iter_rows()) | dict(by_files)
    found = [network]
    while (older := before.get(found[0])) is not None and older not in found:
        found.insert(0, older)
    return found


def design_rows(lake: Lake, networks: Sequence[str]) -> pl.DataFrame:
    """Return the pick-ups of the living network that has been these networks, by pick-up.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        As from `lineage`.
    """
    scope = str(ScopedKey.from_str(networks[-1]).scope)
    rows = lake.table("design_files").scan().filter(pl.col("scope") == scope)
    names = rows.filter(pl.col("network").is_in(networks)).select("name").unique()
    return collect(rows.join(names, on="name", how="semi").sort("pickup", "source", "path"), "design files")


def record_pickup(
    lake: Lake, scope: Scope, name: str, source: str, rows: Sequence[dict[str, Any]], *, after: int, caller: Caller
) -> bool:
    """Record a pick-up in one commit, unless there was another one meanwhile; return whether it was recorded.

    Parameters
    ----------
    lake : Lake
    scope : Scope
    name : str
        Name of the living network.
    source : str
        URL of the folder or prefix.
    rows : sequence of dict
        Rows without the columns that all have in common.
    after : int
        Number of the pick-up that was the last one.
    caller : Caller
        Recorded as the actor.
    """
    common = {"scope": str(scope), "name": name, "source": source, "pickup": after + 1}
    common |= {"actor": caller.name, "at": now_utc()}
    recorded = False

    def decide(table: pl.LazyFrame) -> list[dict[str, Any]]:
        nonlocal recorded
        later = _own(table, scope, name).filter(pl.col("pickup") > after)
        there = collect(later.select("actor", "at"), "design files").unique()
        # after a commit with unknown outcome, these may be the same rows
        recorded = not len(there) or there.rows() == [(common["actor"], common["at"])]
        return [] if len(there) else [common | row for row in rows]

    lake.table("design_files").append_decided(decide)
    return recorded


def _own(rows: pl.LazyFrame, scope: Scope, name: str) -> pl.LazyFrame:
    return rows.filter((pl.col("scope") == str(scope)) & (pl.col("name") == name)).sort("pickup", "source", "path")
