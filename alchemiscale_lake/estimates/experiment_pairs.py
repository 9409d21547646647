"""Pairs of estimate and experiment, of ligands and of edges, and their statistics.

Rows of queries go in; pairs have the columns `PAIR_COLUMNS`, kcal/mol, whatever they came from. Plots and tables of
`report` show them. `comparisons` computes the statistics of several networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ..estimators.statistics.performance import FEWEST_FOR_INTERVAL, Performance, assess

if TYPE_CHECKING:
    from ..estimators.statistics.error_curves import CumulativeShare

__all__ = [
    "FEWEST_FOR_INTERVAL",
    "FEWEST_PAIRS",
    "PAIR_COLUMNS",
    "centred_pairs",
    "ddg_pairs",
    "dg_pairs",
    "edge_pairs",
    "error_share",
    "pair_performance",
]

#: Columns of pairs; uncertainties may be null.
PAIR_COLUMNS: Final = ("label", "experiment", "experiment_uncertainty", "estimate", "estimate_uncertainty")
#: Pairs from which statistics are computed: of one pair they are its error.
FEWEST_PAIRS: Final = 2


def dg_pairs(ranking: pl.DataFrame) -> pl.DataFrame:
    """Select ligands with estimate and experiment from `ligand_ranking`; columns `PAIR_COLUMNS`, kcal/mol.

    They are in the order of `compared_ligands`: resamples draw by position, so every command has the same intervals.
    """
    both = pl.col("value_kcal_mol").is_not_null() & pl.col("experiment_kcal_mol").is_not_null()
    return (
        ranking.filter(both)
        .sort("kind", "component", "ligand")
        .select(
            label="ligand",
            experiment="experiment_kcal_mol",
            experiment_uncertainty="experiment_uncertainty_kcal_mol",
            estimate="value_kcal_mol",
            estimate_uncertainty="uncertainty_kcal_mol",
        )
    )


def ddg_pairs(edges: pl.DataFrame, ranking: pl.DataFrame) -> pl.DataFrame:
    """Select edges with estimate and experiment from `latest_edges` and `ligand_ranking`.

    Parameters
    ----------
    edges : polars.DataFrame
        Rows of the query `latest_edges`.
    ranking : polars.DataFrame
        Rows of the query `ligand_ranking`.
    """
    known = ranking.filter(pl.col("experiment_kcal_mol").is_not_null())
    known = known.select("kind", "ligand", x="experiment_kcal_mol", s="experiment_uncertainty_kcal_mol")
    # links that were declared have no legs
    rows = edges.filter(pl.col("value_kcal_mol").is_not_null() & (pl.col("legs").list.len() > 0))
    rows = rows.join(known, left_on=["kind", "ligand_i"], right_on=["kind", "ligand"])
    rows = rows.join(known, left_on=["kind", "ligand_j"], right_on=["kind", "ligand"], suffix="_j")
    return rows.sort("kind", "ligand_i", "ligand_j").select(
        label=pl.format("{} -> {}", "ligand_i", "ligand_j"),
        experiment=pl.col("x_j") - pl.col("x"),
        experiment_uncertainty=(pl.col("s") ** 2 + pl.col("s_j") ** 2).sqrt(),
        estimate="value_kcal_mol",
        estimate_uncertainty="uncertainty_kcal_mol",
    )


def centred_pairs(pairs: pl.DataFrame, *, zero: Sequence[str] = ("network", "kind", "component")) -> pl.DataFrame:
    """Select ligands of one or more networks from `compared_ligands`, centred per component.

    Both values are centred on the mean of their component and shifted to the mean of all experiments, unless absolute
    results fix them, so that the plot shows what `estimators.statistics.performance` compares.

    Parameters
    ----------
    pairs : polars.DataFrame
        Rows of the query `compared_ligands`.
    zero : sequence of str
        Columns that are equal for ligands with a common zero.
    """
    pairs = pairs.filter((pl.len().over(*zero) > 1) | pl.col("absolute_results"))
    mean = pl.col("experiment_kcal_mol").mean()

    def centred(name: str) -> pl.Expr:
        own = pl.col(name)
        return pl.when("absolute_results").then(own).otherwise(own - own.mean().over(*zero) + mean)

    return pairs.select(
        label="ligand",
        experiment=centred("experiment_kcal_mol"),
        experiment_uncertainty="experiment_uncertainty_kcal_mol",
        estimate=centred("value_kcal_mol"),
        estimate_uncertainty="uncertainty_kcal_mol",
    )


def edge_pairs(pairs: pl.DataFrame) -> pl.DataFrame:
    """Select edges from `compared_edges`; columns `PAIR_COLUMNS`, kcal/mol."""
    return pairs.select(
        label=pl.format("{} -> {}", "ligand_i", "ligand_j"),
        experiment="experiment_kcal_mol",
        experiment_uncertainty="experiment_uncertainty_kcal_mol",
        estimate="value_kcal_mol",
        estimate_uncertainty="uncertainty_kcal_mol",
    )


def pair_performance(pairs: pl.DataFrame, *, both_directions: bool = False) -> Performance:
    """Compute the statistics of pairs, with their intervals.

    Parameters
    ----------
    pairs : polars.DataFrame
        Columns `PAIR_COLUMNS`.
    both_directions : bool
        Whether correlations count every edge in both directions.
    """
    # estimates with an experimental value are already on its scale
    estimate, experiment = pairs["estimate"].to_numpy(), pairs["experiment"].to_numpy()
    return assess(estimate, experiment, relative=False, both_directions=both_directions)


def error_share(
    pairs: pl.DataFrame, *, n_bootstrap: int = 0, rng: np.random.Generator | None = None
) -> CumulativeShare:
    """Compute which share of pairs has an error of at most so much.

    Parameters
    ----------
    pairs : polars.DataFrame
        Columns `PAIR_COLUMNS`; at least one pair.
    n_bootstrap : int
        Number of resamples for the 95 % interval; 0 for none.
    rng : numpy.random.Generator, optional
        Draws the resamples.
    """
    error = pairs["estimate"].to_numpy() - pairs["experiment"].to_numpy()
    from ..estimators.statistics.error_curves import cumulative_share  # imports scipy

    return cumulative_share(error, n_bootstrap=n_bootstrap, rng=rng)
