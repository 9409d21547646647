"""Versions of packages that computed results, of a whole Scope or of one network."""

from __future__ import annotations

import polars as pl

from ..ids import Scope
from ..query import connect_for, read_sql, statement
from ..store import Lake

__all__ = ["package_versions"]


def package_versions(
    lake: Lake, *, scope: Scope | str | None = None, network: str | None = None, package: str | None = None
) -> pl.DataFrame:
    """Return versions of packages with the number of results that they computed.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        A Scope or a pattern.
    network : str, optional
        ScopedKey: only results of its Transformations, those copied to its Scope included.
    package : str, optional
        Only this package.
    """
    pattern = None if scope is None else str(Scope.parse(scope))
    bound = {"scope": pattern, "network": network, "package": package}
    return read_sql(
        connect_for(lake, "result_packages", "network_members", "in_scope"), statement("package_versions_of"), bound
    )
