"""Absolute free energies of a whole network from its edges and priors on its nodes.

Owns the prior and the posterior. The linear algebra is that of `network_mle`: a Gaussian prior of mean m and standard
deviation s on a node is an edge of value m and uncertainty s from an origin at zero.

In cinnabar's terms the origin is its reference state, and the priors its experimental measurements.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError
from ..notes import Note
from .absolute_scale import with_variances
from .network_estimate import Contrasts, NetworkEstimate
from .network_mle import solve_network
from .network_solution import NetworkSolution

__all__ = ["PosteriorEstimate", "solve_network_bayesian"]

FloatArray = NDArray[np.float64]


class _Origin(Enum):
    """The zero of absolute free energies."""

    ORIGIN = "origin"


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorEstimate:
    """Absolute free energies of the n nodes of a network of m edges, given edges and priors.

    Attributes
    ----------
    nodes : tuple of hashable, length n
        Labels, in the order of all node arrays.
    value_kcal_mol : ndarray, shape (n,)
        Posterior means, which are also the modes. NaN for nodes not connected to a prior.
    uncertainty_kcal_mol : ndarray, shape (n,)
        Posterior standard deviations, of absolute values.
    covariance : ndarray, shape (n, n), or None
        Posterior covariance in (kcal/mol)^2.
    residual_kcal_mol : ndarray, shape (m,)
        Measured minus posterior difference of every edge.
    edge_variance_kcal2_mol2 : ndarray, shape (m,)
        Posterior variance of the difference along every edge.
    prior_residual_kcal_mol : ndarray, shape (n,)
        Prior mean minus posterior mean; NaN for nodes without a prior.
    notes : tuple of Note
        Deviations from the formula; ``prior-unknown`` and ``prior-missing`` in addition to those of
        `estimators.network.network_notes`.
    """

    nodes: tuple[Hashable, ...]
    value_kcal_mol: FloatArray
    uncertainty_kcal_mol: FloatArray
    covariance: FloatArray | None
    residual_kcal_mol: FloatArray
    edge_variance_kcal2_mol2: FloatArray
    prior_residual_kcal_mol: FloatArray
    notes: tuple[Note, ...]
    _joint: NetworkEstimate = field(repr=False)

    def difference(self, pairs: Sequence[tuple[Hashable, Hashable]]) -> Contrasts:
        """Return posterior ``f[b] - f[a]`` of any pairs of nodes, like `NetworkEstimate.difference`."""
        return self._joint.difference(pairs)

    def contrast(self, weights: Sequence[Mapping[Hashable, float]]) -> Contrasts:
        """Return posterior weighted sums of node values, like `NetworkEstimate.contrast`."""
        return self._joint.contrast(weights)


def solve_network_bayesian(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    prior: Mapping[Hashable, tuple[float, float]],
    *,
    weak_prior: tuple[float, float] | None = None,
    nodes: Sequence[Hashable] | None = None,
    covariance: bool = True,
) -> PosteriorEstimate:
    """Estimate absolute node free energies from measured differences and a prior, for example from assays.

    Unlike the shift by `experimental` in `solve_network`, which moves all nodes of a component equally and leaves
    uncertainties relative, a measured affinity is used here with its uncertainty: it corrects its node and, through
    the edges, the others.

    Parameters
    ----------
    node_a, node_b, value, uncertainty, nodes, covariance
        As in `estimators.network.network_mle.solve_network`.
    prior : mapping of label to (mean, standard deviation)
        Gaussian priors on absolute values, kcal/mol; a standard deviation of zero fixes the node.
    weak_prior : (mean, standard deviation), optional
        Prior of all other nodes. Without it, nodes of components without a prior have no posterior.

    Returns
    -------
    PosteriorEstimate
        As the prior standard deviations grow, its differences and their variances converge to the maximum-likelihood
        ones.

    Raises
    ------
    EstimatorInputError
        As `solve_network`; and if a prior does not have a finite mean and a finite non-negative standard deviation;
        the error names the node.
    """
    _check(prior, weak_prior)
    labels = list(
        dict.fromkeys([*(nodes or ()), *(label for pair in zip(node_a, node_b, strict=False) for label in pair)])
    )
    given = {label: prior[label] for label in labels if label in prior}
    if weak_prior is not None:
        given = {label: given.get(label, weak_prior) for label in labels}
    means = np.array([mean for mean, _ in given.values()], dtype=np.float64)
    deviations = np.array([deviation for _, deviation in given.values()], dtype=np.float64)
    joint = solve_network(
        [*node_a, *([_Origin.ORIGIN] * len(given))],
        [*node_b, *given],
        np.concatenate([np.asarray(value, dtype=np.float64), means]),
        np.concatenate([np.asarray(uncertainty, dtype=np.float64), deviations]),
        nodes=[*_once(labels, nodes), _Origin.ORIGIN],
        covariance=covariance,
    )
    return _posterior(joint, len(node_a), labels, given, prior)


def _once(labels: Sequence[Hashable], nodes: Sequence[Hashable] | None) -> Sequence[Hashable]:
    """Return all labels; if some were given twice, as given, so that the error can name them."""
    return labels if len(set(nodes or ())) == len(nodes or ()) else list(nodes or ())


def _check(prior: Mapping[Hashable, tuple[float, float]], weak_prior: tuple[float, float] | None) -> None:
    """Raise for the first invalid prior."""
    for label, (mean, deviation) in [*prior.items(), *([("the rest", weak_prior)] if weak_prior else [])]:
        if not (np.isfinite(mean) and np.isfinite(deviation) and deviation >= 0.0):
            message = f"the prior of {label} has mean {mean} and standard deviation {deviation}: both must be finite, "
            message += "and the second not negative; omit nodes without prior knowledge"
            raise EstimatorInputError(message, node=label)


def _posterior(
    joint: NetworkEstimate,
    n_edges: int,
    labels: Sequence[Hashable],
    given: Mapping[Hashable, tuple[float, float]],
    prior: Mapping[Hashable, tuple[float, float]],
) -> PosteriorEstimate:
    """Remove the origin: everything becomes relative to it."""
    n_nodes = len(labels)
    reached = joint.component[:n_nodes] == joint.component[n_nodes]
    values = np.where(reached, joint.value_kcal_mol[:n_nodes] - joint.value_kcal_mol[n_nodes], np.nan)
    # from the solver: a prior far more certain than the edges would cancel in sums of covariances
    deviations = joint.difference([(_Origin.ORIGIN, label) for label in labels]).uncertainty_kcal_mol
    variances = np.where(reached, deviations**2, np.nan)
    matrix = None
    if joint.covariance is not None:
        to_origin = _covariance_with(joint, n_nodes)
        matrix = joint.covariance[:n_nodes, :n_nodes] - np.add.outer(to_origin[:n_nodes], to_origin[:n_nodes])
        matrix += to_origin[n_nodes]
        matrix[~reached] = np.nan
        matrix[:, ~reached] = np.nan
        matrix = with_variances(matrix, variances)
    means = np.array([given[label][0] if label in given else np.nan for label in labels], dtype=np.float64)
    return PosteriorEstimate(
        nodes=tuple(labels),
        value_kcal_mol=values,
        uncertainty_kcal_mol=np.sqrt(variances),
        covariance=matrix,
        residual_kcal_mol=joint.residual_kcal_mol[:n_edges],
        edge_variance_kcal2_mol2=joint.edge_variance_kcal2_mol2[:n_edges],
        prior_residual_kcal_mol=means - values,
        notes=_notes(joint, n_edges, labels, reached, prior),
        _joint=joint,
    )


def _covariance_with(joint: NetworkEstimate, node: int) -> FloatArray:
    """Return the covariance of all nodes with one, relative to the mean of its component; zero in others."""
    result = np.zeros(len(joint.nodes))
    if isinstance(joint.solution, NetworkSolution) and np.isfinite(joint.value_kcal_mol[node]):
        part = joint.solution.parts[int(joint.component[node])]
        column = (part.nodes == node).astype(np.float64)[:, None]
        result[part.nodes] = part.covariance_times(column)[:, 0]
    return result


def _notes(
    joint: NetworkEstimate,
    n_edges: int,
    labels: Sequence[Hashable],
    reached: NDArray[np.bool_],
    prior: Mapping[Hashable, tuple[float, float]],
) -> tuple[Note, ...]:
    """Return notes on the given edges and on the prior."""
    notes = []
    for note in joint.notes:
        edges = tuple(edge for edge in note.edges if edge < n_edges)
        if edges or not note.edges:
            nodes = tuple(node for node in note.nodes if node is not _Origin.ORIGIN)
            if nodes or not note.nodes:
                notes.append(Note(note.code, note.message, edges, nodes))
    unknown = tuple(sorted(set(prior).difference(labels), key=str))
    if unknown:
        notes.append(
            Note("prior-unknown", f"{len(unknown)} priors are of labels that are not in the network", nodes=unknown)
        )
    lost = tuple(label for label, found in zip(labels, reached, strict=True) if not found)
    if lost:
        message = f"{len(lost)} nodes have no prior and no path to a node that has one, and so no posterior"
        notes.append(Note("prior-missing", message, nodes=lost))
    return tuple(notes)
