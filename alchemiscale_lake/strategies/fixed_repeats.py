"""The same number of results for every Transformation: what a plain campaign does."""

from __future__ import annotations

from pydantic import Field

from .base import Strategy, StrategySettings
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["FixedRepeats", "FixedRepeatsSettings"]


class FixedRepeatsSettings(StrategySettings):
    """Settings of `FixedRepeats`."""

    repeats: int = Field(default=3, ge=1, description="Results that every Transformation gets.")


class FixedRepeats(Strategy[FixedRepeatsSettings]):
    """Asks for what each Transformation lacks; its weight is that number."""

    settings_type = FixedRepeatsSettings
    weights_are_tasks = True

    def _propose(self, network: NetworkRows) -> Proposal:
        wanted = self.settings.repeats
        weights = {
            row.key: None if row.n_results >= wanted else float(max(0, wanted - row.n_counted))
            for row in network.transformations
        }
        reasons = {row.key: f"{row.n_counted}/{wanted} results exist or run" for row in network.transformations}
        return Proposal(weights, reasons)
