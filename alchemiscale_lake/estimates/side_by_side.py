"""Two networks compared with experiment side by side, on what both estimate.

Owns the pairing and what a difference is. Statistics and resampling are in `estimators.statistics.performance`;
comparisons of one network are in `comparisons`.

Both networks are resampled with the same ligands (or edges), so that what they share, such as a ligand with a poor
measurement, cancels in the difference. Two separate intervals may overlap although the difference is certain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ..errors import EstimationError, SettingsError
from ..estimators.errors import EstimatorInputError
from ..estimators.statistics.performance import Resampled, Statistic, resample
from ..query import Connection
from .comparisons import QUANTITIES, Quantity, compared_pairs

__all__ = ["SideBySide", "compare_sources"]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One statistic of two networks on the pairs that both have.

    Attributes
    ----------
    kind : str
        `binding`, `hydration` or `direct`.
    quantity : {"dG", "ddG"}
        Ligands or edges.
    n : int
        Number of common pairs.
    statistic : str
        Key of `estimators.statistics.performance.STATISTICS`.
    value, other : float
        The statistic of the network and of the other; RMSE and MUE in kcal/mol; NaN if undefined.
    difference : Statistic
        The network's minus the other's, with its joint bootstrap interval; NaN if undefined.
    """

    kind: str
    quantity: Quantity
    n: int
    statistic: str
    value: float
    other: float
    difference: Statistic


def compare_sources(
    connection: Connection,
    network: str,
    other: str,
    *,
    kind: str | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 2019,
) -> list[SideBySide]:
    """Compare two networks with experiment, on the ligands and edges that both estimate.

    Each network is compared with the experimental values of its own Scope.

    Parameters
    ----------
    connection : Connection
    network, other : str
        ScopedKeys.
    kind : str, optional
        `binding`, `hydration` or `direct`.
    n_bootstrap : int
        Number of joint resamples.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the resampling.

    Raises
    ------
    SettingsError
        If both are the same network.
    EstimationError
        If the networks have no two measured ligands in common.
    """
    if network == other:
        raise SettingsError(f"{network} cannot be compared with itself: name two networks", network=network)
    found = []
    for quantity in QUANTITIES:
        sides = [compared_pairs(connection, quantity, network=one, kind=kind) for one in (network, other)]
        for of_kind, pairs in _common(sides[0], sides[1], quantity):
            try:
                one, two = (_resampled(pairs, side, quantity, n_bootstrap, seed) for side in ("", "_other"))
            except EstimatorInputError:  # no two ligands share a zero in both
                continue
            for mine, theirs, difference in zip(
                one.performance(confidence).statistics,
                two.performance(confidence).statistics,
                one.minus(two, confidence),
                strict=True,
            ):
                found.append(SideBySide(of_kind, quantity, one.n, mine.name, mine.value, theirs.value, difference))
    if not found:
        raise EstimationError(
            "the two networks have no two ligands in common that both have an estimate and an experimental value; "
            f"ligands are matched by name: `alchemiscale-lake gather {network}` and "
            f"`alchemiscale-lake gather {other}` show those of each"
        )
    return found


def _common(one: pl.DataFrame, other: pl.DataFrame, quantity: Quantity) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the pairs that both have, by kind; edges count in either direction."""
    if quantity == "ddG":
        one, other = _directed(one), _directed(other)
    keys = ["ligand"] if quantity == "dG" else ["ligand_i", "ligand_j"]
    joined = one.join(other, on=["kind", *keys], suffix="_other", how="inner").sort("kind", *keys)
    for (kind,), pairs in joined.group_by("kind", maintain_order=True):
        yield str(kind), _on_common_zeros(pairs) if quantity == "dG" else pairs


def _directed(edges: pl.DataFrame) -> pl.DataFrame:
    """Return edges with their ligands in order of name; of several edges of a pair the first."""
    turned = pl.col("ligand_i") > pl.col("ligand_j")
    signed = ("value_kcal_mol", "experiment_kcal_mol")
    edges = edges.with_columns(
        *(pl.when(turned).then(-pl.col(name)).otherwise(pl.col(name)).alias(name) for name in signed),
        ligand_i=pl.min_horizontal("ligand_i", "ligand_j"),
        ligand_j=pl.max_horizontal("ligand_i", "ligand_j"),
    )
    return edges.unique(["kind", "ligand_i", "ligand_j"], keep="first", maintain_order=True)


def _on_common_zeros(pairs: pl.DataFrame) -> pl.DataFrame:
    """Leave out ligands that share their zero with no other in one of the networks: both sides keep the same pairs."""
    while True:
        shared = pl.len().over("component", "component_other").gt(1) | (
            pl.col("absolute_results") & pl.col("absolute_results_other")
        )
        kept = pairs.filter(shared)
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def _resampled(pairs: pl.DataFrame, side: str, quantity: Quantity, n_bootstrap: int, seed: int) -> Resampled:
    ligands = quantity == "dG"
    return resample(
        pairs[f"value_kcal_mol{side}"].to_numpy(),
        pairs[f"experiment_kcal_mol{side}"].to_numpy(),
        relative=(~pairs[f"absolute_results{side}"]).to_list() if ligands else False,
        # one zero for both, so that neither is shifted within a part that the other does not have
        zero_of=list(pairs.select("component", "component_other").iter_rows()) if ligands else None,
        both_directions=not ligands,
        n_bootstrap=n_bootstrap,
        seed=seed,  # the same for both: the same pairs are drawn
    )
