"""ProtocolResults made of numbers alone, for code that asks for gufe's class, such as stratocaster's Strategies.

No ProtocolDAGResult is read. The Protocol's own `gather` is in `results`. Importing this module imports gufe.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from .authoring import LakeProtocolResult, energy

__all__ = ["SummaryResult", "summary_result"]


class SummaryResult(LakeProtocolResult):
    """Values of the results of a Transformation, without their ProtocolDAGResults."""

    def get_estimate(self) -> Any:
        """Return the mean of the values, None without values."""
        values = self.data["values_kcal_mol"]
        return energy(statistics.fmean(values) if values else None)

    def get_uncertainty(self) -> Any:
        """Return the sample standard deviation of the values, as openfe 1.12's Protocols do.

        With a single value, it is the uncertainty that the result states; None without values.
        """
        values = self.data["values_kcal_mol"]
        return energy(statistics.stdev(values) if len(values) > 1 else self.data["own_uncertainty_kcal_mol"])


def summary_result(
    n_results: int, values_kcal_mol: Sequence[float] = (), own_uncertainty_kcal_mol: float | None = None
) -> SummaryResult:
    """Make a ProtocolResult of the numbers of a Transformation.

    Parameters
    ----------
    n_results : int
        ProtocolDAGResults that it stands for; some may have no value.
    values_kcal_mol : sequence of float, optional
        The estimate of each that has one.
    own_uncertainty_kcal_mol : float, optional
        Uncertainty that the results state themselves.
    """
    return SummaryResult(
        n_protocol_dag_results=n_results,
        values_kcal_mol=[float(value) for value in values_kcal_mol],
        own_uncertainty_kcal_mol=own_uncertainty_kcal_mol,
    )
