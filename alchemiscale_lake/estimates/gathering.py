"""Gather networks: new results, then the estimates of their Transformations, then an estimate version of each network.

Determines what is written and in which order: Transformations, edges, findings, and last the nodes, which make a
version visible. `transformation_estimates` and `estimate_versions` compute the estimates. Nothing here needs gufe: the
worker has stored the estimate of each result in its row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..query import NetworksConnection, connect_to_networks, networks_in
from ..store import Lake, collect, now_utc
from .gathering_snapshot import GatheringSnapshot, check_files
from .transformation_estimates import stale_estimates
from .version_inputs import inputs_digest

if TYPE_CHECKING:
    from ..estimators.network.leg_uncertainties import LegRule
    from .estimate_versions import Round

__all__ = ["DEFAULT_RULE", "GatherReport", "gather_and_connect", "gather_network", "gather_networks", "gather_scope"]

#: Rule for the uncertainties of legs until another is chosen.
DEFAULT_RULE: Final = "pooled"
#: Number of Transformations gathered together: fewer would take longer, more would need more memory.
_TOGETHER: Final = 5_000


@dataclass(frozen=True, slots=True)
class GatherReport:
    """Outcome of gathering a network.

    Attributes
    ----------
    network : str
        ScopedKey.
    round : int or None
        The newest estimate version; None if the network has only NonTransformations.
    new_round : bool
        Whether this call wrote it.
    n_transformations : int
        Number of Transformations in the network.
    n_estimated : int
        Number of these with an estimate.
    n_regathered : int
        Number of these that had new results.
    n_edges, n_whole_edges : int
        Number of edges, and of those with a value.
    n_ligands : int
        Number of ligands, counted once per kind of edge.
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
    """Update the estimates of one network, see `gather_networks`.

    Parameters
    ----------
    lake : Lake
    network : str or ScopedKey
        ScopedKey.
    rule : LegRule, optional
        As for `gather_networks`.
    """
    return gather_networks(lake, [network], rule=rule)[0]


def gather_scope(lake: Lake, scope: Scope | str, *, rule: LegRule | None = None) -> list[GatherReport]:
    """Update the estimates of all networks of a Scope.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        A Scope, or a pattern such as `org-campaign-*`.
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
    """Update the estimates of several networks at once.

    Only Transformations with new results are gathered again, and a new estimate version is written only for networks
    with a changed leg or experimental value or link. It is idempotent, also if two processes run it concurrently.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str or ScopedKey
    rule : {"pooled", "larger", "own", "sem", "sd"}, optional
        Uncertainty used for a leg, see `estimators.network.leg_uncertainties`. Default: that of the network's newest
        version, so that an earlier choice is kept; `pooled` for the first version.

    Returns
    -------
    list of GatherReport
        One per network, in the order given.

    Raises
    ------
    NotFoundError
        If a network is not in the lake.
    DamagedError
        If a file that the estimates are computed from has changed.
    """
    wanted = _each_once(networks)
    return [report for some in _batches(lake, wanted) for report in _gather(lake, some, rule, ())[0]]


def gather_and_connect(
    lake: Lake, networks: Sequence[str | ScopedKey], names: Collection[str], *, rule: LegRule | None = None
) -> tuple[list[GatherReport], NetworksConnection]:
    """Update the estimates of several networks, and open a connection to their newest rows.

    If nothing was written, the connection is the one that the estimates were compared with.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str or ScopedKey
    names : collection of str
        Tables, named queries and other files of `query/sql` that the connection must have.
    rule : LegRule, optional
        As for `gather_networks`.
    """
    wanted = _each_once(networks)
    reports: list[GatherReport] = []
    reading = None
    for some in _batches(lake, wanted):
        found, reading = _gather(lake, some, rule, names)
        reports += found
        if len(some) < len(wanted) or any(report.new_round or report.n_regathered for report in found):
            reading = None
    return reports, reading or connect_to_networks(lake, wanted, names)


def _each_once(networks: Sequence[str | ScopedKey]) -> list[str]:
    return list(dict.fromkeys(str(ScopedKey.parse(network)) for network in networks))


def _batches(lake: Lake, networks: Sequence[str]) -> Iterator[list[str]]:
    """Yield the networks in groups whose rows fit in memory together, after a look at the files that are read."""
    check_files(lake, sorted({str(ScopedKey.from_str(network).scope) for network in networks}))
    if len(networks) == 1:
        yield list(networks)
        return
    members = lake.table("network_members").scan().filter(pl.col("network").is_in(list(networks)))
    counted = members.filter(pl.col("kind") == "transformation").group_by("network").len()
    n_members = dict(collect(counted, "members of networks").iter_rows())
    some: list[str] = []
    for network in networks:
        if some and sum(n_members.get(one, 0) for one in [*some, network]) > _TOGETHER:
            yield some
            some = []
        some.append(network)
    if some:
        yield some


def _gather(
    lake: Lake, wanted: list[str], rule: LegRule | None, names: Collection[str]
) -> tuple[list[GatherReport], NetworksConnection]:
    """Update the estimates of networks together; return the connection they were computed with, too."""
    at = now_utc()  # before the snapshot: of two concurrent gatherers, the one who read last writes the later time
    reading = GatheringSnapshot.of(lake, wanted, names)
    check_files(lake, reading.scopes)
    regathered = _gather_transformations(lake, reading, at)
    fault_point("gather:after-transformations")
    if regathered:
        at = now_utc()
        reading = GatheringSnapshot.of(lake, wanted, names)
    legs, newest = reading.legs(), reading.newest()
    rounds, digests = _compute(reading, legs, newest, rule)
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
    return reports, reading.opened


def _gather_transformations(lake: Lake, reading: GatheringSnapshot, at: datetime) -> set[str]:
    """Write new estimates, and return their Transformations."""
    rows = stale_estimates(
        reading.ask("results_to_gather"),
        reading.ask("estimate_history"),
        as_of_seq=reading.seq,
        at=at,
    )
    written = lake.table("transformation_estimates").append_new(rows)
    return {row["transformation"] for row in rows} if written else set()


def _compute(
    reading: GatheringSnapshot,
    legs: Mapping[str, pl.DataFrame],
    newest: Mapping[str, Mapping[str, Any]],
    rule: LegRule | None,
) -> tuple[dict[str, Round], dict[str, str]]:
    """Compute the networks whose newest version was computed from other inputs."""
    assays, links = reading.assays(), reading.links()
    rounds, digests = {}, {}
    for network, of_network in legs.items():
        scope = str(ScopedKey.from_str(network).scope)
        measured, declared = assays[scope], links[scope]
        last = newest.get(network, {})
        kept: LegRule = rule or last.get("rule") or DEFAULT_RULE
        digests[network] = inputs_digest(of_network, measured, declared, kept)
        if digests[network] != last.get("inputs_digest"):
            from .estimate_versions import compute_version  # imports scipy, and there may be nothing new

            rounds[network] = compute_version(of_network, measured, kept, declared)
    return rounds, digests


def _sizes(computed: Round | None, newest: Mapping[str, Any] | None) -> dict[str, int]:
    names = ("n_edges", "n_whole_edges", "n_ligands")
    if computed is None:
        return {name: 0 if newest is None else int(newest[name]) for name in names}
    whole = sum(edge["status"] == "ok" for edge in computed.edges)
    return dict(zip(names, (len(computed.edges), whole, len(computed.nodes)), strict=True))


# --- writing ----------------------------------------------------------------------------------------


def _write_rounds(
    lake: Lake,
    reading: GatheringSnapshot,
    rounds: Mapping[str, Round],
    digests: Mapping[str, str],
    newest: Mapping[str, Mapping[str, Any]],
    at: datetime,
) -> dict[str, tuple[int, bool]]:
    """Write estimate versions, one append per table; return the number of each and whether it is new."""
    rounds = {network: computed for network, computed in rounds.items() if computed.nodes}
    common = {network: {"scope": str(ScopedKey.from_str(network).scope), "network": network} for network in rounds}
    edges = {network: [common[network] | edge for edge in computed.edges] for network, computed in rounds.items()}
    numbers = _write_edges(
        lake, edges, {network: newest.get(network, {}).get("round", 0) + 1 for network in rounds}, at
    )
    fault_point("gather:after-edges")
    found = [
        common[network] | row | {"round": numbers[network], "found_at": at}
        for network, computed in rounds.items()
        for row in computed.findings
    ]
    lake.table("network_findings").append_new(found)
    fault_point("gather:after-findings")
    seq = reading.seq
    nodes = [
        common[network]
        | node
        | {"round": numbers[network], "as_of_seq": seq, "inputs_digest": digests[network], "estimated_at": at}
        for network, computed in rounds.items()
        for node in computed.nodes
    ]
    written = lake.table("network_estimates").append_new(nodes)
    fault_point("gather:after-nodes")
    mine = set(rounds) if written == len(nodes) else _written_at(lake, common, numbers, at)
    return {network: (number, network in mine) for network, number in numbers.items()}


def _write_edges(
    lake: Lake, edges: Mapping[str, list[dict[str, Any]]], numbers: Mapping[str, int], at: datetime
) -> dict[str, int]:
    """Write the edges of estimate versions under the given numbers, or the next number without other edges.

    Edges of a version without nodes were left by a crash, or are from a concurrent gatherer.
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
    """Return whether the version with this number has exactly these edges."""
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
    """Return the networks whose nodes of these versions were written at exactly this time."""
    mine = pl.col("network").is_in(list(networks)) & (pl.col("estimated_at") == at)
    rows = lake.table("network_estimates").scan().filter(mine).select("network", "round").unique().collect()
    return {network for network, number in rows.iter_rows() if numbers[network] == number}
