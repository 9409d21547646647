"""Covariance of the nodes for given precisions of the edges.

Owns the dense inverse, component by component. Links are among the
edges that connect a component. A component without anchors and absolute edges is relative to the mean
of its nodes: its covariance is ``(L + J / n)^-1 - J / n``, with L the weighted Laplacian and J all ones. One with them
is on their absolute scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from ..errors import EstimatorConvergenceError
from ..network.partition import label_components, split
from .design_network import DesignNetwork

__all__ = ["Components", "components_of", "design_covariance", "solve_values"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Connected components of a network through some of its edges.

    Attributes
    ----------
    label : ndarray of int, shape (n,)
        The component of each node.
    parts : list of ndarray of int
        Nodes of each component.
    anchored : list of bool
        Whether each component is on an absolute scale.
    """

    label: IntArray
    parts: list[IntArray]
    anchored: list[bool]


def components_of(network: DesignNetwork, used: NDArray[np.bool_] | None = None) -> Components:
    """Return the components through the used edges, and all links.

    Parameters
    ----------
    network : DesignNetwork
    used : ndarray of bool, shape (m,), optional
        Edges that count; all by default.
    """
    counted = np.ones(network.n_edges, dtype=np.bool_) if used is None else used
    pair = counted & (network.tail >= 0)
    tail = np.concatenate([network.tail[pair], network.link_tail])
    label = label_components(network.n_nodes, tail, np.concatenate([network.head[pair], network.link_head]))
    parts = split(label, int(label.max()) + 1 if len(label) else 0)
    fixed = np.isfinite(network.anchor_variance)
    fixed[network.head[counted & (network.tail < 0)]] = True
    return Components(label, parts, [bool(fixed[part].any()) for part in parts])


def design_covariance(
    network: DesignNetwork, edge_precision: FloatArray, components: Components | None = None
) -> FloatArray:
    """Return the covariance of the nodes, shape (n, n); zero between components.

    Parameters
    ----------
    network : DesignNetwork
    edge_precision : ndarray, shape (m,)
        Inverse variance of each edge; zero if it is not measured.
    components : Components, optional
        The components through the edges of positive precision, if known.

    Raises
    ------
    EstimatorConvergenceError
        If precisions are so far apart that the inverse does not exist in double precision.
    """
    found = components_of(network, edge_precision > 0) if components is None else components
    information = _information(network, edge_precision)
    if len(found.parts) == 1:
        return _inverse(information, found.anchored[0])
    covariance = np.zeros_like(information)
    for part, anchored in zip(found.parts, found.anchored, strict=True):
        block = np.ix_(part, part)
        covariance[block] = _inverse(information[block], anchored)
    return covariance


def solve_values(
    network: DesignNetwork,
    edge_value: FloatArray,
    edge_precision: FloatArray,
    anchor_value: FloatArray,
    link_value: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, Components]:
    """Return maximum-likelihood values of the nodes, shape (n,), their covariance, and the components.

    Parameters
    ----------
    network : DesignNetwork
    edge_value : ndarray, shape (m,)
        Measured head minus tail, kcal/mol; ignored where the precision is zero.
    edge_precision : ndarray, shape (m,)
        Inverse variance of each edge.
    anchor_value : ndarray, shape (n,)
        Values of anchored nodes; ignored elsewhere.
    link_value : ndarray, shape (k,), optional
        Declared head minus tail of each link, kcal/mol; zero by default.
    """
    components = components_of(network, edge_precision > 0)
    covariance = design_covariance(network, edge_precision, components)
    flow = np.where(edge_precision > 0, edge_precision * edge_value, 0.0)
    declared = np.zeros(len(network.link_variance)) if link_value is None else link_value / network.link_variance
    tail, head = np.append(network.tail, network.link_tail), np.append(network.head, network.link_head)
    flow, pair = np.append(flow, declared), tail >= 0
    pull = np.asarray(np.bincount(head, flow, network.n_nodes), dtype=np.float64)
    pull -= np.bincount(tail[pair], flow[pair], network.n_nodes)
    known = np.isfinite(network.anchor_variance)
    pull[known] += anchor_value[known] / network.anchor_variance[known]
    return covariance @ pull, covariance, components


def _information(network: DesignNetwork, edge_precision: FloatArray) -> FloatArray:
    n = network.n_nodes
    pair = network.tail >= 0
    tail = np.concatenate([network.tail[pair], network.link_tail])
    head = np.concatenate([network.head[pair], network.link_head])
    weight = np.concatenate([edge_precision[pair], 1.0 / network.link_variance])
    off: FloatArray = np.asarray(np.bincount(tail * n + head, weight, n * n), dtype=np.float64).reshape(n, n)
    information: FloatArray = -(off + off.T)
    np.fill_diagonal(information, 0.0)
    loops = tail == head
    diagonal: FloatArray = np.asarray(1.0 / network.anchor_variance, dtype=np.float64)
    diagonal += np.bincount(tail[~loops], weight[~loops], n) + np.bincount(head[~loops], weight[~loops], n)
    diagonal += np.bincount(network.head[~pair], edge_precision[~pair], n)
    information[np.diag_indices(n)] = diagonal
    return information


def _inverse(information: FloatArray, anchored: bool) -> FloatArray:
    n = len(information)
    if n == 1 and not anchored:
        return np.zeros((1, 1))
    shift = 0.0 if anchored else float(np.trace(information)) / n**2
    factor, failed = lapack.dpotrf(information + shift, lower=0, clean=0)
    if failed:
        raise EstimatorConvergenceError(
            f"the precisions of {n} connected nodes are too far apart for an allocation; "
            "exclude edges that are almost exact, or give them a larger variance"
        )
    upper, _ = lapack.dpotri(factor, lower=0)
    inverse: FloatArray = np.asarray(np.triu(upper), dtype=np.float64)
    inverse += np.triu(upper, 1).T
    if not anchored:
        inverse -= 1.0 / (shift * n**2)
    return inverse
