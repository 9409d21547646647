"""Closures of the independent cycles of a network's newest edges.

All of them, for plots; `network_findings` keeps the least probable ones. Cycles are found and judged in
`estimators.network.cycle_closure`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..estimators.network.cycle_closure import close_cycles
from ..estimators.statistics.error_curves import CumulativeShare, cumulative_share, expected_share
from ..query import Connection, ask_edges

__all__ = ["closure_share", "cycle_closures"]

#: Points of the curve of expected closures, and how far it goes: in largest uncertainties.
_N_POINTS: Final = 200
_UP_TO_SIGMAS: Final = 2.5

_SCHEMA: Final[pl.Schema] = pl.Schema(
    {
        "kind": pl.String(),
        "cycle": pl.List(pl.String()),
        "closure_kcal_mol": pl.Float64(),
        "uncertainty_kcal_mol": pl.Float64(),
    }
)


def cycle_closures(connection: Connection, network: str) -> pl.DataFrame:
    """Return the independent cycles of a network, least probable first.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.

    Returns
    -------
    polars.DataFrame
        Columns kind, cycle (its ligands in order), closure_kcal_mol (sum of the differences around it) and
        uncertainty_kcal_mol (its standard error).
    """
    edges = ask_edges(connection, network=network, status="ok")
    edges = edges.filter(pl.col("uncertainty_kcal_mol") > 0)
    rows = []
    for (kind,), own in edges.group_by("kind", maintain_order=True):
        ends = own["ligand_i"].to_list(), own["ligand_j"].to_list()
        found = close_cycles(*ends, own["value_kcal_mol"].to_numpy(), own["uncertainty_kcal_mol"].to_numpy())
        for one in found:
            rows.append((kind, [str(node) for node in one.subject], one.value_kcal_mol, one.uncertainty_kcal_mol))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def closure_share(
    closures: pl.DataFrame,
) -> tuple[CumulativeShare, NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of cycles closes within so much, and which share should by their uncertainties.

    Parameters
    ----------
    closures : polars.DataFrame
        At least one row of `cycle_closures`, of one kind.

    Returns
    -------
    tuple of CumulativeShare, ndarray and ndarray
        As observed; sizes, kcal/mol; expected share at these sizes.
    """
    observed = cumulative_share(closures["closure_kcal_mol"].to_numpy())
    uncertainty = closures["uncertainty_kcal_mol"].to_numpy()
    sizes = np.linspace(0.0, max(float(observed.size[-1]), _UP_TO_SIGMAS * float(uncertainty.max())), _N_POINTS)
    return observed, sizes, expected_share(sizes, uncertainty)
