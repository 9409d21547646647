"""From what a person types to a network's ScopedKey."""

from __future__ import annotations

import polars as pl

from ..errors import AmbiguousScopeError, NotFoundError
from ..ids import Scope
from ..store import Lake

__all__ = ["find_network", "networks_in"]

_SHOWN = 10


def find_network(lake: Lake, text: str | None = None, *, scope: Scope | str | None = None) -> str:
    """Find one network by its ScopedKey, the beginning of it, or its name.

    Parameters
    ----------
    lake : Lake
    text : str, optional
        May be left out if there is only one network.
    scope : Scope or str, optional
        Where to look (wildcards allowed).

    Returns
    -------
    str
        ScopedKey.

    Raises
    ------
    NotFoundError
        If no network fits.
    AmbiguousScopeError
        If several do; the message lists them.
    """
    networks = (
        lake.table("networks").scan().select("scope", "network", "name").collect().sort("scope", "name", "network")
    )
    if scope is not None:
        wanted = Scope.parse(scope)
        inside = [wanted.is_superset(Scope.from_str(s)) for s in networks["scope"]]
        networks = networks.filter(pl.Series(inside, dtype=pl.Boolean))
    where = f" in Scope {scope}" if scope is not None else ""
    if not len(networks):
        raise NotFoundError(
            f"there is no network{where} in {lake.url}; submit one with `alchemiscale-lake submit FILE --scope ...`"
        )
    for fits in _ways(networks, text):
        if len(fits) == 1:
            return str(fits["network"].item())
        if len(fits):
            listed = [f"  {network}  {name or ''}".rstrip() for _, network, name in fits.head(_SHOWN).iter_rows()]
            more = f"\n  and {len(fits) - _SHOWN} more" if len(fits) > _SHOWN else ""
            what = "which network?" if text is None else f"{text!r} fits {len(fits)} networks{where}:"
            raise AmbiguousScopeError(
                "\n".join([what, *listed]) + more + "\ngive more of the ScopedKey, or --scope",
                value=text,
                candidates=fits["network"].to_list(),
            )
    raise NotFoundError(
        f"no network{where} has the name or ScopedKey {text!r}; `alchemiscale-lake status` lists all", value=text
    )


def networks_in(lake: Lake, scope: Scope | str) -> list[str]:
    """ScopedKeys of all networks of a Scope (wildcards allowed), by Scope and name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    wanted = Scope.parse(scope)
    networks = lake.table("networks").scan().select("scope", "name", "network").collect()
    rows = networks.sort("scope", "name", "network").iter_rows()
    inside = [network for place, _, network in rows if wanted.is_superset(Scope.from_str(place))]
    if not inside:
        raise NotFoundError(f"there is no network in Scope {wanted}; see `alchemiscale-lake status`", scope=str(wanted))
    return inside


def _ways(networks: pl.DataFrame, text: str | None) -> list[pl.DataFrame]:
    """Return what fits, the strictest way first."""
    if text is None:
        return [networks]
    prefix = pl.col("network").str.starts_with(text)
    ways = (pl.col("network") == text, pl.col("name") == text, prefix)
    return [networks.filter(way) for way in ways]
