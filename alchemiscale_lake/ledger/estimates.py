"""Gather networks: new results, then the estimates of their Transformations, then a round of each network.

Decides what is written and in which order: Transformations, edges, findings, and last the nodes, which make
a round visible. The reckoning is in `transformation_estimates` and `network_rounds`. Nothing here needs
gufe: a result's own estimate was put into its row by the worker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from estimators.leg_uncertainties import LegRule

from ..errors import NotFoundError
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..query import Connection, connect, networks_in, read_sql, statement
from ..store import Lake, now_utc
from .network_rounds import Round, inputs_digest, reckon_round
from .transformation_estimates import stale_estimates

__all__ = ["GatherReport", "gather_network", "gather_networks", "gather_scope"]

_FIRST_RULE: Final = "pooled"
#: Tables that numbers come from: their files are compared with their digests before anything is computed.
_NUMBERS: Final = ("results", "tasks", "transformations", "network_members", "transformation_estimates", "assays")


@dataclass(frozen=True, slots=True)
class GatherReport:
    """What gathering a network found and wrote.

    Attributes
    ----------
    network : str
        ScopedKey.
    round : int or None
        The newest round; None if the network has nothing but NonTransformations.
    new_round : bool
        Whether this call wrote it.
    n_transformations : int
        Transformations of the network.
    n_estimated : int
        Those with an estimate now.
    n_regathered : int
        Those that had new results.
    n_edges, n_whole_edges : int
        Edges, and those with a value.
    n_ligands : int
        Ligands, counted once per kind of edge.
    """

    network: str
    round: int | None
    new_round: bool
    n_transformations: int
    n_estimated: int
    n_regathered: int
    n_edges: int
    n_whole_edges: int
    n_ligands: int


def gather_network(lake: Lake, network: str | ScopedKey, *, rule: LegRule | None = None) -> GatherReport:
    """Bring the estimates of one network up to date, see `gather_networks`."""
    return gather_networks(lake, [network], rule=rule)[0]


def gather_scope(lake: Lake, scope: Scope | str, *, rule: LegRule | None = None) -> list[GatherReport]:
    """Bring the estimates of all networks of a Scope up to date.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Or a pattern such as `org-campaign-*`.
    rule : {"pooled", "larger", "own", "sem", "sd"}, optional
        As for `gather_networks`.

    Raises
    ------
    NotFoundError
        If there is no network.
    """
    return gather_networks(lake, networks_in(lake, scope), rule=rule)


def gather_networks(
    lake: Lake, networks: Sequence[str | ScopedKey], *, rule: LegRule | None = None
) -> list[GatherReport]:
    """Bring the estimates of networks up to date, all in one go.

    Only Transformations with new results are gathered again, and a new round is written only of networks
    with a leg or an experimental value that changed. Repeating it, or two doing it at once, is harmless.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str or ScopedKey
    rule : {"pooled", "larger", "own", "sem", "sd"}, optional
        Which uncertainty a leg enters its network with, see `estimators.leg_uncertainties`. By default that
        of the network's newest round, so that whoever gathers next keeps what somebody chose; `pooled` for
        the first round.

    Returns
    -------
    list of GatherReport
        One per network, in the order given.

    Raises
    ------
    NotFoundError
        If a network is not in the lake.
    DamagedError
        If a file that the numbers come from is not as it was written.
    """
    wanted = list(dict.fromkeys(str(ScopedKey.parse(network)) for network in networks))
    at = now_utc()  # before the snapshot: of two who gather at once, the one who read last writes the later time
    reading = _Reading.of(lake, wanted)
    for table in _NUMBERS:
        lake.table(table).check_files(reading.scopes)
    regathered = _gather_transformations(lake, reading, at)
    fault_point("gather:after-transformations")
    if regathered:
        at = now_utc()
        reading = _Reading.of(lake, wanted)
    legs, newest = reading.legs(), reading.newest()
    rounds, digests = _reckon(reading, legs, newest, rule)
    written = _write_rounds(lake, reading, rounds, digests, newest, at)
    reports = []
    for network in wanted:
        of_network = legs.get(network)
        members = set() if of_network is None else set(of_network["transformation"])
        number, new = written.get(network, (newest.get(network, {}).get("round"), False))
        reports.append(
            GatherReport(
                network=network,
                round=number,
                new_round=new,
                n_transformations=len(members),
                n_estimated=0 if of_network is None else int(of_network["value_kcal_mol"].is_not_null().sum()),
                n_regathered=len(members & regathered),
                **_sizes(rounds.get(network), newest.get(network)),
            )
        )
    return reports


@dataclass(frozen=True, slots=True)
class _Reading:
    """One snapshot of the lake, asked about some networks."""

    connection: Connection
    networks: list[str]
    scopes: list[str]

    @classmethod
    def of(cls, lake: Lake, networks: list[str]) -> _Reading:
        connection = connect(lake)
        known = set(read_sql(connection, "select network from networks")["network"])
        for network in networks:
            if network not in known:
                message = f"the lake holds no network {network}; see `alchemiscale-lake status`"
                raise NotFoundError(message, network=network)
        return cls(connection, networks, sorted({str(ScopedKey.from_str(network).scope) for network in networks}))

    def ask(self, name: str) -> pl.DataFrame:
        return read_sql(self.connection, statement(name), {"networks": self.networks, "scopes": self.scopes})

    def legs(self) -> dict[str, pl.DataFrame]:
        """Legs of each network that has any."""
        rows = self.ask("legs_to_reckon")
        return {of_one["network"][0]: of_one for of_one in rows.partition_by("network", maintain_order=True)}

    def newest(self) -> dict[str, dict[str, Any]]:
        """The newest round of each network that has one."""
        return {row["network"]: row for row in self.ask("newest_rounds").iter_rows(named=True)}

    def assays(self) -> dict[str, pl.DataFrame]:
        rows = read_sql(self.connection, statement("newest_assays"), {"scopes": self.scopes})
        found = {of_one["scope"][0]: of_one for of_one in rows.partition_by("scope", maintain_order=True)}
        return {scope: found.get(scope, rows.clear()) for scope in self.scopes}

    def log_position(self) -> int:
        return int(read_sql(self.connection, statement("log_position")).item())


def _gather_transformations(lake: Lake, reading: _Reading, at: datetime) -> set[str]:
    """Write what is new, and return which Transformations that is about."""
    rows = stale_estimates(
        reading.ask("results_to_gather"),
        reading.ask("estimate_history"),
        as_of_seq=reading.log_position(),
        at=at,
    )
    written = lake.table("transformation_estimates").append_new(rows)
    return {row["transformation"] for row in rows} if written else set()


def _reckon(
    reading: _Reading, legs: Mapping[str, pl.DataFrame], newest: Mapping[str, Mapping[str, Any]], rule: LegRule | None
) -> tuple[dict[str, Round], dict[str, str]]:
    """Reckon the networks whose newest round was reckoned from something else."""
    assays = reading.assays()
    rounds, digests = {}, {}
    for network, of_network in legs.items():
        measured = assays[str(ScopedKey.from_str(network).scope)]
        last = newest.get(network, {})
        kept: LegRule = rule or last.get("rule") or _FIRST_RULE
        digests[network] = inputs_digest(of_network, measured, kept)
        if digests[network] != last.get("inputs_digest"):
            rounds[network] = reckon_round(of_network, measured, kept)
    return rounds, digests


def _sizes(reckoned: Round | None, newest: Mapping[str, Any] | None) -> dict[str, int]:
    names = ("n_edges", "n_whole_edges", "n_ligands")
    if reckoned is None:
        return {name: 0 if newest is None else int(newest[name]) for name in names}
    whole = sum(edge["status"] == "ok" for edge in reckoned.edges)
    return dict(zip(names, (len(reckoned.edges), whole, len(reckoned.nodes)), strict=True))


# --- writing ----------------------------------------------------------------------------------------


def _write_rounds(
    lake: Lake,
    reading: _Reading,
    rounds: Mapping[str, Round],
    digests: Mapping[str, str],
    newest: Mapping[str, Mapping[str, Any]],
    at: datetime,
) -> dict[str, tuple[int, bool]]:
    """Write rounds, each table in one go; return the number of each and whether it is new."""
    rounds = {network: reckoned for network, reckoned in rounds.items() if reckoned.nodes}
    common = {network: {"scope": str(ScopedKey.from_str(network).scope), "network": network} for network in rounds}
    edges = {network: [common[network] | edge for edge in reckoned.edges] for network, reckoned in rounds.items()}
    numbers = _write_edges(
        lake, edges, {network: newest.get(network, {}).get("round", 0) + 1 for network in rounds}, at
    )
    fault_point("gather:after-edges")
    found = [
        common[network] | row | {"round": numbers[network], "found_at": at}
        for network, reckoned in rounds.items()
        for row in reckoned.findings
    ]
    lake.table("network_findings").append_new(found)
    fault_point("gather:after-findings")
    seq = reading.log_position()
    nodes = [
        common[network]
        | node
        | {"round": numbers[network], "as_of_seq": seq, "inputs_digest": digests[network], "estimated_at": at}
        for network, reckoned in rounds.items()
        for node in reckoned.nodes
    ]
    written = lake.table("network_estimates").append_new(nodes)
    fault_point("gather:after-nodes")
    mine = set(rounds) if written == len(nodes) else _written_at(lake, common, numbers, at)
    return {network: (number, network in mine) for network, number in numbers.items()}


def _write_edges(
    lake: Lake, edges: Mapping[str, list[dict[str, Any]]], numbers: Mapping[str, int], at: datetime
) -> dict[str, int]:
    """Write the edges of rounds under the numbers given, or under the next that is free of other edges.

    Edges of a round without nodes are what a crash left, or another gatherer's at this moment.
    """
    table = lake.table("edge_estimates")
    rows = [row | {"round": numbers[n], "estimated_at": at} for n, of_one in edges.items() for row in of_one]
    settled = dict(numbers)
    if table.append_new(rows) < len(rows):
        for network, of_one in edges.items():
            while not _is_there(lake, of_one, settled[network]):
                settled[network] += 1
                table.append_new([row | {"round": settled[network], "estimated_at": at} for row in of_one])
    return settled


def _is_there(lake: Lake, rows: list[dict[str, Any]], number: int) -> bool:
    """Whether the round of this number has these very edges."""
    mine = (pl.col("scope") == rows[0]["scope"]) & (pl.col("network") == rows[0]["network"])
    there = lake.table("edge_estimates").scan().filter(mine & (pl.col("round") == number)).collect()
    return _by_edge(there.to_dicts()) == _by_edge(rows)


def _by_edge(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    apart = ("round", "estimated_at")
    return {
        (row["kind"], row["ligand_i"], row["ligand_j"]): {k: v for k, v in row.items() if k not in apart}
        for row in rows
    }


def _written_at(lake: Lake, networks: Collection[str], numbers: Mapping[str, int], at: datetime) -> set[str]:
    """Networks whose nodes of these rounds bear this very time."""
    mine = pl.col("network").is_in(list(networks)) & (pl.col("estimated_at") == at)
    rows = lake.table("network_estimates").scan().filter(mine).select("network", "round").unique().collect()
    return {network for network, number in rows.iter_rows() if numbers[network] == number}
