"""Copies and merges of networks, within a Scope or across Scopes.

A copy has the network's objects in the target Scope, and its finished Tasks with their results by reference
(`carried_results`); a merge has those of several networks, each once (`network_sources`). Experimental values of the
ligands come along. Waiting and failed Tasks, Strategies and restart patterns do not.

What makes a network visible comes last, and every write is idempotent by key: an interrupted copy is completed by
repeating it, and a repeated one adds what the sources have got since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ..caller import Caller
from ..errors import AmbiguousScopeError, InvalidNetworkError, NotFoundError
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..query import connect_for, networks_in, read_sql
from ..store import Lake, collect, require_network_state
from .calculations import KnownCalculations, network_calculations
from .carried_results import CarriedResults, plan_carried, write_carried
from .network_members import network_transformations
from .network_sources import SourceNetwork, Union, read_sources, union_of
from .submit import Lineage, store_network, stored_transformations

__all__ = ["NetworkCopy", "copy_network", "merge_networks", "merge_scopes"]


@dataclass(frozen=True, slots=True)
class NetworkCopy:
    """Outcome of a copy or merge; of a dry run, what it would be.

    Attributes
    ----------
    network : str
        ScopedKey of the network in the target Scope.
    name : str or None
        Its name there.
    new : bool
        False if the Scope had this network already.
    sources : tuple of str
        ScopedKeys of the networks that it was made from.
    n_transformations : int
        Number of its Transformations.
    n_new_transformations : int
        Number of these that were new in the Scope.
    n_recognised : int
        Number of Transformations of the sources that are the same calculation as one with another key.
    n_results : int
        Number of results that the Scope did not have.
    n_known_results : int
        Number of finished Tasks of sources in other Scopes that it had.
    n_referenced_bytes : int
        Size of the objects of the new results, which were not copied.
    n_assays : int
        Number of new experimental values.
    """

    network: str
    name: str | None
    new: bool
    sources: tuple[str, ...]
    n_transformations: int
    n_new_transformations: int
    n_recognised: int
    n_results: int
    n_known_results: int
    n_referenced_bytes: int
    n_assays: int


def copy_network(
    lake: Lake,
    network: ScopedKey | str,
    scope: Scope | str,
    *,
    name: str | None = None,
    state: str | None = None,
    caller: Caller | None = None,
    dry_run: bool = False,
) -> NetworkCopy:
    """Copy a network to another Scope, with its finished Tasks and their results by reference.

    Parameters
    ----------
    lake : Lake
    network : ScopedKey or str
        ScopedKey of the network.
    scope : Scope or str
        Target Scope.
    name : str, optional
        Name of the copy; default: that of the network.
    state : str, optional
        State of the copy; default: as it is, active if it is new.
    caller : Caller, optional
        Needs the right to read the network's Scope and to write to the target; default: the user of this process.
    dry_run : bool, default False
        Write nothing.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    InvalidTransitionError
        If it is invalid or deleted.
    InvalidNetworkError
        If it is in the target Scope already, or the Scope has another object under one of its keys.
    AmbiguousScopeError
        If another network of the Scope has the name.
    PermissionDeniedError
    """
    target, who = Scope.parse(scope).require_specific(), caller or Caller.this_user()
    given = str(ScopedKey.parse(network))
    if str(ScopedKey.parse(network).scope) == str(target):
        raise InvalidNetworkError(f"{given} is in Scope {target} already; give another Scope", network=given)
    _check(who, [given], target, state)
    (source,) = read_sources(lake, [given])
    joined = union_of([source], name=name or source.name, as_it_is=True)
    return _store(lake, [source], joined, target, "copy", name or source.name, state, who, dry_run=dry_run)


def merge_networks(
    lake: Lake,
    networks: Iterable[ScopedKey | str],
    name: str,
    scope: Scope | str,
    *,
    state: str | None = None,
    caller: Caller | None = None,
    dry_run: bool = False,
) -> NetworkCopy:
    """Make one network of several, of any Scopes, with every Transformation and every result once.

    Parameters
    ----------
    lake : Lake
    networks : iterable of ScopedKey or str
        ScopedKeys of the networks. If a calculation has two keys, that of the first network is kept.
    name : str
        Name of the new network. A former merge may have it, if the new network contains it.
    scope : Scope or str
        Target Scope.
    state : str, optional
        State of the new network; default: as it is, active if it is new.
    caller : Caller, optional
        Needs the right to read the Scopes of the networks and to write to the target; default: the user of this
        process.
    dry_run : bool, default False
        Write nothing.

    Raises
    ------
    NotFoundError
        If a network is not in the lake.
    InvalidTransitionError
        If one is invalid or deleted.
    InvalidNetworkError
        If there are fewer than two, or two Scopes have different objects under one key.
    AmbiguousScopeError
        If another network of the Scope has the name.
    PermissionDeniedError
    """
    target, who = Scope.parse(scope).require_specific(), caller or Caller.this_user()
    given = list(dict.fromkeys(str(ScopedKey.parse(network)) for network in networks))
    if len(given) < 2:
        raise InvalidNetworkError(
            f"a merge needs at least two networks, not {len(given)}; `alchemiscale-lake networks copy` copies one",
            networks=given,
        )
    _check(who, given, target, state)
    sources = read_sources(lake, given)
    joined = union_of(sources, name=name)
    return _store(lake, sources, joined, target, "merge", name, state, who, dry_run=dry_run)


def merge_scopes(
    lake: Lake,
    scopes: Iterable[Scope | str],
    target_scope: Scope | str,
    *,
    caller: Caller | None = None,
    dry_run: bool = False,
) -> list[NetworkCopy]:
    """Copy all active networks of Scopes to another Scope, see `copy_network`.

    Networks keep their names. One whose name another network of the target Scope has is called `<name> from <scope>`.

    Parameters
    ----------
    lake : Lake
    scopes : iterable of Scope or str
        Scopes, or patterns such as `org-campaign-*`; the target Scope itself is left out.
    target_scope : Scope or str
        Scope to copy to.
    caller : Caller, optional
        Needs the right to read the Scopes and to write to the target; default: the user of this process.
    dry_run : bool, default False
        Write nothing.

    Returns
    -------
    list of NetworkCopy
        In the order of Scopes and names.

    Raises
    ------
    NotFoundError
        If there is no active network in another Scope. Nothing is written.
    InvalidNetworkError
        If the target Scope has another object under one of their keys.
    PermissionDeniedError
    """
    target, who = Scope.parse(target_scope).require_specific(), caller or Caller.this_user()
    wanted = [Scope.parse(scope) for scope in scopes]
    states = lake.network_log.states()
    found = [
        network
        for network in dict.fromkeys(network for scope in wanted for network in networks_in(lake, scope))
        if ScopedKey.from_str(network).scope != target and (network not in states or states[network].state == "active")
    ]
    if not found:
        raise NotFoundError(
            f"there is no active network in {', '.join(map(str, wanted))} that could be copied to {target}",
            scopes=[str(scope) for scope in wanted],
        )
    _check(who, found, target, None)
    sources = read_sources(lake, found)
    copies = []
    for source in sources:
        joined = union_of([source], name=source.name, as_it_is=True)
        name = _free_name(lake, target, joined, source)
        copies.append(_store(lake, [source], joined, target, "copy", name, None, who, dry_run=dry_run))
    return copies


def _check(caller: Caller, sources: Sequence[str], target: Scope, state: str | None) -> None:
    caller.require_for("read", sources)
    caller.require("write", [target])
    if state is not None:
        require_network_state(state)


# --- storing ----------------------------------------------------------------------------------------


def _store(
    lake: Lake,
    sources: Sequence[SourceNetwork],
    joined: Union,
    target: Scope,
    made_by: str,
    name: str | None,
    state: str | None,
    caller: Caller,
    *,
    dry_run: bool,
) -> NetworkCopy:
    network, key = joined.network, f"{joined.network.key}-{target}"
    names = tuple(source.network for source in sources)
    identities = network_calculations(network, target)
    assigned = KnownCalculations.of(lake, target).assign(identities)
    _require_free_name(lake, target, key, name, assigned.values())
    stored, _ = stored_transformations(lake, target)
    is_known = _is_there(lake, key)
    if dry_run:
        carried = _plan(lake, names, joined, assigned, target)
        n_new = sum(own == place and own.removesuffix(f"-{target}") not in stored for own, place in assigned.items())
        n_assays = _carry_assays(lake, sources, joined.labels, target, dry_run=True)
        return _report(
            key, name or network.name, not is_known, names, joined, n_new, carried, len(carried.tasks), n_assays
        )
    done: list[tuple[CarriedResults, int, int]] = []

    def carry(places: Mapping[str, str]) -> None:
        carried = _plan(lake, names, joined, places, target)
        n_results = write_carried(lake, carried, caller=caller)
        n_assays = _carry_assays(lake, sources, joined.labels, target)
        fault_point("copy:before-network")
        done.append((carried, n_results, n_assays))

    lineage = Lineage(made_by, names, joined.labels, joined.described, carry)
    submission = store_network(lake, network, target, name=name, caller=caller, lineage=lineage)
    if state is not None:
        fault_point("copy:before-state")
        lake.network_log.set([key], caller=caller, state=state, reason=f"{made_by} of {', '.join(names)}")
    (carried, n_results, n_assays), *_ = done
    return _report(
        key,
        submission.name,
        submission.new,
        names,
        joined,
        submission.n_new_transformations,
        carried,
        n_results,
        n_assays,
    )


def _plan(
    lake: Lake, sources: Sequence[str], joined: Union, assigned: Mapping[str, str], target: Scope
) -> CarriedResults:
    places = {stored: assigned[f"{own}-{target}"] for stored, own in joined.placed.items()}
    return plan_carried(lake, sources, places, str(target))


def _report(
    key: str,
    name: str | None,
    new: bool,
    sources: tuple[str, ...],
    joined: Union,
    n_new: int,
    carried: CarriedResults,
    n_results: int,
    n_assays: int,
) -> NetworkCopy:
    return NetworkCopy(
        network=key,
        name=name,
        new=new,
        sources=sources,
        n_transformations=len(joined.network.transformations),
        n_new_transformations=n_new,
        n_recognised=joined.n_recognised,
        n_results=n_results,
        n_known_results=carried.n_known,
        n_referenced_bytes=carried.n_bytes,
        n_assays=n_assays,
    )


def _carry_assays(
    lake: Lake, sources: Sequence[SourceNetwork], labels: Mapping[str, str], target: Scope, *, dry_run: bool = False
) -> int:
    """Copy the experimental values of the ligands, and return the number of new ones."""
    elsewhere = [source for source in sources if source.scope != str(target)]
    if not elsewhere:
        return 0
    _, standing = stored_transformations(lake, target)
    here = {**labels, **standing}
    values = read_sql(connect_for(lake, "current_assays"), "select * from current_assays")
    frames = []
    for source in elsewhere:
        called = pl.DataFrame(
            [(label, here.get(key, label)) for key, label in sorted(source.labels.items())],
            schema={"ligand": pl.String, "there": pl.String},
            orient="row",
        ).unique()
        frames.append(values.filter(pl.col("scope") == source.scope).join(called, on="ligand"))
    rows = pl.concat(frames).with_columns(scope=pl.lit(str(target)), ligand=pl.col("there"))
    rows = rows.select(lake.table("assays").schema.names).unique(maintain_order=True)
    if not dry_run:
        return lake.table("assays").append_new(rows)
    columns = list(lake.table("assays").schema.key)
    known = collect(lake.table("assays").scan().select(columns), "experimental values")
    return len(rows.unique(columns).join(known, on=columns, how="anti"))


# --- names ------------------------------------------------------------------------------------------


def _is_there(lake: Lake, network: str) -> bool:
    rows = lake.table("networks").scan().filter(pl.col("network") == network)
    return len(collect(rows.select("network"), "networks")) > 0


def _namesakes(lake: Lake, target: Scope, network: str, name: str | None) -> list[str]:
    """Return the other networks of a Scope with a name; none if the Scope has this network already."""
    rows = lake.table("networks").scan().filter(pl.col("scope") == str(target), pl.col("name") == name)
    found = sorted(collect(rows.select("network"), "networks")["network"])
    return [] if name is None or _is_there(lake, network) else found


def _require_free_name(lake: Lake, target: Scope, network: str, name: str | None, members: Iterable[str]) -> None:
    """Raise if an unrelated network of the Scope has the name; one that this network contains may have it."""
    own = set(members)
    for other in _namesakes(lake, target, network, name):
        if not own.issuperset(network_transformations(lake, other)):
            raise AmbiguousScopeError(
                f"Scope {target} has another network with the name {name!r}, {other}, which is not part of this one; "
                "give another name",
                value=name,
                candidates=[other],
            )


def _free_name(lake: Lake, target: Scope, joined: Union, source: SourceNetwork) -> str | None:
    network = f"{joined.network.key}-{target}"
    return f"{source.name} from {source.scope}" if _namesakes(lake, target, network, source.name) else source.name
