"""Declared differences between nodes of networks, such as one ligand in two structures of a protein.

Owns the declaration and its withdrawal. Rows are appended, none is removed; the named query `current_links` decides
which are current. A link applies to every network of its Scope that has both nodes, so that it holds for a network that
grows. What it is among the edges of an estimate version is in `linked_edges`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from ..caller import Caller
from ..errors import NotFoundError, SettingsError
from ..ids import Scope, ScopedKey
from ..query import ask, connect_for
from ..store import Lake, now_utc
from ..suggestions import did_you_mean
from .gathering import gather_network

__all__ = ["current_links", "declare_link", "withdraw_link"]


def current_links(lake: Lake, scope: Scope | str | None = None) -> pl.DataFrame:
    """Return the links that are not withdrawn: the columns of the named query `current_links`.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        Only of this Scope; in a pattern, `*` stands for any part.
    """
    return ask(connect_for(lake, "current_links", "in_scope"), "current_links", scope=scope)


def declare_link(
    lake: Lake,
    network: str | ScopedKey,
    node_a: str,
    node_b: str,
    *,
    offset_kcal_mol: float = 0.0,
    uncertainty_kcal_mol: float,
    kind: str | None = None,
    reason: str | None = None,
    caller: Caller | None = None,
) -> list[str]:
    """Declare the difference between two nodes, which the next `gather` uses like an edge.

    It applies to all networks of the Scope that have both nodes, and replaces what was declared for them before. An
    edge with a result between the two nodes takes its place.

    Parameters
    ----------
    lake : Lake
    network : str or ScopedKey
        A network with both nodes.
    node_a, node_b : str
        Nodes, as `gather` prints ligands: `lig_1 in ProteinComponent-1a2b3c4d` where a network has several proteins.
    offset_kcal_mol : float, default 0
        Free energy of b minus that of a; zero if they are equivalent.
    uncertainty_kcal_mol : float
        Its standard error; zero for the same thing under two names.
    kind : str, optional
        `binding`, `hydration` or `direct`; all kinds for which the network has both nodes by default.
    reason : str, optional
        Free text, recorded in the log.
    caller : Caller, optional
        Default: the user of this process.

    Returns
    -------
    list of str
        The kinds that it was declared for.

    Raises
    ------
    NotFoundError
        If the network lacks a node. Nothing is written.
    SettingsError
        If the nodes are the same, or a number is not finite or negative. Nothing is written.
    """
    network, caller = str(ScopedKey.parse(network)), caller or Caller.this_user()
    caller.require_for("write", [network])
    if not math.isfinite(offset_kcal_mol) or not (math.isfinite(uncertainty_kcal_mol) and uncertainty_kcal_mol >= 0):
        raise SettingsError(
            f"a link needs a finite offset and an uncertainty from zero, not {offset_kcal_mol} and "
            f"{uncertainty_kcal_mol}"
        )
    if node_a == node_b:
        raise SettingsError(f"a link joins two nodes; {node_a!r} was given twice")
    kinds = _kinds(lake, network, node_a, node_b, kind)
    sign = 1.0 if node_a < node_b else -1.0
    numbers = {"value_kcal_mol": sign * offset_kcal_mol + 0.0, "uncertainty_kcal_mol": uncertainty_kcal_mol}
    pair = sorted((node_a, node_b))
    rows = [{"kind": of_kind, "ligand_i": pair[0], "ligand_j": pair[1], **numbers} for of_kind in kinds]
    _log(lake, str(ScopedKey.from_str(network).scope), rows, "declared", caller, reason)
    return kinds


def withdraw_link(
    lake: Lake,
    scope: Scope | str,
    node_a: str,
    node_b: str,
    *,
    kind: str | None = None,
    reason: str | None = None,
    caller: Caller | None = None,
) -> list[str]:
    """Withdraw a declared link: it is kept in the log, and no longer used.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Specific Scope of the link.
    node_a, node_b : str
        The two nodes, in any order.
    kind : str, optional
        `binding`, `hydration` or `direct`; all kinds by default.
    reason : str, optional
        Free text, recorded in the log.
    caller : Caller, optional
        Default: the user of this process.

    Returns
    -------
    list of str
        The kinds that it was withdrawn for.

    Raises
    ------
    NotFoundError
        If there is no such link. Nothing is written.
    """
    scope, caller = Scope.parse(scope).require_specific(), caller or Caller.this_user()
    caller.require("write", [scope])
    links = current_links(lake, scope)
    pair = sorted((node_a, node_b))
    own = links.filter((pl.col("ligand_i") == pair[0]) & (pl.col("ligand_j") == pair[1]))
    if kind is not None:
        own = own.filter(pl.col("kind") == kind)
    if not len(own):
        known = {*links["ligand_i"], *links["ligand_j"]}
        odd = next((node for node in (node_a, node_b) if node not in known), None)
        meant = "" if odd is None else did_you_mean(odd, known)
        listed = "" if meant else f"; `alchemiscale-lake networks link NETWORK --list --scope {scope}` lists links"
        raise NotFoundError(
            f"{scope} has no link between {node_a!r} and {node_b!r}, so nothing was withdrawn{meant or listed}"
        )
    columns = ("kind", "ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol")
    _log(lake, str(scope), own.select(columns).rows(named=True), "withdrawn", caller, reason)
    return own["kind"].to_list()


def _kinds(lake: Lake, network: str, node_a: str, node_b: str, kind: str | None) -> list[str]:
    """Return the kinds for which a network has both nodes."""
    gather_network(lake, network)
    nodes = ask(connect_for(lake, "ligand_ranking", "networks"), "ligand_ranking", network=network)
    of_kind = nodes if kind is None else nodes.filter(pl.col("kind") == kind)
    by_kind = {str(name): set(group["ligand"]) for (name,), group in of_kind.group_by("kind", maintain_order=True)}
    kinds = sorted(name for name, known in by_kind.items() if {node_a, node_b} <= known)
    if not kinds:
        known: Collection[str] = set().union(*by_kind.values())
        odd = next((node for node in (node_a, node_b) if node not in known), node_b)
        word = "" if kind is None else f" of kind {kind}"
        raise NotFoundError(
            f"network {network} has no node{word} {odd!r}"
            f"{did_you_mean(odd, known) or f'; `alchemiscale-lake gather {network}` prints its nodes'}",
            name=odd,
        )
    return kinds


def _log(
    lake: Lake, scope: str, rows: Sequence[dict[str, Any]], event: str, caller: Caller, reason: str | None
) -> None:
    common = {"scope": scope, "event": event, "actor": caller.name, "reason": reason, "at": now_utc()}
    lake.table("link_log").append_new([{**common, **row} for row in rows])
