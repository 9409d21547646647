"""Free energies of a whole network whose edges may be far off now and then: heavy-tailed measurements.

Owns the likelihood, its maximisation and its information; draws are `robust_draws`'. Everything else
is as in `network_mle`, whose estimate is the limit of many degrees of freedom.

Each edge is ``d ~ f_b - f_a + s t``, with t of Student's distribution with nu degrees of freedom. The
maximum is found by expectation maximisation: an edge whose residual is z of its standard errors counts
``(nu + 1) / (nu + z^2)`` times, until nothing moves.

References
----------
Lange, Little & Taylor 1989, "Robust statistical modeling using the t distribution",
doi:10.1080/01621459.1989.10478852.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack

from ..errors import EstimatorConvergenceError, EstimatorInputError
from ..notes import Note
from .absolute_scale import on_absolute_scale
from .network_estimate import NetworkEstimate, Solution, assemble
from .network_input import MeasuredNetwork, read_network
from .network_solution import NetworkSolution, solve_components
from .partition import label_components, split
from .rigid import contract
from .robust_draws import spread_around

__all__ = [
    "DEFAULT_DEGREES_OF_FREEDOM",
    "MAX_OBSERVED_NODES",
    "MAX_SAMPLED_NODES",
    "RobustEstimate",
    "solve_network_robust",
]

#: Four is the usual choice: three residuals of a standard error each weigh 5/4, one of five weighs 1/6.
DEFAULT_DEGREES_OF_FREEDOM = 4.0
#: Networks of more nodes get the expected information, which needs no draws and no dense matrix.
MAX_SAMPLED_NODES = 120
#: The same with two degrees of freedom and fewer, where the posterior need not have a spread.
MAX_OBSERVED_NODES = 4_000
_STEPS = 3

#: Values have come to rest when none moves by more than this share of the largest uncertainty.
_REST_SHARE = 1e-10

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class _NoMaximumError(Exception):
    """The values rest where the likelihood has no maximum: edges that contradict each other are equally credible."""


@dataclass(frozen=True, slots=True, eq=False)
class RobustEstimate:
    """A network estimated with heavy-tailed edges.

    Attributes
    ----------
    estimate : NetworkEstimate
        Values, uncertainties and the rest, as of `estimators.network.network_mle.solve_network`; its chi-square is
        that of the residuals by the edges' own uncertainties. The note ``sampled-posterior``,
        ``observed-information`` or ``expected-information`` says where the uncertainties come from.
    edge_weight : ndarray, shape (m,)
        How much each edge counted beside one that is Gaussian: below one for outliers, at most
        ``(nu + 1) / nu``. One for edges of zero uncertainty, which are constraints, and for self-loops.
    degrees_of_freedom : float
        nu.
    n_iterations : int
        Until the values came to rest.
    """

    estimate: NetworkEstimate
    edge_weight: FloatArray
    degrees_of_freedom: float
    n_iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class _DenseSolution:
    """A solution with its full covariance."""

    component: IntArray
    value: FloatArray
    variance: FloatArray
    edge_variance: FloatArray
    covariance: FloatArray

    def pair_variances(self, tail: IntArray, head: IntArray) -> FloatArray:
        """Return variances of differences of pairs of nodes; see `network_solution.NetworkSolution`."""
        variance = np.diag(self.covariance)
        known = np.where(self.component[tail] == self.component[head], 0.0, np.nan)
        result: FloatArray = known + np.maximum(
            variance[tail] + variance[head] - 2.0 * self.covariance[tail, head], 0.0
        )
        return result

    def contrast_variances(
        self, column: IntArray, node: IntArray, coefficient: FloatArray, n_columns: int
    ) -> FloatArray:
        """Variances of contrasts given as sparse columns; see `network_solution.NetworkSolution`."""
        contrasts = np.zeros((n_columns, len(self.value)))
        np.add.at(contrasts, (column, node), coefficient)
        known = np.isfinite(self.value)
        inside = contrasts[:, known]
        result: FloatArray = ((inside @ self.covariance[np.ix_(known, known)]) * inside).sum(axis=1)
        result = np.maximum(result, 0.0)
        result[(contrasts[:, ~known] != 0.0).any(axis=1)] = np.nan
        return result


def solve_network_robust(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    *,
    degrees_of_freedom: float = DEFAULT_DEGREES_OF_FREEDOM,
    nodes: Sequence[Hashable] | None = None,
    experimental: Mapping[Hashable, float] | None = None,
    references: Collection[Hashable] = (),
    max_iterations: int = 1000,
) -> RobustEstimate:
    """Estimate node free energies from differences of which some may be far off.

    The likelihood may have several maxima where edges contradict each other; this is the one that is
    reached from the Gaussian estimate.

    Parameters
    ----------
    node_a, node_b, value, uncertainty, nodes, experimental, references
        As in `estimators.network.network_mle.solve_network`.
    degrees_of_freedom : float
        nu > 0 of Student's distribution, whose scale an edge's uncertainty is taken for.
    max_iterations : int
        Limit of the iteration.

    Returns
    -------
    RobustEstimate
        With the full covariance up to `MAX_SAMPLED_NODES` nodes. Where edges contradict each other and are equally
        credible, values rest between them, with uncertainties that span them.

    Raises
    ------
    EstimatorInputError
        As `solve_network`, or if `degrees_of_freedom` is not positive.
    EstimatorConvergenceError
        If the values did not come to rest.
    """
    if not degrees_of_freedom > 0:
        message = f"degrees_of_freedom is {degrees_of_freedom}; give a positive number, such as 4"
        raise EstimatorInputError(message, degrees_of_freedom=degrees_of_freedom)
    network = read_network(node_a, node_b, value, uncertainty, nodes)
    component = label_components(network.n_nodes, network.tail[network.used], network.head[network.used])
    counted = np.setdiff1d(network.used, network.exact)
    values, n_iterations = _maximise(network, component, counted, degrees_of_freedom, max_iterations)
    squared = _squared_pulls(network, counted, values)
    weight = np.ones(len(network.value))
    weight[counted] = (degrees_of_freedom + 1.0) / (degrees_of_freedom + squared)
    solution, note = _spread(network, component, counted, values, squared, degrees_of_freedom)
    estimate = assemble(network, solution, experimental, covariance_omitted=solution.covariance is None)
    estimate = on_absolute_scale(replace(estimate, notes=(*estimate.notes, note)), references)
    return RobustEstimate(estimate, weight, degrees_of_freedom, n_iterations)


def _spread(
    network: MeasuredNetwork,
    component: IntArray,
    counted: IntArray,
    values: FloatArray,
    squared: FloatArray,
    freedom: float,
) -> tuple[Solution, Note]:
    """Uncertainties around the values, in the best way that the size of the network allows."""
    if network.n_nodes <= MAX_SAMPLED_NODES and freedom > 2.0:
        note = Note("sampled-posterior", "uncertainties are the posterior's spread around the values, from draws of it")
        return _dense(network, component, values, partial(_drawn, network, counted, values, freedom)), note
    if network.n_nodes <= MAX_OBSERVED_NODES and freedom <= 2.0:
        curvature = (freedom + 1.0) * (freedom - squared) / (freedom + squared) ** 2
        information = curvature / network.uncertainty[counted] ** 2
        try:
            solution = _dense(network, component, values, partial(_inverted, network, counted, information))
        except _NoMaximumError:
            pass
        else:
            return solution, Note(
                "observed-information", "uncertainties are from the observed information of the likelihood"
            )
    expected = _expected(network, component, counted, freedom)
    message = "uncertainties are by the expected information of the likelihood, widened where few edges are informative"
    return replace(expected, network=network, value=values), Note("expected-information", message)


def _expected(network: MeasuredNetwork, component: IntArray, counted: IntArray, freedom: float) -> NetworkSolution:
    """Solve with every edge as wide as its distribution makes a mean of many; or itself, where it stands alone."""
    of_many = (freedom + 3.0) / (freedom + 1.0)
    alone = max(freedom / (freedom - 2.0), of_many) if freedom > 2.0 else of_many
    uncertainty = network.uncertainty * np.sqrt(alone)
    for _ in range(_STEPS):
        solution = solve_components(replace(network, uncertainty=uncertainty), component, full=False)
        share = np.clip(solution.edge_variance[counted] / uncertainty[counted] ** 2, 0.0, 1.0)
        wider = of_many + share * (alone - of_many)
        uncertainty = network.uncertainty.copy()
        uncertainty[counted] *= np.sqrt(wider)
    return solve_components(replace(network, uncertainty=uncertainty), component, full=False)


def _squared_pulls(network: MeasuredNetwork, counted: IntArray, values: FloatArray) -> FloatArray:
    """Squared residuals of some edges by their uncertainties."""
    step = values[network.head[counted]] - values[network.tail[counted]]
    pulls: FloatArray = ((network.value[counted] - step) / network.uncertainty[counted]) ** 2
    return pulls


def _maximise(
    network: MeasuredNetwork, component: IntArray, counted: IntArray, freedom: float, max_iterations: int
) -> tuple[FloatArray, int]:
    """Values at rest, and after how many iterations."""
    values = solve_components(network, component, full=False, only_values=True).value
    moved = 0.0
    for iteration in range(1, max_iterations + 1):
        weight = (freedom + 1.0) / (freedom + _squared_pulls(network, counted, values))
        uncertainty = network.uncertainty.copy()
        uncertainty[counted] /= np.sqrt(weight)
        weighted = replace(network, uncertainty=uncertainty)
        before, values = values, solve_components(weighted, component, full=False, only_values=True).value
        moved = float(np.nanmax(np.abs(values - before), initial=0.0))
        if moved <= _REST_SHARE * float(network.uncertainty.max(initial=0.0)):
            return values, iteration
    message = f"after {max_iterations} iterations values still move by {moved:.2g} kcal/mol; allow more iterations, "
    message += "or more degrees of freedom"
    raise EstimatorConvergenceError(message, moved_kcal_mol=moved)


def _dense(
    network: MeasuredNetwork,
    component: IntArray,
    values: FloatArray,
    spread: Callable[[IntArray, IntArray, FloatArray, IntArray], FloatArray],
) -> _DenseSolution:
    """Solution from the spread of each component's rigid groups: `spread` of group, place of it, values, members."""
    exact = network.exact
    n_nodes = network.n_nodes
    group = contract(n_nodes, network.tail[exact], network.head[exact], network.value[exact]).group
    matrix = np.zeros((n_nodes, n_nodes))
    for members in split(component, int(component.max(initial=-1)) + 1):
        if np.isnan(values[members[0]]):
            matrix[members, members] = np.nan
            continue
        groups, first, place = np.unique(group[members], return_index=True, return_inverse=True)
        block = spread(group, groups, values[members[first]], members)[np.ix_(place, place)]
        mean = block.mean(axis=0)
        block -= np.add.outer(mean - 0.5 * mean.mean(), mean - 0.5 * mean.mean())
        matrix[np.ix_(members, members)] = block
    tail, head = network.tail, network.head
    diagonal = np.diag(matrix)
    along = np.where(tail == head, 0.0, diagonal[tail] + diagonal[head] - 2.0 * matrix[tail, head])
    along[exact] = 0.0
    return _DenseSolution(component, values, np.maximum(diagonal, 0.0), np.maximum(along, 0.0), matrix)


def _ends_inside(
    network: MeasuredNetwork, counted: IntArray, group: IntArray, groups: IntArray, members: IntArray
) -> tuple[NDArray[np.bool_], IntArray, IntArray]:
    """Return which edges are of these members, and the places of their ends among the groups."""
    inside = np.isin(network.tail[counted], members)
    tail = np.searchsorted(groups, group[network.tail[counted][inside]])
    head = np.searchsorted(groups, group[network.head[counted][inside]])
    return inside, tail, head


def _drawn(
    network: MeasuredNetwork,
    counted: IntArray,
    values: FloatArray,
    freedom: float,
    group: IntArray,
    groups: IntArray,
    centre: FloatArray,
    members: IntArray,
) -> FloatArray:
    """Spread over the posterior, in some gauge."""
    inside, tail, head = _ends_inside(network, counted, group, groups, members)
    edges = counted[inside]
    # differences between groups, the nodes of which keep their offsets
    step = values[network.head[edges]] - values[network.tail[edges]]
    between = network.value[edges] - step + centre[head] - centre[tail]
    return spread_around(centre, tail, head, between, network.uncertainty[edges], freedom)


def _inverted(
    network: MeasuredNetwork,
    counted: IntArray,
    information: FloatArray,
    group: IntArray,
    groups: IntArray,
    centre: FloatArray,
    members: IntArray,
) -> FloatArray:
    """Inverse of the information, in some gauge."""
    inside, tail, head = _ends_inside(network, counted, group, groups, members)
    return _pseudo_inverse(len(centre), tail, head, information[inside])


def _pseudo_inverse(size: int, tail: IntArray, head: IntArray, information: FloatArray) -> FloatArray:
    """Covariance of one component's groups, in some gauge."""
    laplacian = np.zeros((size, size))
    np.add.at(laplacian, (tail, head), -information)
    np.add.at(laplacian, (head, tail), -information)
    laplacian[np.diag_indices(size)] -= laplacian.sum(axis=1)
    factor, failed = lapack.dpotrf(laplacian[:-1, :-1], lower=1)
    if failed:
        raise _NoMaximumError
    inverse, _ = lapack.dpotri(factor, lower=1)
    result = np.zeros((size, size))
    result[:-1, :-1] = np.tril(inverse) + np.tril(inverse, -1).T
    return result
