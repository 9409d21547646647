"""NetBFE: the A-optimal allocation of Li 2021, for edges, whatever they cost.

Minimises the mean variance of the ligands. A repeat of an edge is one Task of each of its legs; variances are the
sample variances so far (the median of the known ones before two results), and the next batch is optimised given what
exists. It has no model of variances, of costs, or of other goals: `optimal_design` has.

References
----------
Xu 2019, doi:10.1021/acs.jcim.9b00528; Li et al. 2021, doi:10.1021/acs.jctc.1c00703.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..estimators.design import goals
from ..estimators.design.design_network import DesignNetwork, design_network
from ..estimators.design.floors import required_repeats
from ..estimators.design.increments import add_repeats
from .base import Strategy, StrategySettings
from .edge_design import EdgeDesign, edge_design
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["NetBFE", "NetBFESettings"]

FloatArray = NDArray[np.float64]

#: Standard deviation of a leg before any has two results, kcal/mol.
_FIRST_GUESS = 0.15


class NetBFESettings(StrategySettings):
    """Settings of `NetBFE`."""

    max_repeats: int = Field(default=10, ge=1, description="Most results of one Transformation.")
    round_share: float = Field(
        default=0.5,
        gt=0,
        description="Tasks of a round, as a share of the Transformations, if the round sets no limit.",
    )


class NetBFE(Strategy[NetBFESettings]):
    """A-optimal allocation over edges."""

    settings_type = NetBFESettings
    weights_are_tasks = True
    looks_at = "network"

    def _propose(self, network: NetworkRows) -> Proposal:
        design = edge_design(network)
        keys = [row.key for row in network.transformations]
        if design is None:
            reason = "no Transformation contributes to a difference between two ligands"
            return Proposal(dict.fromkeys(keys, None), stop=reason)
        edges, count = _tied(design)
        tasks = network.max_tasks
        if tasks is None:
            tasks = max(1, round(self.settings.round_share * len(design.rows)))
        once, _ = required_repeats(edges, count, first_pass="all", bridge_repeats=1)
        more = once.copy()
        left = max(1, int(tasks / max(1.0, len(design.rows) / edges.n_edges))) - int(once.sum())
        if left > 0:
            weight = goals.mean_uncertainty(edges.n_nodes)
            most = np.full(edges.n_edges, self.settings.max_repeats)
            more += add_repeats(edges, count + once, weight, most_tasks=left, most_repeats=most).repeats
        weights: dict[str, float | None] = dict.fromkeys(keys, None)
        wanted = np.zeros(len(design.rows), dtype=np.int64)
        of_member = design.network.leg_edge[design.network.member_leg]
        np.maximum.at(wanted, design.network.member, (count + more)[of_member].astype(np.int64))
        for k, row in enumerate(design.rows):
            done = row.n_results >= self.settings.max_repeats
            weights[row.key] = (
                None if done else float(max(0, min(wanted[k], self.settings.max_repeats) - row.n_counted))
            )
        return Proposal(weights)


def _tied(design: EdgeDesign) -> tuple[DesignNetwork, FloatArray]:
    """Return a network in which a repeat is one of all legs of an edge, and the repeats so far."""
    network = design.network
    known = [np.var(row.values_kcal_mol, ddof=1) for row in design.rows if len(row.values_kcal_mol) > 1]
    usual = float(np.median(known)) if known else _FIRST_GUESS**2
    variance = np.array(
        [np.var(row.values_kcal_mol, ddof=1) if len(row.values_kcal_mol) > 1 else usual for row in design.rows]
    )
    # an exact agreement of repeats is chance
    variance = np.maximum(variance, 1e-4 * usual if usual > 0 else 1e-12)
    best = network.member[network.best_member()]
    total = np.bincount(network.leg_edge, variance[best], network.n_edges)
    count = np.full(network.n_edges, np.inf)
    of_leg = np.bincount(network.member_leg, design.counted[network.member], len(network.leg_edge))
    np.minimum.at(count, network.leg_edge, of_leg)
    tied = design_network(
        network.n_nodes,
        network.tail,
        network.head,
        variance=total,
        anchor_variance=network.anchor_variance,
        link_tail=network.link_tail,
        link_head=network.link_head,
        link_variance=network.link_variance,
    )
    return tied, count
