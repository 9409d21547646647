"""Lookup of Transformations by name or ScopedKey, also by those of networks that know them under other keys."""

from __future__ import annotations

import polars as pl

from ..errors import AmbiguousScopeError, NotFoundError
from ..ids import Scope
from ..plurals import count
from ..store import Lake, collect
from ..suggestions import did_you_mean

__all__ = ["find_transformation", "find_transformations"]

_SHOWN = 10


def find_transformations(lake: Lake, text: str, *, scope: Scope | str | None = None) -> list[str]:
    """Find the stored Transformations that a name or ScopedKey means, sorted.

    A Transformation whose calculation its Scope had before under another key is found by either key or name.

    Parameters
    ----------
    lake : Lake
    text : str
        Name or ScopedKey.
    scope : Scope or str, optional
        Where to look (wildcards allowed).

    Raises
    ------
    NotFoundError
        If there is none; the message suggests the one that was probably meant.
    """
    wanted = Scope.parse(scope or "*-*-*")
    stored = lake.table("transformations").scan().select("scope", "transformation", "name")
    names = collect(stored, "Transformations")
    for rows in (names, _other_keys(lake)):
        fits = rows.filter((pl.col("transformation") == text) | (pl.col("name") == text))
        keys = fits["stands_for" if "stands_for" in fits.columns else "transformation"].to_list()
        found = [
            key for place, key in zip(fits["scope"], keys, strict=True) if wanted.is_superset(Scope.from_str(place))
        ]
        if found:
            return sorted(set(found))
    where = "" if scope is None else f" in Scope {scope}"
    meant = did_you_mean(text, names["name"].drop_nulls().unique())
    see = meant or "; see `alchemiscale-lake status NETWORK --transformations`"
    raise NotFoundError(f"the lake has no Transformation {text!r}{where}{see}", value=text)


def find_transformation(lake: Lake, text: str, *, scope: Scope | str | None = None) -> str:
    """Find the one stored Transformation that a name or ScopedKey means; see `find_transformations`.

    Parameters
    ----------
    lake : Lake
    text : str
        Name or ScopedKey.
    scope : Scope or str, optional
        Where to look (wildcards allowed).

    Raises
    ------
    NotFoundError
        If there is none.
    AmbiguousScopeError
        If there are several.
    """
    found = find_transformations(lake, text, scope=scope)
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise AmbiguousScopeError(
            f"{text!r} matches {count(len(found), 'Transformation')}: {', '.join(found[:_SHOWN])}{more}; give one of "
            "these ScopedKeys",
            value=text,
        )
    return found[0]


def _other_keys(lake: Lake) -> pl.DataFrame:
    """Return the Transformations that are stored under other keys: scope, transformation, name, stands_for."""
    others = lake.table("calculations").scan().filter(pl.col("transformation") != pl.col("stands_for"))
    objects = (
        lake.table("gufe_objects").scan().select("scope", "name", transformation=pl.col("key") + "-" + pl.col("scope"))
    )
    rows = others.select("scope", "transformation", "stands_for").join(
        objects, on=["scope", "transformation"], how="left"
    )
    return collect(rows, "calculations")
