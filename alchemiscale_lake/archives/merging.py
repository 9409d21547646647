"""What a lake has already of an archive: conflicts, calculations under other keys, networks, rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from ..errors import AmbiguousScopeError, InvalidNetworkError
from ..schemas import TABLES
from ..statestore.calculations import KnownCalculations
from ..store import Lake, collect

__all__ = ["known_networks", "n_new_rows", "recognised", "require_free_names", "require_same_objects", "without_own"]

#: Left as they are for networks that the lake has already.
_OF_NETWORK: Final = ("edge_estimates", "network_findings", "network_estimates", "strategy_rounds")
#: Columns with ScopedKeys of stored Transformations, by table.
_TRANSFORMATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "calculations": ("stands_for",),
    "tasks": ("transformation",),
    "task_log": ("transformation",),
    "results": ("transformation",),
    "transformation_estimates": ("transformation",),
    "strategy_rounds": ("transformation",),
    "network_members": ("member",),
    "edge_estimates": ("legs",),
    "network_findings": ("subject",),
}


def require_same_objects(lake: Lake, objects: pl.DataFrame) -> None:
    """Raise if the lake has another object under one of the keys.

    Parameters
    ----------
    lake : Lake
    objects : polars.DataFrame
        Rows of `gufe_objects`.

    Raises
    ------
    InvalidNetworkError
    """
    here = lake.table("gufe_objects").scan().filter(pl.col("scope").is_in(objects["scope"].unique().to_list()))
    stored = collect(here.select("scope", "key", "digest"), "table 'gufe_objects'")
    other = objects.join(stored, on=["scope", "key"], suffix="_here").filter(pl.col("digest") != pl.col("digest_here"))
    if len(other):
        key, where = other.select("key", "scope").row(0)
        raise InvalidNetworkError(
            f"Scope {where} has another object with the key {key}: one was edited by hand after gufe wrote it; import "
            "the archive into another Scope with --scope",
            key=key,
            scope=where,
        )


def require_free_names(lake: Lake, networks: pl.DataFrame) -> None:
    """Raise if a Scope has another network with the same name.

    Parameters
    ----------
    lake : Lake
    networks : polars.DataFrame
        Rows of `networks`.

    Raises
    ------
    AmbiguousScopeError
    """
    here = collect(lake.table("networks").scan().select("scope", "network", "name"), "table 'networks'")
    named = networks.filter(~pl.col("network").is_in(here["network"].to_list()) & pl.col("name").is_not_null())
    taken = named.join(here, on=["scope", "name"], suffix="_here")
    if len(taken):
        name, where, other = taken.select("name", "scope", "network_here").row(0)
        raise AmbiguousScopeError(
            f"Scope {where} has another network with the name {name!r}, {other}; import the archive into another Scope "
            "with --scope",
            value=name,
            candidates=[other],
        )


def recognised(lake: Lake, rows: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], int]:
    """Put results of calculations that a Scope has under another key there, as a submission would.

    Parameters
    ----------
    lake : Lake
    rows : mapping of str to polars.DataFrame
        Rows by table.

    Returns
    -------
    rows : dict of str to polars.DataFrame
    n : int
        Number of Transformations that the Scope has under another key.
    """
    found = dict(rows)
    places: dict[str, str] = {}
    own = rows["calculations"].filter(pl.col("transformation") == pl.col("stands_for"))
    for (scope,), frame in own.partition_by("scope", as_dict=True).items():
        assigned = KnownCalculations.of(lake, scope).assign(
            dict(frame.select("transformation", "calculation").iter_rows())
        )
        places |= {key: stored for key, stored in assigned.items() if key != stored}
    if not places:
        return found, 0
    found["transformations"] = found["transformations"].filter(~pl.col("transformation").is_in(list(places)))
    for name, columns in _TRANSFORMATIONS.items():
        for column in columns:
            at = pl.col(column)
            is_list = found[name].schema[column] == pl.List(pl.String)
            moved = at.list.eval(pl.element().replace(places)) if is_list else at.replace(places)
            found[name] = found[name].with_columns(moved)
    return found, len(places)


def known_networks(lake: Lake, networks: pl.DataFrame) -> set[str]:
    """Return the ScopedKeys of those networks that the lake has.

    Parameters
    ----------
    lake : Lake
    networks : polars.DataFrame
        Rows of `networks`.
    """
    here = collect(lake.table("networks").scan().select("network"), "table 'networks'")
    return set(here["network"]) & set(networks["network"])


def without_own(rows: Mapping[str, pl.DataFrame], known: Collection[str]) -> dict[str, pl.DataFrame]:
    """Leave out the estimates and rounds of networks that the lake has: it has its own.

    Parameters
    ----------
    rows : mapping of str to polars.DataFrame
        Rows by table.
    known : collection of str
        ScopedKeys of these networks.
    """
    others = ~pl.col("network").is_in(list(known))
    return {name: frame.filter(others) if name in _OF_NETWORK else frame for name, frame in rows.items()}


def n_new_rows(lake: Lake, table: str, rows: pl.DataFrame) -> int:
    """Return the number of rows whose key a table does not have.

    Parameters
    ----------
    lake : Lake
    table : str
        Name of the table.
    rows : polars.DataFrame
    """
    key = list(TABLES[table].key)
    here = lake.table(table).scan().select(key)
    if "scope" in key:
        here = here.filter(pl.col("scope").is_in(rows["scope"].unique().to_list()))
    stored = collect(here, f"table '{table}'")
    return len(rows.unique(key).join(stored, on=key, how="anti", nulls_equal=True))
