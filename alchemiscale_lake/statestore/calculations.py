"""Calculations of a Scope: Transformations that compute the same are stored once, whatever their keys.

The identity of a calculation is computed in `networks.calculation`; this keeps the table `calculations`. Every
Transformation of the table `transformations` stands for itself. One that is submitted later with the same calculation
stands for a stored one. A calculation that is twice in one network stays there twice, as it was meant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from ..errors import DamagedError
from ..ids import Scope, ScopedKey
from ..networks import ChainObject, Network
from ..networks.calculation import Calculations
from ..networks.stored import read_objects
from ..store import Lake, collect
from .network_members import require_networks

__all__ = [
    "KnownCalculations",
    "key_map",
    "network_calculations",
    "record_calculations",
    "record_stored_calculations",
]


class KnownCalculations:
    """Calculations of one Scope.

    Attributes
    ----------
    stands_for : dict of str to str
        ScopedKeys: the stored Transformation of every submitted one.
    identities : dict of str to str
        Calculations by ScopedKey, the earliest first.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        ordered = rows.sort("recorded_at", "transformation")
        self.stands_for: dict[str, str] = dict(ordered.select("transformation", "stands_for").iter_rows())
        self.identities: dict[str, str] = dict(ordered.select("transformation", "calculation").iter_rows())
        self._stored: dict[str, list[str]] = {}
        own = ordered.filter(pl.col("transformation") == pl.col("stands_for"))
        for transformation, calculation in own.select("transformation", "calculation").iter_rows():
            self._stored.setdefault(calculation, []).append(transformation)

    @classmethod
    def of(cls, lake: Lake, scope: Scope | str) -> KnownCalculations:
        """Return those of a Scope, including those of stored Transformations that have not been recorded yet.

        Parameters
        ----------
        lake : Lake
        scope : Scope or str
            Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
        """
        recorded = _rows(lake.table("calculations").scan(), scope)
        return cls(pl.concat([recorded, pl.DataFrame(_unrecorded_rows(lake, scope), recorded.schema)]))

    def assign(self, identities: Mapping[str, str]) -> dict[str, str]:
        """Return the stored Transformations that those of one network stand for; themselves if they are new.

        Parameters
        ----------
        identities : mapping of str to str
            Calculations by ScopedKey.
        """
        assigned = {key: self.stands_for[key] for key in identities if key in self.stands_for}
        taken = set(assigned.values())
        for key in sorted(identities.keys() - assigned.keys()):
            free = (stored for stored in self._stored.get(identities[key], ()) if stored not in taken)
            assigned[key] = next(free, key)
            taken.add(assigned[key])
        return assigned


def network_calculations(network: Network, scope: Scope | str) -> dict[str, str]:
    """Return the calculations of a network's Transformations by their ScopedKeys in a Scope.

    Parameters
    ----------
    network : Network
        Its Transformations may be unknown to the lake.
    scope : Scope or str
        Scope, without wildcard, of the returned ScopedKeys.
    """
    identities = _identities(network.objects, network.transformations)
    return {f"{key}-{scope}": identity for key, identity in identities.items()}


def record_calculations(lake: Lake, scope: Scope | str, identities: Mapping[str, str], at: datetime) -> dict[str, str]:
    """Record the calculations of a network's Transformations; those that are new must be stored already.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
    identities : mapping of str to str
        Calculations by ScopedKey.
    at : datetime
        Time of the submission, UTC.

    Returns
    -------
    dict of str to str
        ScopedKeys of the stored Transformations that they stand for.
    """
    assigned: dict[str, str] = {}

    def decide(table: pl.LazyFrame) -> list[dict[str, Any]]:
        nonlocal assigned
        known = KnownCalculations(_rows(table, scope))
        assigned = known.assign(identities)
        new = [key for key in assigned if key not in known.stands_for]
        return [_row(scope, key, identities[key], assigned[key], at) for key in new]

    lake.table("calculations").append_decided(decide)
    return assigned


def record_stored_calculations(lake: Lake, scope: Scope | str | None = None) -> int:
    """Record the calculations of stored Transformations that have none yet, and return their number.

    They come from a lake of an older format, an import, or a submission that was interrupted. A Transformation whose
    objects are missing or damaged is left out: `verify` reports it.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        Default: all Scopes.
    """
    rows = _unrecorded_rows(lake, scope)
    return lake.table("calculations").append_new(rows) if rows else 0


def key_map(lake: Lake, network: ScopedKey | str) -> dict[str, str]:
    """Return the Transformations of a network that are stored under other keys.

    Parameters
    ----------
    lake : Lake
    network : ScopedKey or str

    Returns
    -------
    dict of str to str
        ScopedKey of the stored Transformation, by that of the network's own.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [str(network)])
    network = ScopedKey.parse(network)
    here = pl.col("scope") == str(network.scope)
    objects = lake.table("gufe_objects").scan().filter(here, pl.col("key") == network.gufe_key)
    own = objects.select(transformation=pl.col("refers_to").list.explode() + f"-{network.scope}")
    others = lake.table("calculations").scan().filter(here, pl.col("transformation") != pl.col("stands_for"))
    rows = others.join(own, on="transformation", how="semi").sort("transformation")
    return dict(collect(rows.select("transformation", "stands_for"), "calculations").iter_rows())


def _unrecorded_rows(lake: Lake, scope: Scope | str | None) -> list[dict[str, Any]]:
    """Compute the rows of stored Transformations, of a Scope or all, that are not in the table."""
    here = pl.lit(True) if scope is None else pl.col("scope") == str(scope)
    known = lake.table("calculations").scan().filter(here)
    described = lake.table("transformations").scan().filter(here)
    columns = described.select("scope", "transformation", "key", "ingested_at")
    missing = collect(columns.join(known, on=["scope", "transformation"], how="anti"), "Transformations")
    rows = []
    for (name,), ours in missing.partition_by("scope", as_dict=True).items():
        identities = _stored_identities(lake, name, ours["key"])
        rows += [
            _row(name, transformation, identities[key], transformation, ingested_at)
            for _, transformation, key, ingested_at in ours.iter_rows()
            if key in identities
        ]
    return rows


def _stored_identities(lake: Lake, scope: Scope | str, keys: Iterable[str]) -> dict[str, str]:
    """Return the calculations of stored Transformations by gufe key."""
    wanted = list(keys)
    table = lake.table("gufe_objects").scan()
    try:
        return _identities(read_objects(table, scope, wanted), wanted)
    except DamagedError:
        found: dict[str, str] = {}
        for key in wanted:
            with contextlib.suppress(DamagedError):
                found |= _identities(read_objects(table, scope, [key]), [key])
        return found


def _identities(objects: Mapping[str, ChainObject], keys: Iterable[str]) -> dict[str, str]:
    known = Calculations(objects)
    return {key: known.of(objects[key]) for key in keys if key in objects}


def _rows(table: pl.LazyFrame, scope: Scope | str) -> pl.DataFrame:
    return collect(table.filter(pl.col("scope") == str(scope)), "calculations")


def _row(scope: Scope | str, transformation: str, calculation: str, stands_for: str, at: datetime) -> dict[str, Any]:
    return {
        "scope": str(scope),
        "transformation": transformation,
        "calculation": calculation,
        "stands_for": stands_for,
        "recorded_at": at,
    }
