"""Stored objects: whether they exist, what they are, how networks are made of them."""

from __future__ import annotations

import polars as pl

from ...caller import Caller
from ...ids import ScopedKey
from ...networks import read_chain_text
from ...statestore.network_members import require_networks
from ...store import Lake
from ._rows import in_scope, members_of, readable, require_rows, rows_of

__all__ = [
    "chemicalsystem_networks",
    "chemicalsystem_transformations",
    "exists",
    "network_chemicalsystems",
    "network_transformations",
    "object_chain",
    "query_chemicalsystems",
    "query_transformations",
    "transformation_chemicalsystems",
    "transformation_networks",
]


def exists(lake: Lake, caller: Caller, *, key: str) -> bool:
    """Return whether the lake has the object, or the Task, of a ScopedKey.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    key : str
        ScopedKey.
    """
    caller.require_for("read", [key])
    if key.startswith("Task-"):
        return bool(lake.task_log.states().of([key]))
    parsed = ScopedKey.from_str(key)
    chosen = (pl.col("scope") == str(parsed.scope)) & (pl.col("key") == parsed.gufe_key)
    return len(rows_of(lake, "gufe_objects", chosen, ["key"])) > 0


def object_chain(lake: Lake, caller: Caller, *, key: str) -> bytes:
    """Return the keyed chain of a stored network, Transformation or ChemicalSystem, as JSON.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    key : str
        ScopedKey.
    """
    caller.require_for("read", [key])
    parsed = ScopedKey.from_str(key)
    return read_chain_text(lake.table("gufe_objects").scan(), parsed.scope, parsed.gufe_key)


def query_transformations(lake: Lake, caller: Caller, *, name: str | None = None, scope: str = "*-*-*") -> list[str]:
    """Return the ScopedKeys of Transformations, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    name : str, optional
        Exact name.
    scope : str, default "*-*-*"
        A Scope or a pattern.
    """
    chosen = in_scope(scope) if name is None else in_scope(scope) & (pl.col("name") == name)
    return readable(caller, rows_of(lake, "transformations", chosen, ["transformation"])["transformation"].sort())


def query_chemicalsystems(lake: Lake, caller: Caller, *, name: str | None = None, scope: str = "*-*-*") -> list[str]:
    """Return the ScopedKeys of ChemicalSystems, sorted; arguments as `query_transformations`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    name : str, optional
    scope : str, default "*-*-*"
    """
    members = rows_of(lake, "network_members", in_scope(scope) & (pl.col("kind") == "system"), ["member"])
    systems = readable(caller, members["member"].unique().sort())
    if name is None:
        return systems
    named = rows_of(lake, "gufe_objects", in_scope(scope) & (pl.col("name") == name), ["key", "scope"])
    wanted = {f"{key}-{scope}" for key, scope in named.iter_rows()}
    return [system for system in systems if system in wanted]


def network_transformations(lake: Lake, caller: Caller, *, network: str) -> list[str]:
    """Return the ScopedKeys of a network's Transformations, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    return _members(lake, caller, network, "transformation")


def network_chemicalsystems(lake: Lake, caller: Caller, *, network: str) -> list[str]:
    """Return the ScopedKeys of a network's ChemicalSystems, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    return _members(lake, caller, network, "system")


def transformation_networks(lake: Lake, caller: Caller, *, transformation: str) -> list[str]:
    """Return the ScopedKeys of the networks with a Transformation, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformation : str
        ScopedKey.
    """
    return _networks_with(lake, caller, transformation)


def chemicalsystem_networks(lake: Lake, caller: Caller, *, chemicalsystem: str) -> list[str]:
    """Return the ScopedKeys of the networks with a ChemicalSystem, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    chemicalsystem : str
        ScopedKey.
    """
    return _networks_with(lake, caller, chemicalsystem)


def transformation_chemicalsystems(lake: Lake, caller: Caller, *, transformation: str) -> list[str]:
    """Return the ScopedKeys of states A and B of a Transformation; the only system of a NonTransformation.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformation : str
        ScopedKey.
    """
    caller.require_for("read", [transformation])
    scope = str(ScopedKey.from_str(transformation).scope)
    chosen = (pl.col("scope") == scope) & (pl.col("transformation") == transformation)
    rows = rows_of(lake, "transformations", chosen, ["transformation", "state_a", "state_b"])
    require_rows(rows, "transformation", [transformation], "Transformation")
    return [f"{state}-{scope}" for state in rows.row(0)[1:] if state is not None]


def chemicalsystem_transformations(lake: Lake, caller: Caller, *, chemicalsystem: str) -> list[str]:
    """Return the ScopedKeys of the Transformations from or to a ChemicalSystem, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    chemicalsystem : str
        ScopedKey.
    """
    caller.require_for("read", [chemicalsystem])
    parsed = ScopedKey.from_str(chemicalsystem)
    ends = (pl.col("state_a") == parsed.gufe_key) | (pl.col("state_b") == parsed.gufe_key)
    rows = rows_of(lake, "transformations", (pl.col("scope") == str(parsed.scope)) & ends, ["transformation"])
    return rows["transformation"].sort().to_list()


def _members(lake: Lake, caller: Caller, network: str, kind: str) -> list[str]:
    caller.require_for("read", [network])
    require_networks(lake, [network])
    return members_of(lake, network, kind)


def _networks_with(lake: Lake, caller: Caller, member: str) -> list[str]:
    caller.require_for("read", [member])
    chosen = (pl.col("scope") == str(ScopedKey.from_str(member).scope)) & (pl.col("member") == member)
    return rows_of(lake, "network_members", chosen, ["network"])["network"].unique().sort().to_list()
