"""Every Transformation until its own mean is certain enough.

The uncertainty of a mean is that of `estimators.design.variance_model`: its scatter, shrunk towards that of similar
Transformations. The weight is the number of results that are predicted to be missing. Whether the answer needs that
certainty is not asked; `optimal_design` does.
"""

from __future__ import annotations

import math

from pydantic import Field

from ..estimators.design.variance_model import fit_variances
from .base import Strategy, StrategySettings
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["UncertaintyTarget", "UncertaintyTargetSettings"]


class UncertaintyTargetSettings(StrategySettings):
    """Settings of `UncertaintyTarget`."""

    target_kcal_mol: float = Field(default=0.15, gt=0, description="Uncertainty of the mean of a Transformation.")
    min_results: int = Field(default=2, ge=1, description="Results that every Transformation gets.")
    max_results: int = Field(default=10, ge=1, description="Results after which a Transformation is finished.")


class UncertaintyTarget(Strategy[UncertaintyTargetSettings]):
    """Repeats each Transformation until the uncertainty of its mean is within a target."""

    settings_type = UncertaintyTargetSettings
    weights_are_tasks = True
    looks_at = "network"

    def _propose(self, network: NetworkRows) -> Proposal:
        settings, rows = self.settings, network.transformations
        groups = sorted({(row.protocol, row.phase) for row in rows})
        means = [sum(row.values_kcal_mol) / max(1, len(row.values_kcal_mol)) for row in rows]
        squares = [
            sum((value - mean) ** 2 for value in row.values_kcal_mol) for row, mean in zip(rows, means, strict=True)
        ]
        stated = [math.nan if row.own_uncertainty_kcal_mol is None else row.own_uncertainty_kcal_mol**2 for row in rows]
        of = [groups.index((row.protocol, row.phase)) for row in rows]
        model = fit_variances([len(row.values_kcal_mol) for row in rows], squares, stated_variance=stated, group=of)
        weights: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row, variance in zip(rows, model.variance.tolist(), strict=True):
            enough = math.ceil(variance / settings.target_kcal_mol**2 - 1e-9)
            wanted = min(settings.max_results, max(settings.min_results, enough))
            weights[row.key] = None if row.n_results >= wanted else float(max(0, wanted - row.n_counted))
            sd = math.sqrt(variance)
            reasons[row.key] = f"one result has {sd:.2f} kcal/mol: {wanted} are wanted, {row.n_counted} exist or run"
        return Proposal(weights, reasons)
