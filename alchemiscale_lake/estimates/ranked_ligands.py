"""Ranking of a network's ligands, with the probability of each to be the best.

Passes the newest estimate version to `estimators.network.ranking`: with the stored covariance or, if a network is too
large for one, from its edges.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import EstimationError
from ..estimators.network.network_mle import NetworkEstimate, solve_network
from ..estimators.network.ranking import Ranking, rank_nodes
from ..networks.measures import is_absent
from ..query import Connection, ask_edges, read_sql, require_known_network, statement
from .model_errors import AskedModelError, ChosenModelError, choose_model_error

__all__ = ["NEEDS_FOR_RANKING", "RankedNetwork", "rank_network"]

#: What a connection for `rank_network` must have.
NEEDS_FOR_RANKING: Final = ("ligands_to_rank", "latest_edges", "networks")

#: Default number of joint draws: for networks with a covariance, and for those too large for one.
_DRAWS: Final = 10_000
_DRAWS_WITHOUT_COVARIANCE: Final = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class RankedNetwork:
    """Ranked ligands of the newest estimate version.

    Attributes
    ----------
    ligands : polars.DataFrame
        Columns kind, component, ligand, value_kcal_mol, uncertainty_kcal_mol, p_best, p_top, expected_rank,
        rank_low, rank_high, experiment_kcal_mol, experiment_uncertainty_kcal_mol; the best first. Each
        component is ranked on its own.
    top : int
        Number of ligands for `p_top`.
    max_standard_error : float
        Upper bound for the Monte Carlo standard error of a probability.
    n_without : int
        Number of ligands without a value, which are left out.
    model_errors : tuple of ChosenModelError
        One per kind and component; empty if no model error was drawn.
    """

    ligands: pl.DataFrame
    top: int
    max_standard_error: float
    n_without: int
    model_errors: tuple[ChosenModelError, ...] = ()


def rank_network(
    connection: Connection,
    network: str,
    *,
    top: int = 3,
    kind: str | None = None,
    n_draws: int | None = None,
    seed: int = 2019,
    model_error: AskedModelError = None,
) -> RankedNetwork:
    """Rank the ligands of a network by free energy, the lowest being the best.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    top : int
        Number of ligands for "the best few".
    kind : str, optional
        `binding`, `hydration` or `direct`.
    n_draws : int, optional
        Number of joint draws of all values; default: 10,000, or 2,000 for more than 1,000 ligands.
    seed : int
        Seed of the draws.
    model_error : "auto", float or None
        Error of the model relative to experiment, kcal/mol, drawn for every ligand: probabilities then refer to
        experiment. `auto` estimates it from assays of the network's ligands and from published benchmarks. By default,
        probabilities refer only to the computed free energies.

    Raises
    ------
    NotFoundError
        If no network has this ScopedKey.
    EstimationError
        If no ligand has a value with an uncertainty, or `auto` has no data.
    """
    bound = {"network": network, "kind": kind}
    rows = read_sql(connection, statement("ligands_to_rank"), bound)
    known = rows.filter(pl.col("value_kcal_mol").is_not_null() & pl.col("uncertainty_kcal_mol").is_not_null())
    if not len(known):
        require_known_network(connection, network)
        raise EstimationError(_nothing(network, rows), network=network)
    edges = ask_edges(connection, network=network, status="ok")
    parts, errors, chosen = [], [], []
    for (of_kind, _), group in known.group_by("kind", "component", maintain_order=True):
        covariance = _covariance(group)
        draws = n_draws or (_DRAWS_WITHOUT_COVARIANCE if covariance is None else _DRAWS)
        spread = _solve_again(edges.filter(pl.col("kind") == of_kind), group) if covariance is None else covariance
        values = np.full(len(spread.nodes) if isinstance(spread, NetworkEstimate) else len(group), np.nan)
        values[: len(group)] = group["value_kcal_mol"].to_numpy()
        beside = choose_model_error(model_error, group, covariance)
        error = None if beside is None else beside.error
        ranking = rank_nodes(values, spread, top=top, n_draws=draws, seed=seed, model_error=error)
        chosen.append(beside)
        parts.append(_with(group, ranking))
        errors.append(ranking.max_standard_error)
    ranked = pl.concat(parts).sort("kind", "component", "expected_rank", "ligand")
    drawn = tuple(one for one in chosen if one is not None)
    return RankedNetwork(ranked, top, max(errors), len(rows) - len(known), drawn)


def _nothing(network: str, rows: pl.DataFrame) -> str:
    if rows["value_kcal_mol"].count():
        why = "its results have no uncertainty, and there are no repeats to estimate one; run more repeats"
    else:
        why = (
            f"none has a value; run `alchemiscale-lake gather {network}`, and see `alchemiscale-lake status {network}` "
            "for its Tasks"
        )
    return f"no ligand of {network} can be ranked: {why}"


def _covariance(group: pl.DataFrame) -> NDArray[np.float64] | None:
    """Return the covariance of a component's ligands, if stored."""
    kept = group["covariance_kcal2_mol2"]
    if kept.null_count():
        return None
    return np.array(kept.to_list(), dtype=np.float64)[:, group["node"].to_numpy()]


def _solve_again(edges: pl.DataFrame, group: pl.DataFrame) -> NetworkEstimate:
    """Solve the component again from its edges, since a ranking needs the covariance, which is not stored.

    Nodes that represent no ligand come after the ligands.
    """
    ligands: list[Hashable] = group["ligand"].to_list()
    absent: list[Hashable] = sorted(end for end in {*edges["ligand_i"], *edges["ligand_j"]} if is_absent(end))
    ends = [*ligands, *absent]
    inside = edges.filter(
        pl.col("ligand_i").is_in(ends) & pl.col("ligand_j").is_in(ends) & pl.col("uncertainty_kcal_mol").is_not_null()
    )
    columns = ("ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol")
    ends_and_numbers = (inside[name].to_list() for name in columns)
    return solve_network(*ends_and_numbers, nodes=ends, covariance=False, references=absent)


def _with(group: pl.DataFrame, ranking: Ranking) -> pl.DataFrame:
    return group.select(
        "kind",
        "component",
        "ligand",
        "value_kcal_mol",
        "uncertainty_kcal_mol",
        p_best=ranking.p_best[: len(group)],
        p_top=ranking.p_top[: len(group)],
        expected_rank=ranking.expected_rank[: len(group)],
        rank_low=pl.Series(ranking.rank_low[: len(group)]).cast(pl.Int64),
        rank_high=pl.Series(ranking.rank_high[: len(group)]).cast(pl.Int64),
        experiment_kcal_mol="experiment_kcal_mol",
        experiment_uncertainty_kcal_mol="experiment_uncertainty_kcal_mol",
    )
