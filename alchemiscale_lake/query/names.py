"""Lookup of a network's ScopedKey from user input."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..errors import AmbiguousScopeError, NotFoundError
from ..ids import Scope
from ..store import Lake
from ..suggestions import did_you_mean
from .network_names import NetworkNames

__all__ = ["find_network", "find_networks", "named_network", "networks_in", "new_scope_note", "require_scope"]

_SHOWN = 10
#: Beginning of every ScopedKey of a network.
_KIND = "AlchemicalNetwork-"
#: Likeness of two Scopes of which one is probably a misspelling.
_VERY_SIMILAR = 0.9
#: Name of a network after its Scope, as `NetworkNames.arguments` writes it.
_QUALIFIED = pl.concat_str("scope", "name", separator="/").alias("name")


def find_network(lake: Lake, text: str | None = None, *, scope: Scope | str | None = None) -> str:
    """Find one network by its ScopedKey, a prefix of it, or its name; of several with one name, the only active one.

    Parameters
    ----------
    lake : Lake
    text : str, optional
        Optional if there is only one network. A name may follow its Scope: `org-campaign-project/tyk2`.
    scope : Scope or str, optional
        Where to look (wildcards allowed).

    Returns
    -------
    str
        ScopedKey.

    Raises
    ------
    NotFoundError
        If no network matches.
    AmbiguousScopeError
        If several match; the message lists them.
    """
    return _find(lake, text, scope, with_scope=False)


def find_networks(
    lake: Lake, texts: Sequence[str], *, scope: Scope | str | None = None, with_scope: bool | None = None
) -> list[str]:
    """Find networks as `find_network` does, in the order given.

    Parameters
    ----------
    lake : Lake
    texts : sequence of str
        ScopedKeys, prefixes of them, or names.
    scope : Scope or str, optional
        Where to look for all of them (wildcards allowed).
    with_scope : bool, optional
        Whether an error lists networks as `org-campaign-project/tyk2`, since one `--scope` cannot distinguish them.
        Default: if several are given.

    Raises
    ------
    NotFoundError
        If no network matches a text.
    AmbiguousScopeError
        If several match one; the message lists them.
    """
    listed = len(texts) > 1 if with_scope is None else with_scope
    return [_find(lake, text, scope, with_scope=listed) for text in texts]


def _find(lake: Lake, text: str | None, scope: Scope | str | None, *, with_scope: bool) -> str:
    networks = (
        lake.table("networks").scan().select("scope", "network", "name").collect().sort("scope", "name", "network")
    )
    if scope is not None:
        wanted = Scope.parse(scope)
        inside = [wanted.is_superset(Scope.from_str(s)) for s in networks["scope"]]
        networks = networks.filter(pl.Series(inside, dtype=pl.Boolean))
    where = f" in Scope {scope}" if scope is not None else ""
    if not len(networks):
        require_scope(lake, scope)
        raise NotFoundError(
            f"there is no network{where} in {lake.url}; submit one with `alchemiscale-lake submit FILE --scope ...`"
        )
    for fits in _ways(networks, text):
        if len(fits) > 1:
            fits = _active(lake, fits)
        if len(fits) == 1:
            return str(fits["network"].item())
        if len(fits):
            names = NetworkNames.of(lake).listed(fits["network"].head(_SHOWN), with_scope=with_scope)
            listed = [f"  {line}" for line in names]
            more = f"\n  and {len(fits) - _SHOWN} more" if len(fits) > _SHOWN else ""
            what = (
                f"there are several networks{where}; give one of these:"
                if text is None
                else f"{text!r} matches {len(fits)} networks{where}; give one of these:"
            )
            raise AmbiguousScopeError(
                "\n".join([what, *listed]) + more,
                value=text,
                candidates=fits["network"].to_list(),
            )
    known = networks["name"].drop_nulls() if "/" not in str(text) else networks.select(_QUALIFIED)["name"].drop_nulls()
    meant = did_you_mean(str(text), known)
    raise NotFoundError(
        f"no network{where} has the name or ScopedKey {text!r}{meant or '; `alchemiscale-lake status` lists all'}",
        value=text,
    )


def require_scope(lake: Lake, scope: Scope | str | None) -> None:
    """Raise if a Scope is given that contains no network, although others do.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str or None
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.

    Raises
    ------
    NotFoundError
        The message suggests the Scope that was probably meant.
    InvalidScopeError
        If it is malformed.
    """
    if scope is None:
        return
    wanted = Scope.parse(scope)
    known = lake.table("networks").scan().select("scope").unique().collect()["scope"].sort().to_list()
    if known and not any(wanted.is_superset(Scope.from_str(place)) for place in known):
        meant = did_you_mean(str(wanted), known) or f"; there are: {', '.join(known[:_SHOWN])}"
        raise NotFoundError(f"there is no network in Scope {wanted}{meant}", scope=str(wanted))


def new_scope_note(lake: Lake, scope: Scope | str) -> str | None:
    """Return the question whether another Scope was meant, for one without a network that is very similar to another.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Scope to write to.
    """
    wanted = str(scope)
    known = set(lake.table("networks").scan().select("scope").unique().collect()["scope"])
    if wanted in known or "*" in wanted:
        return None
    meant = did_you_mean(wanted, known, least=_VERY_SIMILAR)
    return f"{wanted} is a new Scope{meant}" if meant else None


def named_network(names: pl.DataFrame, network: str) -> str:
    """Return an error message about a ScopedKey that no network has.

    Parameters
    ----------
    names : polars.DataFrame
        Columns network, name.
    network : str
        As given instead of a ScopedKey.
    """
    of_name = names.filter(pl.col("name") == network)["network"].to_list()
    if of_name:
        return f"{network!r} is a name, not a ScopedKey: give {' or '.join(of_name)}, which `find_network` returns"
    meant = did_you_mean(network, [*names["network"], *names["name"].drop_nulls()])
    return f"no network has the ScopedKey {network!r}{meant}"


def networks_in(lake: Lake, scope: Scope | str) -> list[str]:
    """Return the ScopedKeys of all networks of a Scope (wildcards allowed), sorted by Scope and name.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.

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
        require_scope(lake, wanted)
        raise NotFoundError(f"there is no network in {lake.url} yet", scope=str(wanted))
    return inside


def _active(lake: Lake, networks: pl.DataFrame) -> pl.DataFrame:
    """Return the only active network if all have one name and Scope: what a living network was before is inactive."""
    if networks["name"].null_count() or len(networks.select("scope", "name").unique()) > 1:
        return networks
    states = lake.network_log.states()
    inactive = [key for key in networks["network"] if key in states and states[key].state != "active"]
    active = networks.filter(~pl.col("network").is_in(inactive))
    return active if len(active) == 1 else networks


def _ways(networks: pl.DataFrame, text: str | None) -> list[pl.DataFrame]:
    """Return the matches, for each way of matching, strictest first."""
    if text is None:
        return [networks]
    ways = [pl.col("network") == text, pl.col("name") == text, _QUALIFIED.eq(text)]
    if len(text) > len(_KIND):  # any shorter prefix, such as the empty text of an unset variable, fits every network
        ways.append(pl.col("network").str.starts_with(text))
    return [networks.filter(way) for way in ways]
