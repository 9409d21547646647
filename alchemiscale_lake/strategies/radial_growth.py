"""From the centre of the network outwards: stratocaster's RadialGrowthStrategy, to the last digit.

The distance of a Transformation is the larger eccentricity of its two ChemicalSystems minus the lowest completed one.
That starts at the largest eccentricity and, in the order of the Transformations, drops to the lower end of one without
result whose upper end is below it; so it can depend on the order, which is that of the keys here.

Once outer Transformations have results, the distance of inner ones is negative, and the factor
``decay_distance_rate ** (distance - 1)`` exceeds one: ``0.5 ** -3 = 8`` at distance -2. stratocaster does the same, so
inner Transformations are repeated before outer ones then.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from .base import Strategy, StrategySettings
from .proposal import Proposal
from .state_graph import eccentricities
from .strategy_rows import NetworkRows, TransformationRow

__all__ = ["RadialGrowth", "RadialGrowthSettings"]


class RadialGrowthSettings(StrategySettings):
    """Settings of `RadialGrowth`, with stratocaster's names."""

    max_runs: int = Field(default=3, ge=1, description="Results after which a Transformation is finished.")
    candidacy_max_distance: int = Field(
        default=1, ge=1, description="Transformations further from the completed ones wait."
    )
    decay_repeat_rate: float = Field(default=0.5, gt=0, lt=1, description="Factor of the weight per result.")
    decay_distance_rate: float = Field(default=0.5, gt=0, lt=1, description="Factor of the weight per distance.")


class RadialGrowth(Strategy[RadialGrowthSettings]):
    """Completes the centre of each connected subgraph before its periphery."""

    settings_type = RadialGrowthSettings

    def _propose(self, network: NetworkRows) -> Proposal:
        settings, rows = self.settings, network.transformations
        eccentricity = eccentricities(rows)
        lowest = _lowest_completed(rows, eccentricity)
        weights: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row in rows:
            distance = max(eccentricity[row.state_a], eccentricity[row.state_b]) - lowest
            if row.n_results >= settings.max_runs:
                weights[row.key] = None
            elif distance > settings.candidacy_max_distance or row.n_counted >= settings.max_runs:
                weights[row.key] = 0.0
            else:
                factor = 1.0 if distance == 0 else settings.decay_distance_rate ** (distance - 1)
                weights[row.key] = settings.decay_repeat_rate**row.n_counted * factor
            reasons[row.key] = f"distance {distance} from what is completed; {row.n_counted} results or Tasks"
        return Proposal(weights, reasons)


def _lowest_completed(rows: Sequence[TransformationRow], eccentricity: dict[str, int]) -> int:
    lowest = max(eccentricity.values())
    for row in rows:
        ends = eccentricity[row.state_a], eccentricity[row.state_b]
        # a Task in flight does not complete anything
        if row.n_results == 0 and max(ends) < lowest:
            lowest = min(ends)
    return lowest
