"""Critical connections first: bridges, then Transformations at cut vertices, then the others.

If a bridge fails, a part of the network has no values; a bridge's error is that of every difference across it. Each
class waits until the one before has `first_repeats` results or Tasks of every Transformation. Within a class, the
weight is ``decay_rate ** n`` times the share of pairs of ChemicalSystems that the bridge separates, or the mean degree
of the two ChemicalSystems over the largest one. Connected subgraphs decide each by itself; a declared link is one of
the connections, and needs no Task.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from pydantic import Field

from .base import Strategy, StrategySettings
from .proposal import Proposal, union
from .state_graph import criticality_of, degrees, linked_states, parts_of
from .strategy_rows import NetworkRows, TransformationRow

__all__ = ["CriticalConnectivity", "CriticalConnectivitySettings"]

_CLASSES = ("a bridge", "at a system that others depend on", "in a cycle")


class CriticalConnectivitySettings(StrategySettings):
    """Settings of `CriticalConnectivity`."""

    max_runs: int = Field(default=3, ge=1, description="Results after which a Transformation is finished.")
    first_repeats: int = Field(
        default=1, ge=1, description="Results of every Transformation of a class before the next class."
    )
    decay_rate: float = Field(default=0.5, gt=0, lt=1, description="Factor of the weight per result.")


class CriticalConnectivity(Strategy[CriticalConnectivitySettings]):
    """Bridges and cut vertices before cycles."""

    settings_type = CriticalConnectivitySettings
    looks_at = "network"  # links join subgraphs

    def _propose(self, network: NetworkRows) -> Proposal:
        links = linked_states(network.transformations, network.links)
        parts = parts_of(network.transformations, links)
        return reduce(union, (self._of_part(part, links) for part in parts), Proposal({}))

    def _of_part(self, rows: Sequence[TransformationRow], links: Sequence[tuple[str, str]]) -> Proposal:
        settings = self.settings
        states, critical = criticality_of(rows, links)
        cut = {state for state, is_cut in zip(states, critical.cut.tolist(), strict=True) if is_cut}
        degree = degrees(rows)
        classes, urgency = [], []
        for row, bridge in zip(rows, critical.bridge.tolist(), strict=True):
            classes.append(0 if bridge else 1 if {row.state_a, row.state_b} & cut else 2)
            urgency.append((degree[row.state_a] + degree[row.state_b]) / (2 * max(degree.values())))
        n, pairs = len(states), len(states) * (len(states) - 1) / 2
        for k in np.flatnonzero(critical.bridge).tolist():
            beyond = int(critical.beyond[k])
            urgency[k] = beyond * (n - beyond) / pairs
        waiting = [
            of
            for row, of in zip(rows, classes, strict=True)
            if row.n_counted < settings.first_repeats and not row.frozen
        ]
        now = min(waiting, default=len(_CLASSES))
        weights: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row, of, share in zip(rows, classes, urgency, strict=True):
            reasons[row.key] = f"{_CLASSES[of]}; {row.n_counted} results or Tasks"
            if row.n_results >= settings.max_runs:
                weights[row.key] = None
            elif of > now or row.n_counted >= settings.max_runs:
                weights[row.key] = 0.0
            else:
                weights[row.key] = settings.decay_rate**row.n_counted * share
        return Proposal(weights, reasons)
