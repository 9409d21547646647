"""One snapshot of a lake with what gathering reads of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ..errors import NotFoundError
from ..query import Connection, NetworksConnection, connect_to_networks, read_sql, statement
from ..store import Lake

__all__ = ["GatheringSnapshot", "check_files"]

#: Tables that a gathering reads, and files of `query/sql`.
_READ: Final = (
    "networks",
    "results_to_gather",
    "estimate_history",
    "legs_to_compute",
    "newest_rounds",
    "newest_assays",
    "current_links",
)
#: Tables that estimates are computed from; their files are first compared with their digests.
_NUMBERS: Final = (
    "results",
    "tasks",
    "transformations",
    "network_members",
    "transformation_estimates",
    "assays",
    "link_log",
)


@dataclass(frozen=True, slots=True)
class GatheringSnapshot:
    """One snapshot of the lake, with queries for some networks.

    Attributes
    ----------
    opened : NetworksConnection
    networks : list of str
        ScopedKeys.
    """

    opened: NetworksConnection
    networks: list[str]

    @classmethod
    def of(cls, lake: Lake, networks: list[str], names: Collection[str]) -> GatheringSnapshot:
        """Open a snapshot.

        Parameters
        ----------
        lake : Lake
        networks : list of str
            ScopedKeys.
        names : collection of str
            Further tables and queries to define.

        Raises
        ------
        NotFoundError
            If the lake lacks a network.
        """
        opened = connect_to_networks(lake, networks, (*_READ, *names))
        known = set(read_sql(opened.connection, "select network from networks")["network"])
        for network in networks:
            if network not in known:
                message = f"the lake has no network {network}; see `alchemiscale-lake status`"
                raise NotFoundError(message, network=network)
        return cls(opened, networks)

    @property
    def connection(self) -> Connection:
        """Return the connection with the queries."""
        return self.opened.connection

    @property
    def scopes(self) -> list[str]:
        """Return the Scopes of the networks."""
        return self.opened.scopes

    @property
    def seq(self) -> int:
        """Return the commit of the task log up to which it reads."""
        return self.opened.seq

    def ask(self, name: str) -> pl.DataFrame:
        """Return the rows of a file of `query/sql` for the networks."""
        return read_sql(self.connection, statement(name), {"networks": self.networks, "scopes": self.scopes})

    def legs(self) -> dict[str, pl.DataFrame]:
        """Return the legs of each network that has any."""
        rows = self.ask("legs_to_compute")
        return {of_one["network"][0]: of_one for of_one in rows.partition_by("network", maintain_order=True)}

    def newest(self) -> dict[str, dict[str, Any]]:
        """Return the newest estimate version of each network that has one."""
        return {row["network"]: row for row in self.ask("newest_rounds").iter_rows(named=True)}

    def assays(self) -> dict[str, pl.DataFrame]:
        """Return the newest experimental values by Scope."""
        rows = read_sql(self.connection, statement("newest_assays"), {"scopes": self.scopes})
        found = {of_one["scope"][0]: of_one for of_one in rows.partition_by("scope", maintain_order=True)}
        return {scope: found.get(scope, rows.clear()) for scope in self.scopes}

    def links(self) -> dict[str, pl.DataFrame]:
        """Return the declared links by Scope."""
        rows = read_sql(self.connection, "select * from current_links")
        return {scope: rows.filter(pl.col("scope") == scope) for scope in self.scopes}


def check_files(lake: Lake, scopes: Sequence[str]) -> None:
    """Compare the files that estimates are computed from with their digests, each once per process.

    Parameters
    ----------
    lake : Lake
    scopes : sequence of str
        Only files of these Scopes.
    """
    for table in _NUMBERS:
        lake.table(table).check_files(scopes)
