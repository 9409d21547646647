"""Shares of Scopes among running Tasks: which group is next.

The next Task goes to the group of Scopes with the fewest Tasks relative to its share (Jefferson's method). A group
above its share gets nothing while an entitled group waits, and nothing stays idle when none does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ..ids import Scope

__all__ = ["TURN_COLUMNS", "entitlements", "take_turns", "with_turns"]

#: Group of Scopes, its share, and the number of its running Tasks.
TURN_COLUMNS: Final = ("turn_group", "turn_share", "turn_running")


def entitlements(shares: Mapping[str, float], scopes: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Return the group of each Scope and the group's share.

    The most specific matching pattern defines the group; its share is what narrower patterns within it leave of it.
    Scopes that match no pattern form groups of their own and split evenly what the patterns leave of 1; if they leave
    nothing, these Scopes come last.

    Parameters
    ----------
    shares : mapping of str to float
        Fraction of all running Tasks, within [0, 1], by Scope pattern.
    scopes : sequence of str
        Scopes with work.
    """
    patterns = sorted((_width(Scope.from_str(p)), p, Scope.from_str(p)) for p in shares)
    own = _own_shares(shares, [pattern for _, _, pattern in patterns])
    found: dict[str, tuple[str, float]] = {}
    rest = []
    for scope in scopes:
        fits = next((text for _, text, pattern in patterns if pattern.is_superset(Scope.from_str(scope))), None)
        if fits is None:
            rest.append(scope)
        else:
            found[scope] = (fits, own[fits])
    left = max(0.0, 1.0 - sum(own.values()))
    return found | {scope: (scope, left / len(rest)) for scope in rest}


def with_turns(shares: Mapping[str, float], candidates: pl.DataFrame, running: pl.DataFrame) -> pl.DataFrame:
    """Add `TURN_COLUMNS` to candidates if there are shares.

    Parameters
    ----------
    shares : mapping
        By Scope pattern.
    candidates, running : polars.DataFrame
        With a column scope.
    """
    if not shares or not len(candidates):
        return candidates
    waiting = candidates["scope"].unique().sort().to_list()
    groups = entitlements(shares, waiting)
    running_of: dict[str, int] = {}
    everywhere = running["scope"].value_counts()
    # a Scope with only running Tasks belongs to a group of the patterns, or to none that matters here
    group_of = groups | entitlements(shares, [s for s in everywhere["scope"].sort() if s not in groups])
    for scope, n in everywhere.iter_rows():
        group = group_of[scope][0]
        running_of[group] = running_of.get(group, 0) + n
    turns = pl.DataFrame(
        [(scope, group, share, running_of.get(group, 0)) for scope, (group, share) in groups.items()],
        schema={"scope": pl.String} | dict(zip(TURN_COLUMNS, (pl.String, pl.Float64, pl.Int64), strict=True)),
        orient="row",
    )
    return candidates.join(turns, on="scope", how="left", maintain_order="left")


def take_turns(drawn: pl.DataFrame) -> pl.DataFrame:
    """Sort Tasks by turn; the order within a group is kept.

    Parameters
    ----------
    drawn : polars.DataFrame
        One row per Task, in the order drawn, with `TURN_COLUMNS`.
    """
    would_run = pl.col("turn_running") + pl.int_range(1, pl.len() + 1).over("turn_group")
    return drawn.sort(would_run / pl.col("turn_share"), maintain_order=True)


def _own_shares(shares: Mapping[str, float], narrow_first: Sequence[Scope]) -> dict[str, float]:
    """Return each pattern's share minus those of the patterns directly below it."""
    own = dict(shares)
    for index, pattern in enumerate(narrow_first):
        above = next((p for p in narrow_first[index + 1 :] if p != pattern and p.is_superset(pattern)), None)
        if above is not None:
            own[str(above)] -= shares[str(pattern)]
    return {name: max(0.0, share) for name, share in own.items()}


def _width(pattern: Scope) -> int:
    return sum(part is None for part in (pattern.org, pattern.campaign, pattern.project))
