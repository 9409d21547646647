"""Comparison of estimates with experiment: for networks, Scopes and programmes, now or over time.

Determines the pairs and what is pooled. Statistics and resampling are in `estimators.statistics.performance`; tables
and plots in `report`.

Free energies of ligands are compared after a shift to the zero of their connected component, or unshifted if absolute
results fix it; edges as differences in both directions. All estimate versions are compared with the newest
experimental values, so a change over time is a change of the estimates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, get_args

import polars as pl

from ..errors import EstimationError, SettingsError
from ..estimators.errors import EstimatorInputError
from ..estimators.statistics.performance import Performance, Resampled, pool, resample
from ..ids import Scope, ScopedKey
from ..query import Connection, ask

__all__ = ["NEEDS_FOR_COMPARISON", "QUANTITIES", "By", "Comparison", "compare", "compared_pairs", "programme_of"]

By = Literal["network", "scope", "programme"]
Quantity = Literal["dG", "ddG"]

#: Ligands and edges, with their named queries.
QUANTITIES: Final[dict[Quantity, str]] = {"dG": "compared_ligands", "ddG": "compared_edges"}

#: What a connection for `compare` must have.
NEEDS_FOR_COMPARISON: Final = (*QUANTITIES.values(), "ligand_ranking", "network_states")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Agreement of one subject with experiment.

    Attributes
    ----------
    subject : str
        ScopedKey of a network, a Scope, or a programme (`org-campaign-*`).
    kind : str
        `binding`, `hydration` or `direct`.
    quantity : {"dG", "ddG"}
        Ligands or edges.
    round : int or None
        Estimate version of the network; None if pooled.
    as_of : datetime or date
        Time of the estimates; if pooled over time, the day at whose end they were current (UTC).
    n_networks : int
        Number of networks included.
    performance : Performance
        Statistics with intervals.
    """

    subject: str
    kind: str
    quantity: Quantity
    round: int | None
    as_of: datetime | date
    n_networks: int
    performance: Performance


@dataclass(frozen=True, slots=True)
class _Round:
    """Resampled pairs of one estimate version of a network."""

    subject: str
    network: str
    kind: str
    quantity: Quantity
    round: int
    at: datetime
    resampled: Resampled


def compare(
    connection: Connection,
    *,
    network: str | None = None,
    scope: Scope | str | None = None,
    kind: str | None = None,
    by: By = "network",
    over_time: bool = False,
    uncertainties: bool = False,
    over: Literal["pairs", "networks"] = "pairs",
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 2019,
) -> list[Comparison]:
    """Compare the newest estimates, or those of every version, with experiment.

    Parameters
    ----------
    connection : Connection
    network : str, optional
        ScopedKey; default: all networks that are not deleted.
    scope : Scope or str, optional
        Only networks of this Scope (wildcards allowed).
    kind : str, optional
        `binding`, `hydration` or `direct`.
    by : {"network", "scope", "programme"}
        Subject of one comparison. Several networks are pooled as in `estimators.statistics.performance.pool`.
    over_time : bool
        One comparison per estimate version of a network, or per day on which one of the pooled networks had a new one.
    uncertainties : bool
        Whether resamples also draw values within the uncertainties of estimates and experiments.
    over : {"pairs", "networks"}
        For pooled subjects: whether intervals describe other ligands only, or other networks too.
    n_bootstrap : int
        Number of resamples.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the resampling.

    Returns
    -------
    list of Comparison
        Sorted by subject, kind, quantity and time; networks with fewer than two measured ligands are left out.

    Raises
    ------
    EstimationError
        If there is nothing to compare.
    """
    if by not in get_args(By):
        raise SettingsError(f"by is {by!r}; give one of {', '.join(get_args(By))}", by=by)
    rounds = []
    for quantity in QUANTITIES:
        pairs = compared_pairs(connection, quantity, network=network, scope=scope, kind=kind, over_time=over_time)
        needed = pairs if by == "network" or not over_time else _last_of_each_day(pairs)
        rounds += list(_rounds(needed, quantity, by, uncertainties, n_bootstrap, seed))
    if not rounds:
        raise EstimationError(_nothing(network, scope))
    groups: dict[tuple[str, str, Quantity], list[_Round]] = {}
    for one in sorted(rounds, key=lambda r: (r.subject, r.kind, r.quantity, r.network, r.round)):
        groups.setdefault((one.subject, one.kind, one.quantity), []).append(one)
    found = []
    for (subject, of_kind, quantity), members in groups.items():
        for at, parts in _each(members) if by == "network" else _pooled(members, over_time=over_time):
            together = parts[0].resampled if by == "network" else pool([p.resampled for p in parts], over=over)
            number = parts[0].round if by == "network" else None
            performance = together.performance(confidence)
            found.append(Comparison(subject, of_kind, quantity, number, at, len(parts), performance))
    return found


def compared_pairs(
    connection: Connection,
    quantity: Quantity,
    *,
    network: str | None = None,
    scope: Scope | str | None = None,
    kind: str | None = None,
    over_time: bool = False,
) -> pl.DataFrame:
    """Return pairs of estimate and experiment, from `compared_ligands` or `compared_edges`.

    Parameters
    ----------
    connection, network, scope, kind, over_time
        As in `compare`; without `over_time` only the newest version of each network.
    quantity : {"dG", "ddG"}
        Ligands or edges.
    """
    newest = None if over_time else True
    pairs = ask(connection, QUANTITIES[quantity], network=network, scope=scope, kind=kind, newest=newest)
    if network is not None:
        return pairs
    return pairs.join(ask(connection, "network_states", state="deleted"), on="network", how="anti")


def programme_of(scope: str) -> str:
    """Return `org-campaign-*` for a Scope."""
    specific = Scope.parse(scope)
    return str(Scope(specific.org, specific.campaign))


def _last_of_each_day(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the last estimate version of each network on each day."""
    day = pl.col("estimated_at").dt.date()
    last = pl.col("round").max().over("network", day)
    return pairs.filter(pl.col("round") == last)


def _rounds(
    pairs: pl.DataFrame, quantity: Quantity, by: By, uncertainties: bool, n_bootstrap: int, seed: int
) -> Iterator[_Round]:
    keys = ["network", "round", "kind"]
    for (network, number, kind), group in pairs.group_by(keys, maintain_order=True):
        drawn = group.select("uncertainty_kcal_mol", "experiment_uncertainty_kcal_mol").cast(pl.Float64).fill_null(0.0)
        try:
            resampled = resample(
                group["value_kcal_mol"].to_numpy(),
                group["experiment_kcal_mol"].to_numpy(),
                relative=(~group["absolute_results"]).to_list() if quantity == "dG" else False,
                zero_of=group["component"].to_list() if quantity == "dG" else None,
                both_directions=quantity == "ddG",
                estimate_uncertainty_kcal_mol=drawn["uncertainty_kcal_mol"].to_numpy() if uncertainties else None,
                experiment_uncertainty_kcal_mol=drawn["experiment_uncertainty_kcal_mol"].to_numpy()
                if uncertainties
                else None,
                n_bootstrap=n_bootstrap,
                seed=seed,
            )
        except EstimatorInputError:  # fewer than two ligands with a common zero: nothing to compare
            continue
        scope = str(group["scope"][0])
        subject = {"network": str(network), "scope": scope, "programme": programme_of(scope)}[by]
        at = group["estimated_at"].max()
        yield _Round(subject, str(network), str(kind), quantity, int(str(number)), at, resampled)  # type: ignore[arg-type]


def _each(members: list[_Round]) -> Iterator[tuple[datetime | date, list[_Round]]]:
    """Yield every estimate version separately."""
    return ((one.at, [one]) for one in members)


def _pooled(members: list[_Round], *, over_time: bool) -> Iterator[tuple[datetime | date, list[_Round]]]:
    """Yield the newest version of each network: now, or at the end of each day on which one changed."""
    if not over_time:
        newest = {one.network: one for one in members}
        yield max(one.at for one in newest.values()), list(newest.values())
        return
    standing: dict[str, _Round] = {}
    by_day: dict[date, list[_Round]] = {}
    for one in members:
        by_day.setdefault(one.at.date(), []).append(one)
    for day in sorted(by_day):
        standing |= {one.network: one for one in by_day[day]}
        yield day, list(standing.values())


def _nothing(network: str | None, scope: Scope | str | None) -> str:
    where = network or (f"Scope {scope}" if scope is not None else "the lake")
    into, what = ("...", "--scope '*-*-*'") if scope is None else (str(scope), f"--scope '{scope}'")
    if network is not None:
        into, what = str(ScopedKey.from_str(network).scope), network
    return (
        f"nothing in {where} can be compared: no two ligands of a network have both an estimate and an experimental "
        f"value; import values with `alchemiscale-lake assays FILE --scope {into}`, then run "
        f"`alchemiscale-lake gather {what}`"
    )
