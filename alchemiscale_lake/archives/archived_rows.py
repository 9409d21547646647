"""The rows of a lake that belong to some networks, table by table.

What belongs to a network is found by keys: its Transformations, their Tasks (and the Tasks that these extend), attempts
and hosts, the gufe objects that it refers to, the experimental values and links of its nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeAlias

import polars as pl

from ..ids import ScopedKey
from ..statestore.network_members import require_networks
from ..statestore.stored_files import pruned_files
from ..store import Lake, collect

__all__ = ["LEFT_OUT", "ArchivedRows"]

#: Tables that no network's rows are read from, and why.
LEFT_OUT: Final[Mapping[str, str]] = {
    "task_snapshots": "folded from task_log",
    "action_snapshots": "folded from task_log",
    "host_log": "decisions of the lake's operators",
    "cost_models": "trained on all networks of the lake",
    "migrations": "history of the lake itself",
    "pruned_files": "names files that are not in the lake",
}

_Condition: TypeAlias = Callable[["ArchivedRows"], pl.Expr]


class ArchivedRows:
    """Rows of some networks, as one snapshot of each table.

    Parameters
    ----------
    lake : Lake
    networks : collection of str
        ScopedKeys.

    Raises
    ------
    NotFoundError
        If a network is not in the lake.
    StorageError
    """

    def __init__(self, lake: Lake, networks: Collection[str]) -> None:
        self.networks: Sequence[str] = sorted(set(networks))
        require_networks(lake, self.networks)
        self.scopes = sorted({str(ScopedKey.from_str(network).scope) for network in self.networks})
        # what makes others visible is written last, so it is opened first
        self._scans = lake.snapshot(list(_CONDITIONS)[::-1])
        self._pruned = pruned_files(lake)
        self._schemas = {name: lake.table(name).schema for name in _CONDITIONS}

    @staticmethod
    def table_names() -> list[str]:
        """Return the names of the tables, in an order in which they can be written."""
        return list(_CONDITIONS)

    def of(self, table: str) -> pl.DataFrame:
        """Return the rows of one table, sorted by its key.

        Parameters
        ----------
        table : str
            Name of the table.
        """
        schema = self._schemas[table]
        rows = self._scans[table]
        if "scope" in schema.names:
            rows = rows.filter(pl.col("scope").is_in(self.scopes))
        if table == "result_files":
            rows = rows.join(self._pruned, on=schema.key, how="anti")
        return collect(rows.filter(_CONDITIONS[table](self)), f"table '{table}'").sort(schema.key)

    def _values(self, table: str, column: str, condition: pl.Expr | None = None) -> set[str]:
        rows = self._scans[table].filter(pl.col("scope").is_in(self.scopes))
        rows = rows if condition is None else rows.filter(condition)
        return set(collect(rows.select(column).unique(), f"table '{table}'")[column].drop_nulls())

    @cached_property
    def members(self) -> set[str]:
        """ScopedKeys of their Transformations, as stored."""
        kind = pl.col("kind") == "transformation"
        return self._values("network_members", "member", pl.col("network").is_in(self.networks) & kind)

    @cached_property
    def tasks(self) -> set[str]:
        """ScopedKeys of Tasks of their Transformations, and of those that these extend."""
        rows = self._scans["tasks"].filter(pl.col("scope").is_in(self.scopes))
        columns = collect(rows.select("task", "transformation", "extends"), "table 'tasks'")
        parents = dict(columns.select("task", "extends").iter_rows())
        found = set(columns.filter(pl.col("transformation").is_in(list(self.members)))["task"])
        front = found
        while front:
            front = {parent for task in front if (parent := parents.get(task)) is not None} - found
            found |= front
        return found

    @cached_property
    def attempts(self) -> set[str]:
        """Attempts of these Tasks that have ended."""
        mine = pl.col("task").is_in(list(self.tasks))
        return self._values("results", "attempt", mine) | self._values("attempt_ends", "attempt", mine)

    @cached_property
    def hosts(self) -> set[str]:
        """Digests of the hosts of these attempts."""
        mine = pl.col("task").is_in(list(self.tasks))
        return self._values("results", "host", mine) | self._values("attempt_ends", "host", mine)

    @cached_property
    def objects(self) -> set[str]:
        """ScopedKeys of the gufe objects that the networks and their Transformations refer to, and of these."""
        rows = self._scans["gufe_objects"].filter(pl.col("scope").is_in(self.scopes))
        columns = collect(rows.select("scope", "key", "refers_to"), "table 'gufe_objects'")
        refers = {f"{key}-{scope}": (scope, others) for scope, key, others in columns.iter_rows()}
        front = {key for key in (*self.networks, *self.members) if key in refers}
        found = set(front)
        while front:
            front = {f"{other}-{scope}" for key in front for scope, others in [refers[key]] for other in others}
            front = (front & refers.keys()) - found
            found |= front
        return found

    @cached_property
    def nodes(self) -> set[str]:
        """Names of their ligands, and of the nodes of their estimates."""
        mine = pl.col("transformation").is_in(list(self.members))
        found = {
            name
            for column in ("ligand_a_name", "ligand_b_name")
            for name in self._values("transformations", column, mine)
        }
        of_network = pl.col("network").is_in(self.networks)
        found |= self._values("network_estimates", "ligand", of_network)
        return found | {
            name for column in ("ligand_i", "ligand_j") for name in self._values("edge_estimates", column, of_network)
        }

    @cached_property
    def names(self) -> set[str]:
        """Names of the networks."""
        return self._values("networks", "name", pl.col("network").is_in(self.networks))

    @cached_property
    def imported(self) -> set[str]:
        """Paths of the imported files that have their results."""
        from_file = pl.col("object_path").str.starts_with("imports/")
        return self._values("results", "object_path", pl.col("task").is_in(list(self.tasks)) & from_file)


def _network(rows: ArchivedRows) -> pl.Expr:
    return pl.col("network").is_in(rows.networks)


def _task(rows: ArchivedRows) -> pl.Expr:
    return pl.col("task").is_in(list(rows.tasks))


def _attempt(rows: ArchivedRows) -> pl.Expr:
    return pl.col("attempt").is_in(list(rows.attempts))


def _transformation(rows: ArchivedRows) -> pl.Expr:
    return pl.col("transformation").is_in(list(rows.members))


def _ligand(rows: ArchivedRows) -> pl.Expr:
    return pl.col("ligand").is_in(list(rows.nodes))


#: What belongs to the networks, by table. An import writes in this order: what makes other rows visible comes last.
_CONDITIONS: Final[Mapping[str, _Condition]] = {
    "gufe_objects": lambda rows: (pl.col("key") + "-" + pl.col("scope")).is_in(list(rows.objects)),
    "transformations": _transformation,
    "calculations": lambda rows: pl.col("stands_for").is_in(list(rows.members)),
    "tasks": _task,
    "hosts": lambda rows: pl.col("host").is_in(list(rows.hosts)),
    "imports": lambda rows: pl.col("object_path").is_in(list(rows.imported)) | _network(rows),
    "replicates": _attempt,
    "unit_results": _attempt,
    "result_files": _attempt,
    "refused_files": _attempt,
    "attempt_ends": _attempt,
    "results": _task,
    # that a Task is also actioned on another network is a fact about that one
    "task_log": lambda rows: _task(rows) & (pl.col("network").is_null() | _network(rows)),
    "result_estimates": _attempt,
    "transformation_estimates": _transformation,
    "edge_estimates": _network,
    "network_findings": _network,
    "network_estimates": _network,
    "network_log": _network,
    "strategy_rounds": _network,
    "assays": _ligand,
    "assay_log": _ligand,
    "link_log": lambda rows: pl.col("ligand_i").is_in(list(rows.nodes)) & pl.col("ligand_j").is_in(list(rows.nodes)),
    "design_files": lambda rows: _network(rows) | pl.col("name").is_in(list(rows.names)),
    "network_members": _network,
    "networks": _network,
}
