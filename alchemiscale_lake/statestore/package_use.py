"""Versions of packages that computed results, of a whole Scope or of one network."""

from __future__ import annotations

from typing import Final

import polars as pl

from ..ids import Scope
from ..query import connect_for, read_sql
from ..store import Lake

__all__ = ["package_versions"]

#: As the named query `package_versions`, of some Transformations.
_QUERY: Final = """
select
    entry.package,
    json_extract_string(hosts.packages_json, '$."' || entry.package || '"') as version,
    count(*) as n_results,
    count(*) filter (not results.ok) as n_failed,
    count(distinct results.transformation) as n_transformations,
    count(distinct results.hostname) as n_hosts,
    min(results.started_at) as first_started_at,
    max(results.ended_at) as last_ended_at
from results
join (
    select host, packages_json, json_keys(packages_json) as packages
    from hosts
) as hosts using (host),
unnest(hosts.packages) as entry (package)
where
    in_scope(results.scope, $scope)
    and ($package::varchar is null or entry.package = $package)
    and (
        $network::varchar is null
        or results.transformation in (select member from network_members where network = $network)
    )
group by entry.package, version
order by entry.package, n_results desc, version
"""


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
        ScopedKey: only results of its Transformations.
    package : str, optional
        Only this package.
    """
    pattern = None if scope is None else str(Scope.parse(scope))
    bound = {"scope": pattern, "network": network, "package": package}
    return read_sql(connect_for(lake, "results", "hosts", "network_members", "in_scope"), _QUERY, bound)
