"""Transformations with good atom mappings first: their results scatter less and fail more rarely.

The weight is ``score ** power * decay_rate ** n``.
"""

from __future__ import annotations

from pydantic import Field

from .base import Strategy, StrategySettings
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["MappingScore", "MappingScoreSettings"]


class MappingScoreSettings(StrategySettings):
    """Settings of `MappingScore`."""

    max_runs: int = Field(default=3, ge=1, description="Results after which a Transformation is finished.")
    decay_rate: float = Field(default=0.5, gt=0, lt=1, description="Factor of the weight per result.")
    power: float = Field(default=1.0, gt=0, description="Exponent of the score; larger ones prefer good mappings more.")
    least_score: float = Field(default=0.05, gt=0, le=1, description="Lower scores count as this one.")
    unknown_score: float = Field(default=0.5, gt=0, le=1, description="Score of a Transformation that has none.")


class MappingScore(Strategy[MappingScoreSettings]):
    """Weights Transformations by the score of their atom mapping."""

    settings_type = MappingScoreSettings

    def _propose(self, network: NetworkRows) -> Proposal:
        settings = self.settings
        weights: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row in network.transformations:
            score = settings.unknown_score if row.score is None else max(settings.least_score, row.score)
            weight = score**settings.power * settings.decay_rate**row.n_counted
            done, full = row.n_results >= settings.max_runs, row.n_counted >= settings.max_runs
            weights[row.key] = None if done else 0.0 if full else weight
            known = "unknown" if row.score is None else f"{row.score:.2g}"
            reasons[row.key] = f"score {known}; {row.n_counted} results or Tasks"
        return Proposal(weights, reasons)
