"""Estimates of ligands by the alternative models `robust` and `bayesian`, which are not stored.

Reads the newest edges and writes nothing. The models are `estimators.network.robust` and `estimators.network.bayesian`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from ..errors import EstimationError
from ..estimators.errors import EstimatorConvergenceError
from ..estimators.network.bayesian import solve_network_bayesian
from ..estimators.network.robust import solve_network_robust
from ..ids import ScopedKey
from ..networks.measures import is_absent
from ..plurals import count
from ..query import Connection, ask, ask_edges

__all__ = ["ASSAY_SD_KCAL_MOL", "Model", "ModelEstimates", "estimate_by_model"]

Model = Literal["mle", "robust", "bayesian"]

#: Default uncertainty of an assay: 0.3 logarithmic units of affinity at room temperature.
ASSAY_SD_KCAL_MOL: Final = 0.4
#: Edges with a weight below this fraction of a good edge's are listed.
_TRUSTED_LESS: Final = 0.5
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class ModelEstimates:
    """Estimates of ligands by another model.

    Attributes
    ----------
    ligands : polars.DataFrame
        Columns kind, ligand, value_kcal_mol, uncertainty_kcal_mol, experiment_kcal_mol; by kind and ligand.
    remarks : tuple of str
        What the model says about the edges and the experiment.
    """

    ligands: pl.DataFrame
    remarks: tuple[str, ...]


def estimate_by_model(connection: Connection, network: str, model: Model) -> ModelEstimates:
    """Estimate the ligands of a network from its newest edges by another model.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    model : {"robust", "bayesian"}
        Heavy-tailed edges (Student's t, 4 degrees of freedom); or experiment as a prior, which makes values
        absolute.

    Raises
    ------
    EstimationError
        If the network has no edge with a value and uncertainty, has no experiment although the model needs
        it, or the model does not converge.
    """
    ligands = ask(connection, "ligand_ranking", network=network)
    usable = (pl.col("status") == "ok") & pl.col("uncertainty_kcal_mol").is_not_null()
    edges = ask_edges(connection, network=network).filter(usable)
    if not len(edges):
        raise EstimationError(
            f"no edge of {network} has a value and an uncertainty yet; see `alchemiscale-lake status {network}`",
            network=network,
        )
    solve = _robust if model == "robust" else _bayesian
    rows: list[tuple[Any, ...]] = []
    remarks: list[str] = []
    for kind in edges["kind"].unique().sort().to_list():
        known = ligands.filter(pl.col("kind") == kind).sort("ligand")
        values, lines = solve(edges.filter(pl.col("kind") == kind), known, network)
        rows += [
            (kind, ligand, *values[ligand], experiment)
            for ligand, experiment in known.select("ligand", "experiment_kcal_mol").iter_rows()
            if ligand in values
        ]
        remarks += lines
    schema = {
        "kind": pl.String, "ligand": pl.String, "value_kcal_mol": pl.Float64, "uncertainty_kcal_mol": pl.Float64,
        "experiment_kcal_mol": pl.Float64,
    }  # fmt: skip
    return ModelEstimates(pl.DataFrame(rows, schema, orient="row"), tuple(remarks))


_Values = dict[str, tuple[float, float]]


def _columns(edges: pl.DataFrame) -> tuple[list[str], list[str], list[float], list[float]]:
    names = ("ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol")
    node_a, node_b, value, uncertainty = (edges[name].to_list() for name in names)
    return node_a, node_b, value, uncertainty


def _robust(edges: pl.DataFrame, ligands: pl.DataFrame, network: str) -> tuple[_Values, list[str]]:
    node_a, node_b, value, uncertainty = _columns(edges)
    measured = ligands.filter(pl.col("experiment_kcal_mol").is_not_null())
    experiment = dict(measured.select("ligand", "experiment_kcal_mol").iter_rows())
    try:
        found = solve_network_robust(
            node_a,
            node_b,
            value,
            uncertainty,
            experimental=experiment or None,
            references=[end for end in {*node_a, *node_b} if is_absent(end)],
        )
    except EstimatorConvergenceError as e:
        raise EstimationError(f"{network}: {e}", network=network) from e
    order = np.argsort(found.edge_weight)[:_MOST_NAMED]
    doubted = [k for k in order.tolist() if found.edge_weight[k] < _TRUSTED_LESS]
    named = ", ".join(f"{node_a[k]} -> {node_b[k]} ({found.edge_weight[k]:.2f})" for k in doubted)
    line = f"edges with reduced weight: {named}" if doubted else "no edge has a reduced weight"
    estimate = found.estimate
    return _finite(estimate.nodes, estimate.value_kcal_mol, estimate.uncertainty_kcal_mol), [line]


def _bayesian(edges: pl.DataFrame, ligands: pl.DataFrame, network: str) -> tuple[_Values, list[str]]:
    measured = ligands.filter(pl.col("experiment_kcal_mol").is_not_null())
    if not len(measured):
        raise EstimationError(
            f"no ligand of {network} has an experimental value, and this model needs one; import some with "
            f"`alchemiscale-lake assays FILE --scope {ScopedKey.from_str(network).scope}`",
            network=network,
        )
    unstated = measured["experiment_uncertainty_kcal_mol"].fill_null(0.0) <= 0
    sd = pl.when(unstated).then(ASSAY_SD_KCAL_MOL).otherwise(pl.col("experiment_uncertainty_kcal_mol"))
    rows = measured.with_columns(sd=sd).select("ligand", "experiment_kcal_mol", "sd").iter_rows()
    prior = {ligand: (mean, width) for ligand, mean, width in rows}
    # absolute results start from nothing, which is exactly zero
    prior |= {end: (0.0, 0.0) for end in {*edges["ligand_i"], *edges["ligand_j"]} if is_absent(end)}
    found = solve_network_bayesian(*_columns(edges), prior)
    lines = [
        f"{count(len(measured), 'measured ligand')} used as a prior, with the uncertainty of each; values are absolute"
    ]
    if unstated.any():
        lines.append(f"{int(unstated.sum())} of them have no uncertainty: {ASSAY_SD_KCAL_MOL:g} kcal/mol was assumed")
    return _finite(found.nodes, found.value_kcal_mol, found.uncertainty_kcal_mol), lines


def _finite(nodes: tuple[Any, ...], value: Any, uncertainty: Any) -> _Values:
    rows = zip(map(str, nodes), value.tolist(), uncertainty.tolist(), strict=True)
    return {node: (v, u) for node, v, u in rows if np.isfinite(v)}
