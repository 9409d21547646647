"""Transformations between well-connected ChemicalSystems first: stratocaster's ConnectivityStrategy.

The weight is ``decay_rate ** n * (degree_a + degree_b) / 2``, with the degree of a ChemicalSystem counted over all ends
of Transformations. With Tasks in flight, n counts them too; without, weights equal stratocaster's, except that parallel
Transformations are distinct here, where stratocaster 0.2 gives only the first of them a weight.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import Strategy, StrategySettings
from .proposal import Proposal
from .state_graph import degrees
from .strategy_rows import NetworkRows, TransformationRow

__all__ = ["Connectivity", "ConnectivitySettings"]


class ConnectivitySettings(StrategySettings):
    """Settings of `Connectivity`, with stratocaster's names."""

    decay_rate: float = Field(default=0.5, gt=0, lt=1, description="Factor of the weight per result.")
    cutoff: float | None = Field(default=None, gt=0, description="A Transformation of smaller weight is finished.")
    max_runs: int | None = Field(default=3, ge=1, description="Results after which a Transformation is finished.")

    @model_validator(mode="after")
    def _ends(self) -> ConnectivitySettings:
        if self.cutoff is None and self.max_runs is None:
            raise ValueError("set max_runs or cutoff, or both; without them the Strategy never ends")
        return self


class Connectivity(Strategy[ConnectivitySettings]):
    """Prefers Transformations whose ChemicalSystems have many others."""

    settings_type = ConnectivitySettings

    def _propose(self, network: NetworkRows) -> Proposal:
        degree = degrees(network.transformations)
        weights: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row in network.transformations:
            ends = (degree[row.state_a] + degree[row.state_b]) / 2
            weights[row.key] = self._weight(row, ends)
            reasons[row.key] = f"its systems have {ends:g} Transformations on average; {row.n_counted} results or Tasks"
        return Proposal(weights, reasons)

    def _weight(self, row: TransformationRow, ends: float) -> float | None:
        most, cutoff, rate = self.settings.max_runs, self.settings.cutoff, self.settings.decay_rate
        if most is not None and row.n_results >= most:
            return None
        if cutoff is not None and rate**row.n_results * ends < cutoff:
            return None
        weight = rate**row.n_counted * ends
        full = (most is not None and row.n_counted >= most) or (cutoff is not None and weight < cutoff)
        return 0.0 if full else weight
