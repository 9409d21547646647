"""Estimators: arrays in, frozen results out. They depend on neither lakes nor engines.

Energies are in kcal/mol throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .errors import EstimatorConvergenceError, EstimatorInputError
    from .network.bayesian import PosteriorEstimate, solve_network_bayesian
    from .network.edges import EdgeEstimate, Leg, assemble_edges, whole_edges
    from .network.network_mle import ComponentEstimate, Contrasts, NetworkEstimate, solve_network
    from .network.network_update import update_network
    from .network.replicates import ReplicateEstimate, combine
    from .network.robust import RobustEstimate, solve_network_robust
    from .notes import Note
    from .statistics.performance import Performance, Statistic, assess

__all__ = [
    "ComponentEstimate",
    "Contrasts",
    "EdgeEstimate",
    "EstimatorConvergenceError",
    "EstimatorInputError",
    "Leg",
    "NetworkEstimate",
    "Note",
    "Performance",
    "PosteriorEstimate",
    "ReplicateEstimate",
    "RobustEstimate",
    "Statistic",
    "assemble_edges",
    "assess",
    "combine",
    "solve_network",
    "solve_network_bayesian",
    "solve_network_robust",
    "update_network",
    "whole_edges",
]

__getattr__ = lazy_names(
    __name__,
    {
        "errors": ("EstimatorConvergenceError", "EstimatorInputError"),
        "network.bayesian": ("PosteriorEstimate", "solve_network_bayesian"),
        "network.edges": ("EdgeEstimate", "Leg", "assemble_edges", "whole_edges"),
        "network.network_mle": ("ComponentEstimate", "Contrasts", "NetworkEstimate", "solve_network"),
        "network.network_update": ("update_network",),
        "network.replicates": ("ReplicateEstimate", "combine"),
        "network.robust": ("RobustEstimate", "solve_network_robust"),
        "notes": ("Note",),
        "statistics.performance": ("Performance", "Statistic", "assess"),
    },
)
