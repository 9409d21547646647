"""Notes of a network estimate on its own input and solution.

Owns the wording and the codes; whether something happened is found in `network_input` and `network_mle`.

========================= =========================================================================
code                      what was done
========================= =========================================================================
``wide-uncertainties``    uncertainties span many decades; solved without subtraction, so all count
``exact-edges``           zero uncertainty: the two nodes are tied rigidly together
``exact-contradiction``   exact edges contradict each other around a cycle: least squares among them,
                          residuals left, chi-square infinite
``parallel-edges``        several edges of one pair, in either direction: each counts as a measurement
``self-loops``            edges from a node to itself carry no information and are left out
``isolated-nodes``        nodes without an edge have no estimate (NaN)
``disconnected``          several components, each with its own zero
``experiment-pinned``     experiment fixes the absolute scale of these nodes' components
``experiment-missing``    components without experiment stay relative, with mean zero
``experiment-unknown``    experimental values of labels that are not in the network
``covariance-omitted``    too many nodes for a full covariance; uncertainties are still given
``sampled-posterior``     heavy-tailed edges: uncertainties by draws of the posterior
``observed-information``  the same, two degrees of freedom or fewer: by the curvature of the likelihood
``expected-information``  the same, too many nodes for either: by its expectation
========================= =========================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..notes import Note
from .network_input import MeasuredNetwork

__all__ = ["describe"]

#: Uncertainties further apart than this are noted; a pseudo-inverse in double precision fails near it.
_WIDE_SHARE = 1e-6
#: Labels that are named one by one.
_NAMED = 5

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def describe(
    network: MeasuredNetwork,
    component: IntArray,
    *,
    contradicted: IntArray,
    worst_kcal_mol: float,
    pinned: BoolArray | None,
    experimental: Mapping[Hashable, float],
    covariance_omitted: bool,
) -> tuple[Note, ...]:
    """Gather the notes of one estimate.

    Parameters
    ----------
    network : MeasuredNetwork
        What was estimated from.
    component : ndarray of int, shape (n,)
        Component of each node.
    contradicted : ndarray of int
        Exact edges that could not be met, the worst by `worst_kcal_mol`.
    worst_kcal_mol : float
        See `contradicted`.
    pinned : ndarray of bool, shape (number of components,), or None
        Components with experiment; None if experiment was not asked for.
    experimental : mapping of label to float
        Experimental values given.
    covariance_omitted : bool
        Whether a covariance was asked for and not formed.

    Returns
    -------
    tuple of Note
        In the order: shape, uncertainties, experiment, covariance.
    """
    notes = [*_shape(network, component), *_uncertainties(network)]
    if len(contradicted):
        message = f"edges of zero uncertainty contradict each other by up to {worst_kcal_mol:.3g} kcal/mol"
        message += " after a least-squares fit"
        notes.append(Note("exact-contradiction", message, _plain(contradicted)))
    if pinned is not None:
        notes += _experiment(network, pinned[component], experimental)
    if covariance_omitted:
        message = f"no full covariance of {network.n_nodes} nodes was computed; uncertainties are available"
        notes.append(Note("covariance-omitted", message))
    return tuple(notes)


def _plain(numbers: IntArray) -> tuple[int, ...]:
    return tuple(numbers.tolist())


def _shape(network: MeasuredNetwork, component: IntArray) -> Iterator[Note]:
    """Self-loops, parallel edges, isolated nodes, components."""
    loops = np.flatnonzero(network.tail == network.head)
    if len(loops):
        message = f"edges that connect a node to itself were omitted: {len(loops)}"
        yield Note("self-loops", message, _plain(loops))
    parallel, n_against = network.parallel()
    if len(parallel):
        message = f"edges that share their pair of nodes with others: {len(parallel)}, {n_against} of them reversed"
        yield Note("parallel-edges", f"{message}; each counts as a separate measurement", _plain(parallel))
    touched = np.zeros(network.n_nodes, dtype=bool)
    touched[network.tail[network.used]] = touched[network.head[network.used]] = True
    alone = tuple(network.nodes[k] for k in np.flatnonzero(~touched))
    if alone:
        message = f"nodes without an edge to another node, and therefore without an estimate: {len(alone)}"
        yield Note("isolated-nodes", message, nodes=alone)
    n_connected = len(np.unique(component[touched]))
    if n_connected > 1:
        message = f"the network has {n_connected} components; values are comparable only within a component"
        yield Note("disconnected", message)


def _uncertainties(network: MeasuredNetwork) -> Iterator[Note]:
    """Exact edges and wide spreads."""
    exact = network.exact
    if len(exact):
        message = f"edges of zero uncertainty, which fix the differences of their nodes: {len(exact)}"
        yield Note("exact-edges", message, _plain(exact))
    inexact = np.setdiff1d(network.used, exact)
    spread = network.uncertainty[inexact]
    largest = spread.max(initial=0.0)
    narrow = inexact[spread < _WIDE_SHARE * largest]
    if len(narrow):
        message = f"uncertainties span {spread.min():.2g} to {largest:.2g} kcal/mol; solved without"
        yield Note("wide-uncertainties", f"{message} subtraction, to preserve precision", _plain(narrow))


def _experiment(network: MeasuredNetwork, pinned: BoolArray, experimental: Mapping[Hashable, float]) -> Iterator[Note]:
    """Yield notes on nodes on the scale of experiment, and on experiments without a node."""
    held = tuple(network.nodes[k] for k in np.flatnonzero(pinned))
    free = tuple(network.nodes[k] for k in np.flatnonzero(~pinned))
    if held:
        message = f"nodes on the absolute scale of experiment: {len(held)}"
        yield Note("experiment-pinned", message, nodes=held)
    if free:
        message = f"nodes in components without experiment, whose values are relative, with mean zero: {len(free)}"
        yield Note("experiment-missing", message, nodes=free)
    unknown = tuple(sorted(set(experimental).difference(network.nodes), key=str))
    if unknown:
        named = ", ".join(str(label) for label in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        message = f"experimental values with labels that are not in the network: {named}{more}"
        yield Note("experiment-unknown", message, nodes=unknown)
