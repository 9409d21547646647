"""Exact edges: nodes connected by measurements without uncertainty become one rigid group.

Owns the contraction of zero-uncertainty edges and the offsets inside the groups. `network_mle` estimates between the
groups.

An exact edge has no finite weight, so it is removed from the likelihood and becomes a constraint. If exact edges
around a cycle contradict each other, no free energies satisfy them all; the offsets are then the limit of equal,
vanishing uncertainties, that is least squares with equal weights inside the group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..laplacian.elimination import eliminate
from .partition import label_components, rank_within, split

__all__ = ["RigidGroups", "contract"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RigidGroups:
    """n nodes sorted into rigid groups.

    Attributes
    ----------
    group : ndarray of int, shape (n,)
        Group of each node, numbered by first appearance.
    offset : ndarray, shape (n,)
        Value of each node minus that of the first node of its group.
    """

    group: IntArray
    offset: FloatArray


def contract(n_nodes: int, tail: IntArray, head: IntArray, value: FloatArray) -> RigidGroups:
    """Contract exact edges into rigid groups.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of the exact edges, ``tail != head``.
    value : ndarray, shape (m,)
        ``f[head] - f[tail]``.

    Returns
    -------
    RigidGroups
        A node without exact edges is a group of its own, with offset zero.
    """
    if not len(tail):
        return RigidGroups(np.arange(n_nodes), np.zeros(n_nodes))
    group = label_components(n_nodes, tail, head)
    n_groups = int(group.max(initial=-1)) + 1
    members = split(group, n_groups)
    place = rank_within(members, n_nodes)
    offset = np.zeros(n_nodes)
    for inside, nodes in zip(split(group[tail], n_groups), members, strict=True):
        if len(inside):
            weight = np.ones(len(inside))
            solved = eliminate(len(nodes), place[tail[inside]], place[head[inside]], weight, value[inside])
            potentials = solved.potentials()
            offset[nodes] = potentials - potentials[0]
    return RigidGroups(group, offset)
