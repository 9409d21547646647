"""Baselines for Strategies: an oracle, a knowledge gradient, and a design in the manner of RAGE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alchemiscale_lake.estimators.design import goals
from alchemiscale_lake.estimators.design.design_covariance import Components, components_of, design_covariance
from alchemiscale_lake.estimators.design.increments import add_repeats
from alchemiscale_lake.strategies import NetworkRows, Proposal, Strategy, StrategySettings
from alchemiscale_lake.strategies.edge_design import EdgeDesign, edge_design

from .replay import GRID, design_of, wanted
from .replay_networks import ReplayNetwork

__all__ = ["KnowledgeGradient", "Rage", "oracle_counts"]

FloatArray = NDArray[np.float64]


def oracle_counts(network: ReplayNetwork, *, top: bool) -> list[NDArray[np.int64]]:
    """Return the results of each leg, at every cost of the grid, of whoever knows variances and values.

    Parameters
    ----------
    network : ReplayNetwork
    top : bool
        Whether the goal is the top fifth; the mean uncertainty otherwise. It starts with one result of each leg.
    """
    design = design_of(network, network.sd**2)
    components = components_of(design)
    k = np.array([wanted(network)])
    total, found = float(network.hours.sum()), []
    for cost in GRID:
        # each budget has its own design, for the top with W at its own covariance
        count, left = np.ones(len(network.sd)), (cost - 1.0) * total
        for _ in range(8 if top else 1):
            if top:
                now = design_covariance(design, 1.0 / design.edge_variance(count))
                weight = goals.top_k(network.value, now, components, k)
                weight = goals.mix([(0.99, weight), (0.01, np.eye(len(now)))])
            else:
                weight = goals.mean_uncertainty(network.n_ligands)
            hours = left / (8 if top else 1)
            count = count + add_repeats(design, count, weight, budget=hours).repeats
        found.append(count.astype(np.int64))
    return found


class _OneStep(Strategy[StrategySettings]):
    """One result of every leg, then Tasks one by one, each by a score of edges; no end of its own."""

    settings_type = StrategySettings
    looks_at = "network"

    def _propose(self, network: NetworkRows) -> Proposal:
        design = edge_design(network)
        assert design is not None
        count = design.counted
        first = np.where(count == 0, 1, 0)
        repeats = first.copy()
        if not first.any():
            answer = design.answer()
            for _ in range(network.max_tasks or 1):
                leg = self._next(design, answer.value, answer.components, count + repeats)
                repeats[leg] += 1
        return Proposal({row.key: float(n) for row, n in zip(design.rows, repeats.tolist(), strict=True)})

    def _next(self, design: EdgeDesign, value: FloatArray, components: Components, count: FloatArray) -> int:
        raise NotImplementedError


class KnowledgeGradient(_OneStep):
    """Knowledge gradient for correlated beliefs (Frazier 2009), of the best ligand, per GPU-hour."""

    def _next(self, design: EdgeDesign, value: FloatArray, components: Components, count: FloatArray) -> int:
        network = design.network
        covariance = design_covariance(network, 1.0 / network.edge_variance(count), components)
        precision = network.leg_precision(count)
        best, best_rate = 0, -1.0
        for leg in range(network.n_calculations):
            edge = int(network.leg_edge[leg])
            # a result of one leg is a noisy result of the edge, as precise as the leg's mean becomes
            noise = float(network.variance[leg]) + 1.0 / float(precision[leg])
            b = covariance[:, network.head[edge]] - covariance[:, network.tail[edge]]
            r = float(b[network.head[edge]] - b[network.tail[edge]])
            rate = _expected_best(-value, b / np.sqrt(noise + r)) / float(network.cost[leg])
            if rate > best_rate:
                best, best_rate = leg, rate
        return best


def _expected_best(mean: FloatArray, slope: FloatArray) -> float:
    """Return E max(mean + slope Z) - max mean, for a standard normal Z, from the upper envelope of lines."""
    order = np.lexsort((mean, slope))
    a, b = mean[order], slope[order]
    keep = np.append(np.diff(b) > 1e-12, True)
    a, b = a[keep], b[keep]
    hull, cross = [0], [-np.inf]
    for k in range(1, len(a)):
        while True:
            at = (a[hull[-1]] - a[k]) / (b[k] - b[hull[-1]])
            if len(hull) > 1 and at <= cross[-1]:
                hull.pop()
                cross.pop()
            else:
                break
        hull.append(k)
        cross.append(at)
    gap = -np.abs(np.array(cross[1:]))
    step = np.diff(b[hull])
    return float((step * (gap * ndtr(gap) + np.exp(-0.5 * gap**2) / np.sqrt(2 * np.pi))).sum())


class Rage(_OneStep):
    """The least certain pair across the border of the top fifth first: max of variance over squared gap (Fiez 2019)."""

    def _next(self, design: EdgeDesign, value: FloatArray, components: Components, count: FloatArray) -> int:
        network = design.network
        covariance = design_covariance(network, 1.0 / network.edge_variance(count), components)
        n_top = max(1, int(np.ceil(0.2 * network.n_nodes - 1e-9)))
        order = np.argsort(value)
        inside, outside = order[:n_top], order[n_top:]
        gap = value[outside][None, :] - value[inside][:, None]
        diagonal = np.diag(covariance)
        square = diagonal[inside][:, None] + diagonal[outside][None, :] - 2 * covariance[np.ix_(inside, outside)]
        i, j = np.unravel_index(int(np.argmax(square / np.maximum(gap, 0.05) ** 2)), gap.shape)
        z = np.zeros(network.n_nodes)
        z[inside[i]], z[outside[j]] = 1.0, -1.0
        weight = goals.mix([(0.99, goals.contrast(z)), (0.01, np.eye(network.n_nodes))])
        return add_repeats(network, count, weight, most_tasks=1).moves[0][0]


Baseline = Callable[[], Strategy[Any]]
