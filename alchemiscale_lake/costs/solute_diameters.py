"""Diameters of the solutes of Transformations, from the coordinates in their network.

Determines which components count and where they are read; `networks.extents` measures them. The box around a complex
depends on its protein and cofactors, which are few; a ligand alone fits the smallest box, and is not looked up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from ..errors import DamagedError
from ..networks.extents import diameter_nm
from ..networks.network import Network
from ..networks.stored import stored_text
from ..store import Lake, collect
from .cost_rows import DIAMETER

__all__ = ["with_diameters", "with_stored_diameters"]

_Components = Mapping[str, Mapping[str, Any]]


def with_diameters(transformations: pl.DataFrame, network: Network) -> pl.DataFrame:
    """Add the diameters of solutes for Transformations of a network that need not be in any lake.

    Parameters
    ----------
    transformations : polars.DataFrame
        With columns scope and environment.
    network : Network

    Returns
    -------
    polars.DataFrame
        With one additional column, `cost_rows.DIAMETER`; null where coordinates are unknown.
    """

    def read(_: str, keys: Iterable[str]) -> _Components:
        return {key: network.objects[key].keyed_dict for key in keys if key in network.objects}

    return _with(transformations, read)


def with_stored_diameters(transformations: pl.DataFrame, lake: Lake) -> pl.DataFrame:
    """Like `with_diameters`, for Transformations in a lake.

    Parameters
    ----------
    transformations : polars.DataFrame
        Rows of `transformations`.
    lake : Lake
    """

    def read(scope: str, keys: Iterable[str]) -> _Components:
        objects = lake.table("gufe_objects").scan()
        wanted = objects.filter((pl.col("scope") == scope) & pl.col("key").is_in(sorted(keys)))
        rows = collect(wanted.select("key", "keyed_dict", "digest"), "components").iter_rows()
        return {key: fields for key, packed, digest in rows if (fields := _fields(packed, digest, key)) is not None}

    return _with(transformations, read)


def _with(transformations: pl.DataFrame, read: Callable[[str, Iterable[str]], _Components]) -> pl.DataFrame:
    """Compute the diameter of each environment once."""
    places = transformations.select("scope", "environment").unique().drop_nulls("environment")
    found = []
    for (scope,), of_scope in places.group_by("scope"):
        environments = {name: name.split("+") for name in of_scope["environment"]}
        components = read(str(scope), {key for keys in environments.values() for key in keys})
        found += [(scope, name, _diameter(keys, components)) for name, keys in environments.items()]
    schema = {"scope": pl.String, "environment": pl.String, DIAMETER: pl.Float64}
    return transformations.join(
        pl.DataFrame(found, schema=schema, orient="row"),
        on=["scope", "environment"],
        how="left",
        maintain_order="left",
    )


def _diameter(keys: list[str], components: _Components) -> float | None:
    return diameter_nm(components[key] for key in keys) if all(key in components for key in keys) else None


def _fields(packed: bytes, digest: str, key: str) -> Mapping[str, Any] | None:
    """Return the keyed dict of a stored component; None if it is damaged, which must not affect other estimates."""
    try:
        fields = json.loads(stored_text(packed, digest, key))
    except (DamagedError, ValueError):
        return None
    return fields if isinstance(fields, dict) else None
