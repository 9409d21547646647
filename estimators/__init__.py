"""Estimators: arrays in, frozen results out. They depend on neither lakes nor engines.

Energies are in kcal/mol throughout.
"""

from __future__ import annotations

from estimators.bayesian import PosteriorEstimate, solve_network_bayesian
from estimators.edges import EdgeEstimate, Leg, assemble_edges, whole_edges
from estimators.errors import EstimatorConvergenceError, EstimatorInputError
from estimators.network_mle import ComponentEstimate, Contrasts, NetworkEstimate, solve_network
from estimators.network_update import update_network
from estimators.notes import Note
from estimators.performance import Performance, Statistic, assess
from estimators.replicates import ReplicateEstimate, combine
from estimators.robust import RobustEstimate, solve_network_robust

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
