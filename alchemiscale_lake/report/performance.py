"""Comparisons with experiment and rankings as tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ..estimates.comparisons import By, Comparison
from ..estimates.ranked_ligands import RankedNetwork
from ..estimates.side_by_side import SideBySide
from ..estimators.statistics.performance import FEWEST_FOR_CORRELATION, FEWEST_FOR_INTERVAL, Statistic
from ..plurals import count, part, verb
from .digits import EXPERIMENT_DECIMALS
from .table import Table

__all__ = [
    "ENERGY_STATISTICS",
    "comparison_table",
    "few_ligands",
    "ranking_table",
    "side_by_side_remark",
    "side_by_side_table",
    "too_few",
]

#: Statistics in kcal/mol; the others have no unit.
ENERGY_STATISTICS: Final = ("RMSE", "MUE")
#: The same for networks side by side.
_KEEP_SIDES: Final = ("statistic", "name", "value", "delta", "delta_low", "delta_high", "low", "high", "n")
#: Most important first.
_KEEP: Final = ("statistic", "value", "difference", "low", "high", "quantity", "n")


def comparison_table(
    comparisons: Sequence[Comparison],
    *,
    by: By = "network",
    over_time: bool = False,
    names: Mapping[str, str | None] | None = None,
    statistics: Collection[str] = (),
) -> Table:
    """Build a table with one row per comparison and statistic, with its interval.

    Parameters
    ----------
    comparisons : sequence of Comparison
    by : {"network", "scope", "programme"}
        Unit of comparison.
    over_time : bool
        Whether to add columns for the time and the estimate version.
    names : mapping of str to str, optional
        Names of networks by ScopedKey, for the first column.
    statistics : collection of str, optional
        Only these; all by default.
    """
    rows: list[tuple[Any, ...]] = []
    for one in comparisons:
        subject = (names or {}).get(one.subject) if by == "network" else one.subject
        when = ((one.round, one.as_of) if by == "network" else (one.as_of,)) if over_time else ()
        size = () if by == "network" else (one.n_networks,)
        key = (one.subject,) if by == "network" else ()
        for found in one.performance.statistics:
            if statistics and found.name not in statistics:
                continue
            unit = "kcal/mol" if found.name in ENERGY_STATISTICS else None
            numbers = (_known(found.value), _known(found.low), _known(found.high))
            head = (subject, one.kind, one.quantity, *when, *size, one.performance.n)
            rows.append((*head, found.name, unit, *numbers, *key))
    when_names = (("round", "as_of") if by == "network" else ("as_of",)) if over_time else ()
    first = ("name",) if by == "network" else (by,)
    size_names = () if by == "network" else ("networks",)
    last = ("network",) if by == "network" else ()
    columns = (*first, "kind", "quantity", *when_names, *size_names, "n", "statistic", "unit", "value", "low", "high")
    return Table((*columns, *last), rows, decimals={"value": 2, "low": 2, "high": 2}, keep=_KEEP)


def too_few(n_pairs: Sequence[int]) -> list[str]:
    """Return how many comparisons, given their numbers of pairs, have too few for an interval; nothing if none has."""
    few = sum(n < FEWEST_FOR_INTERVAL for n in n_pairs)
    if not few:
        return []
    what = f"{part(few, len(n_pairs), 'comparison')} {verb(few, 'has', 'have')}"
    return [
        f"{what} fewer than {FEWEST_FOR_INTERVAL} pairs: too few for an interval and, below {FEWEST_FOR_CORRELATION}, "
        "for a correlation"
    ]


def side_by_side_table(
    comparisons: Sequence[SideBySide], names: Mapping[str, str], *, statistics: Collection[str] = ()
) -> Table:
    """Build a table with one row per quantity, statistic and network, with its interval.

    `delta` is the first network's statistic minus that of the row, with its joint interval.

    Parameters
    ----------
    comparisons : sequence of SideBySide
    names : mapping of str to str
        Names of the networks by ScopedKey.
    statistics : collection of str, optional
        Only these; all by default.
    """
    rows = []
    for one in comparisons:
        own, difference = one.statistic, one.difference
        if statistics and own.name not in statistics:
            continue
        head = (one.quantity, own.name, names[one.network], *_numbers(own))
        minus = (None, None, None) if difference is None else _numbers(difference)
        unit = "kcal/mol" if own.name in ENERGY_STATISTICS else None
        rows.append((*head, *minus, one.n, unit, one.kind, one.network))
    numbers = ("value", "low", "high", "delta", "delta_low", "delta_high")
    columns = ("quantity", "statistic", "name", *numbers, "n", "unit", "kind", "network")
    return Table(columns, rows, decimals=dict.fromkeys(numbers, 2), keep=_KEEP_SIDES)


def side_by_side_remark(comparisons: Sequence[SideBySide], names: Mapping[str, str]) -> str:
    """Return what a difference of several networks is, and on how many pairs.

    Parameters
    ----------
    comparisons : sequence of SideBySide
        At least one.
    names : mapping of str to str
        Names of the networks by ScopedKey.
    """
    nouns = {"dG": "ligand", "ddG": "edge"}
    sizes = {(one.kind, one.quantity): one.n for one in comparisons}
    several = len({kind for kind, _ in sizes}) > 1
    pairs = [
        count(n, f"{kind} {nouns[quantity]}" if several else nouns[quantity]) for (kind, quantity), n in sizes.items()
    ]
    n_networks = len({one.network for one in comparisons})
    each = "both networks" if n_networks == 2 else f"all {n_networks} networks"
    first = names[comparisons[0].network]
    return (
        f"delta is {first} minus the network of the row, with a joint interval; only what {each} estimate "
        f"is compared: {' and '.join(pairs)}"
    )


def _numbers(one: Statistic) -> tuple[float | None, float | None, float | None]:
    return _known(one.value), _known(one.low), _known(one.high)


def ranking_table(ranked: RankedNetwork, *, shown: int | None = None) -> Table:
    """Build a table with one row per ligand, best first; with columns for kind and component if there are several.

    `P(top k)` is omitted if there are no more than k ligands, which are all among the best k.

    Parameters
    ----------
    ranked : RankedNetwork
    shown : int, optional
        Maximum number of ligands per component.
    """
    frame = ranked.ligands
    most = max(frame.group_by("kind", "component").len()["len"].to_list(), default=0)
    cells = {"kind": "kind"} if frame["kind"].n_unique() > 1 else {}
    if frame.select("kind", "component").n_unique() > frame["kind"].n_unique():
        cells["component"] = "component"
    value, uncertainty = "DG(MLE) (kcal/mol)", "uncertainty (kcal/mol)"
    cells |= {
        "ligand": "ligand",
        value: "value_kcal_mol",
        uncertainty: "uncertainty_kcal_mol",
        "P(best)": "p_best",
        **({f"P(top {ranked.top})": "p_top"} if ranked.top < most else {}),
        "rank": "expected_rank",
        "rank from": "rank_low",
        "rank to": "rank_high",
    }
    if frame["experiment_kcal_mol"].count():
        cells["experiment (kcal/mol)"] = "experiment_kcal_mol"
    if shown is not None:
        frame = frame.group_by("kind", "component", maintain_order=True).head(shown)
    rows = frame.select(**cells).rows()
    shown_to = {"P(best)": 2, f"P(top {ranked.top})": 2, "rank": 1, "experiment (kcal/mol)": EXPERIMENT_DECIMALS}
    decimals = {name: digits for name, digits in shown_to.items() if name in cells}
    return Table(tuple(cells), rows, precision_of={value: uncertainty}, decimals=decimals)


def few_ligands(ranked: RankedNetwork) -> list[str]:
    """Return why the ranking has no `P(top k)`; nothing if it has."""
    most = max(ranked.ligands.group_by("kind", "component").len()["len"].to_list(), default=0)
    if ranked.top < most:
        return []
    are = f"{verb(most)} only {count(most, 'ligand')}"
    return [f"P(top {ranked.top}) is left out: there {are}, all among the best {ranked.top}"]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
