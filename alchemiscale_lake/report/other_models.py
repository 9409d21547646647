"""Table of ligand estimates by the alternative models, which `estimates.other_models` computes."""

from __future__ import annotations

from typing import Final

from ..estimates.other_models import Model, estimate_by_model
from ..query import Connection
from .digits import EXPERIMENT_DECIMALS
from .table import Table
from .tables import EstimateTable

__all__ = ["model_table"]

_VALUE: Final = "DG (kcal/mol)"
_UNCERTAINTY: Final = "uncertainty (kcal/mol)"
_EXPERIMENT: Final = "experiment (kcal/mol)"


def model_table(connection: Connection, network: str, model: Model) -> EstimateTable:
    """Build a table with one row per ligand, estimated from the newest edges by another model.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    model : {"robust", "bayesian"}
        As in `estimates.other_models.estimate_by_model`.
    """
    found = estimate_by_model(connection, network, model)
    several = found.ligands["kind"].n_unique() > 1
    columns = (*(("kind",) if several else ()), "ligand", _VALUE, _UNCERTAINTY, _EXPERIMENT)
    rows = [row if several else row[1:] for row in found.ligands.iter_rows()]
    table = Table(columns, rows, precision_of={_VALUE: _UNCERTAINTY}, decimals={_EXPERIMENT: EXPERIMENT_DECIMALS})
    remarks = (*found.remarks, "nothing was stored: stored estimates use maximum likelihood")
    return EstimateTable(table, "ligand", 0, remarks)
