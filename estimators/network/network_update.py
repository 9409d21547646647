"""Update of a network estimate after a few edges changed, from its earlier solution.

Owns the low-rank correction from one state of a network to another: k changed pairs cost k solves with the eliminated
form instead of another elimination (Woodbury 1950; see Hager 1989, doi:10.1137/1031049). If that would not be exact or
not be faster, `network_mle` solves the network again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .network_changes import Changes, Growth, compare
from .network_estimate import NetworkEstimate, assemble
from .network_input import MeasuredNetwork, read_network
from .network_mle import MAX_COVARIANCE_NODES, solve_network
from .network_solution import NetworkSolution, Part

__all__ = ["UpdatedSolution", "update_network"]

#: With more changed pairs, the network is solved again: a correction costs their number times the network.
_MOST_PAIRS = 100
#: With uncertainties further apart, differences of numbers lose digits, and the network is solved again.
_NARROW = 1e3
#: A correction that amplifies rounding by more than this is rejected (for example, removal of an edge that connected
#: two parts).
_MOST_GROWTH = 1e6

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Correction:
    """Effect of k changed pairs on one component: ``C - response @ core @ response.T``."""

    part: int
    response: FloatArray  # (nodes, k), for all nodes, old and new; zero outside the component
    core: FloatArray  # (k, k)


@dataclass(frozen=True, slots=True, eq=False)
class UpdatedSolution:
    """A solution corrected for changed edges; attributes as in `network_estimate.Solution`.

    Attributes
    ----------
    component : ndarray, shape (n,)
        Component of each node.
    value : ndarray, shape (n,)
        kcal/mol.
    variance : ndarray, shape (n,)
        (kcal/mol)².
    edge_variance : ndarray, shape (m,)
        Of the differences along edges, (kcal/mol)².
    covariance : ndarray or None, shape (n, n)
        (kcal/mol)²; None if it was not asked for.
    base : NetworkSolution
        Solution before the change.
    growth : Growth
        Solution of `base` with nodes added.
    number : ndarray, shape (n,)
        Number of each node among those of `base` and the new ones.
    corrections : tuple of _Correction
        One per changed component.
    """

    component: IntArray
    value: FloatArray
    variance: FloatArray
    edge_variance: FloatArray
    covariance: FloatArray | None
    base: NetworkSolution
    growth: Growth
    number: IntArray  # (n,) number of each node among those of `base` and the new ones
    corrections: tuple[_Correction, ...]

    def pair_variances(self, tail: IntArray, head: IntArray) -> FloatArray:
        """Return variances of differences of pairs of nodes; see `network_solution.NetworkSolution`.

        Parameters
        ----------
        tail : ndarray, shape (k,)
            First nodes.
        head : ndarray, shape (k,)
            Second nodes.
        """
        column = np.repeat(np.arange(len(tail)), 2)
        sign = np.tile([-1.0, 1.0], len(tail))
        joined = self.component[tail] == self.component[head]
        result = self.contrast_variances(column, np.column_stack([tail, head]).ravel(), sign, len(tail))
        return np.where(joined, result, np.nan)

    def contrast_variances(
        self, column: IntArray, node: IntArray, coefficient: FloatArray, n_columns: int
    ) -> FloatArray:
        """Return variances of contrasts given as sparse columns; see `network_solution.NetworkSolution`.

        Parameters
        ----------
        column : ndarray, shape (k,)
            Contrast of each entry.
        node : ndarray, shape (k,)
            Node of each entry.
        coefficient : ndarray, shape (k,)
            Coefficient of each entry.
        n_columns : int
            Number of contrasts.
        """
        number = self.number[node]
        result = self.base.contrast_variances(column, self.growth.root[number], coefficient, n_columns)
        fresh = number >= self.growth.n_old
        noise = np.zeros((self.growth.n_new, n_columns))
        np.add.at(noise, (number[fresh] - self.growth.n_old, column[fresh]), coefficient[fresh])
        result += (noise * (self.growth.covariance @ noise)).sum(axis=0)
        for correction in self.corrections:
            seen = np.zeros((n_columns, correction.response.shape[1]))
            np.add.at(seen, column, coefficient[:, None] * correction.response[number])
            result -= ((seen @ correction.core) * seen).sum(axis=1)
        return np.maximum(result, 0.0)


def update_network(
    previous: NetworkEstimate,
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    *,
    nodes: Sequence[Hashable] | None = None,
    experimental: Mapping[Hashable, float] | None = None,
) -> NetworkEstimate:
    """Update the estimate of a network from the estimate of an earlier state.

    Takes the whole current network and determines what changed. The result equals that of `solve_network`, up to
    rounding. A few edges with new numbers, new edges, removed edges, and new nodes are handled by corrections;
    everything else (removed nodes, components that merge or split, edges of zero uncertainty, uncertainties more
    than three decades apart, too many changes at once) is solved again.

    Parameters
    ----------
    previous : NetworkEstimate
        An estimate by `solve_network` or by this function. Corrections do not accumulate: each starts from the last
        full solution.
    node_a, node_b, value, uncertainty, nodes, experimental
        As in `estimators.network.network_mle.solve_network`.

    Returns
    -------
    NetworkEstimate
        With a full covariance if `previous` has one.

    Raises
    ------
    EstimatorInputError
        As `solve_network`.
    """
    network = read_network(node_a, node_b, value, uncertainty, nodes)
    base = previous.solution.base if isinstance(previous.solution, UpdatedSolution) else previous.solution
    full = previous.covariance is not None
    solution = None
    if isinstance(base, NetworkSolution) and _narrow(base.network, network):
        solution = _correct(base, network, full=full)
    if solution is None:
        return solve_network(
            node_a, node_b, value, uncertainty, nodes=nodes, experimental=experimental, covariance=full
        )
    omitted = full and network.n_nodes > MAX_COVARIANCE_NODES
    return assemble(network, solution, experimental, covariance_omitted=omitted)


def _narrow(*networks: MeasuredNetwork) -> bool:
    """Return whether the uncertainties of some networks are within a few decades, apart from exact edges."""
    sd = np.concatenate([network.uncertainty[network.used] for network in networks])
    sd = sd[sd > 0.0]
    return not len(sd) or bool(sd.max() <= _NARROW * sd.min())


def _correct(base: NetworkSolution, network: MeasuredNetwork, *, full: bool) -> UpdatedSolution | None:
    """Return the corrected solution, or None if a full one is required."""
    changes = compare(base, network)
    if changes is None or len(changes.weight) > _MOST_PAIRS or (full and base.covariance is None):
        return None
    growth = changes.growth
    state = _State.of(base, growth)
    corrections = []
    touched = np.unique(np.concatenate([changes.part, growth.part]))
    for number in touched.tolist():
        correction = _correct_part(base.parts[number], number, changes, state)
        if correction is None:
            return None
        corrections.append(correction)
    along = np.zeros(len(network.value))
    along[changes.kept] = base.edge_variance[changes.kept_as]
    fresh = np.setdiff1d(network.used, changes.kept)
    tail, head = changes.number[network.tail], changes.number[network.head]
    column = np.repeat(np.arange(len(fresh)), 2)
    ends = np.column_stack([tail[fresh], head[fresh]]).ravel()
    sign = np.tile([-1.0, 1.0], len(fresh))
    unchanged = UpdatedSolution(
        base.component, base.value, base.variance, along, None, base, growth, np.arange(growth.n_old + growth.n_new), ()
    )
    along[fresh] = unchanged.contrast_variances(column, ends, sign, len(fresh))
    for correction in corrections:
        apart = correction.response[head] - correction.response[tail]
        along -= ((apart @ correction.core) * apart).sum(axis=1)
    number = changes.number
    _, first, component = np.unique(state.component[number], return_index=True, return_inverse=True)
    return UpdatedSolution(
        component=np.argsort(np.argsort(first))[component],
        value=state.value[number],
        variance=np.maximum(state.variance[number], 0.0),
        edge_variance=np.maximum(along, 0.0),
        covariance=None if not full or state.covariance is None else state.covariance[np.ix_(number, number)],
        base=base,
        growth=growth,
        number=number,
        corrections=tuple(corrections),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Numbers of old and new nodes, updated as components are corrected."""

    component: IntArray
    value: FloatArray
    variance: FloatArray
    covariance: FloatArray | None

    @classmethod
    def of(cls, base: NetworkSolution, growth: Growth) -> _State:
        """Return the state in which each new node is attached only to its anchor."""
        new = slice(growth.n_old, None)
        variance = base.variance[growth.root]
        variance[new] += np.diag(growth.covariance)
        matrix = None
        if base.covariance is not None:
            matrix = base.covariance[np.ix_(growth.root, growth.root)]
            matrix[new, new] += growth.covariance
        value = base.value[growth.root]
        value[new] += growth.value
        return cls(base.component[growth.root], value, variance, matrix)


def _correct_part(part: Part, number: int, changes: Changes, state: _State) -> _Correction | None:
    """Correct the numbers of one component in `state`; return None if its correction would lose digits."""
    growth = changes.growth
    mine = np.flatnonzero(changes.part == number)
    size = growth.n_old + growth.n_new
    members = np.flatnonzero(state.component == number)
    pairs = np.zeros((size, len(mine)))
    pairs[changes.tail[mine], np.arange(len(mine))] = -1.0
    pairs[changes.head[mine], np.arange(len(mine))] = 1.0
    everyone = np.zeros((size, 1))
    everyone[members] = 1.0
    product = growth.covariance_times(part, np.hstack([pairs, everyone]))
    response, drift = product[:, :-1], product[:, -1]
    among = pairs.T @ response
    scale = np.sqrt(np.abs(changes.weight[mine]))
    known = scale[:, None] * among * scale
    inner = known + np.diag(np.where(changes.weight[mine] < 0.0, -1.0, 1.0))
    inverse = _inverse(inner, 1.0 + float(np.abs(known).sum(axis=1).max(initial=0.0)))
    if inverse is None:
        return None
    core = scale[:, None] * inverse * scale
    # Moments at the earlier values: the imbalance caused by the change.
    steps = state.value[changes.head[mine]] - state.value[changes.tail[mine]]
    pull = changes.moment[mine] - changes.weight[mine] * steps
    state.value[:] += response @ (pull - core @ (among @ pull))
    state.value[members] -= state.value[members].mean()
    state.variance[:] -= ((response @ core) * response).sum(axis=1)
    drift = (drift - response @ (core @ response.sum(axis=0))) / len(members)
    half = np.zeros(size)
    half[members] = drift[members] - 0.5 * drift[members].mean()
    state.variance[:] -= 2.0 * half
    if state.covariance is not None:
        state.covariance[:] -= response @ core @ response.T
        state.covariance[np.ix_(members, members)] -= np.add.outer(half[members], half[members])
    return _Correction(number, response, core)


def _inverse(matrix: FloatArray, size: float) -> FloatArray | None:
    """Return the inverse of a sum of terms of this size; None if it would amplify their rounding too much."""
    try:
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    grown = float(np.abs(inverse).sum(axis=1).max(initial=0.0)) * size
    return inverse if grown < _MOST_GROWTH else None
