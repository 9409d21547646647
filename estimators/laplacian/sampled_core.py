"""The part of a network without small separators: solved by iteration, variances by sampling.

Owns graphs in which all nodes are a few steps apart (expanders, such as large random networks). Eliminating such a
graph fills it up, at the cube of its size; but conjugate gradients converge in a few tens of steps on these graphs.
Values and the variance of any contrast are as exact as the tolerance of the iteration. Variances of all nodes and
edges at once are estimated: given the rest of the graph, the covariance of the two ends of an edge is known exactly,
and only the contribution of the rest is sampled. The sampled quantity is Gaussian, so the error of the estimate is
known too.

References
----------
Papandreou & Yuille 2010, "Gaussian sampling by local perturbations" (samples by perturbed measurements);
Sidén, Lindgren, Bolin & Villani 2018, doi:10.1080/10618600.2018.1482782 (known conditional variances).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from ..errors import EstimatorConvergenceError

__all__ = ["SampledCore", "mixes_fast"]

#: Number of samples for estimating variances, and number of them in memory at once.
_SAMPLES = 512
_AT_ONCE = 32
#: Number of groups of samples drawn concurrently.
_THREADS = 2
#: Relative residuals of the iteration: for samples, whose own scatter is far larger, and for everything else.
_SAMPLE_RESIDUAL = 1e-5
_RESIDUAL = 1e-11
_MOST_ITERATIONS = 500
#: Number of refinement steps for values.
_REFINEMENTS = 1

#: Iteration is fast if a random walk on the graph loses memory of its start by this factor per step, or faster.
_FAST_DECAY = 0.95
_STEPS = 30

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SampledCore:
    """A graph of r nodes; all results are relative to their mean.

    Attributes
    ----------
    order : ndarray of int, shape (r,)
        Labels of the nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges, as indices into `order`.
    weight, moment : ndarray, shape (m,)
        Their weights, and weights times values from tail to head.
    matrix : csr_array, shape (r, r)
        The weights.
    """

    order: IntArray
    tail: IntArray
    head: IntArray
    weight: FloatArray
    moment: FloatArray
    matrix: csr_array

    @classmethod
    def of(cls, nodes: IntArray, tail: IntArray, head: IntArray, weight: FloatArray, moment: FloatArray) -> SampledCore:
        """Create from a graph; arguments as in `fronts.eliminate_by_fronts`."""
        low, high = np.searchsorted(nodes, tail), np.searchsorted(nodes, head)
        return cls(nodes, low, high, weight, moment, _adjacency(len(nodes), low, high, weight))

    @property
    def n_nodes(self) -> int:
        """Return the number of nodes."""
        return len(self.order)

    def potentials(self) -> FloatArray:
        """Return the maximum-likelihood potentials, shape (r,), with mean zero."""
        result = np.zeros((self.n_nodes, 1))
        for _ in range(1 + _REFINEMENTS):
            left_over = self.moment - self.weight * (result[self.head, 0] - result[self.tail, 0])
            result += self.covariance_times(self._pull(left_over[:, None]))
        return result[:, 0]

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Return the product of the covariance with ``columns``, both of shape (r, c)."""
        return self._solve(columns, _RESIDUAL)

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Return the variance of each contrast of the potentials, shape (c,)."""
        variances: FloatArray = (columns * self.covariance_times(columns)).sum(axis=0)
        return variances

    def variances(self) -> tuple[FloatArray, FloatArray]:
        """Return estimated variances of the potentials, shape (r,), and of the differences along edges, shape (m,)."""
        single = replace(
            self, weight=self.weight.astype(np.float32), matrix=csr_array(self.matrix.astype(np.float32))
        )  # sufficient for samples, with half the memory traffic
        pairs = _Pairs.of(single)
        seeds = np.random.SeedSequence(0).spawn(_SAMPLES // _AT_ONCE)
        sampled = np.zeros((3, len(self.weight)))
        with ThreadPoolExecutor(_THREADS) as pool:
            for squares in pool.map(partial(_squares, single, pairs), seeds):
                sampled += squares / _SAMPLES
        pairs = _Pairs.of(self)
        nodes = np.concatenate([self.tail, self.head])
        known = np.concatenate([pairs.tail_variance, pairs.head_variance])
        # Of a node's edges, use the one that leaves least to sampling: the last of it.
        order = np.lexsort((known, nodes))
        best = order[np.cumsum(np.bincount(nodes, minlength=self.n_nodes)) - 1]
        return (known + sampled[:2].ravel())[best], pairs.step_variance + sampled[2]

    def draws(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Return normal draws with the covariance of the potentials, shape (r, n_draws), from perturbed edges."""
        result = np.empty((self.n_nodes, n_draws))
        for start in range(0, n_draws, _AT_ONCE):
            some = slice(start, min(start + _AT_ONCE, n_draws))
            noise = rng.standard_normal((len(self.weight), some.stop - start)) * np.sqrt(self.weight)[:, None]
            result[:, some] = self._solve(self._pull(noise), _SAMPLE_RESIDUAL)
        return result

    @staticmethod
    def sampling_error() -> float:
        """Return the relative standard error of an uncertainty if all of its variance were sampled: an upper bound."""
        return float((2.0 * _SAMPLES) ** -0.5)

    def _pull(self, flow: NDArray[Any]) -> NDArray[Any]:
        """Return the net flow into each node, shape (r, c), from flows along edges, shape (m, c)."""
        n_edges = len(self.tail)
        ends = np.concatenate([self.head, self.tail])
        signs = np.repeat(np.array([1.0, -1.0], dtype=flow.dtype), n_edges)
        edges = np.tile(np.arange(n_edges), 2)
        incidence = csr_array(coo_array((signs, (ends, edges)), shape=(self.n_nodes, n_edges)))
        return np.asarray(incidence @ flow)

    def _solve(self, columns: NDArray[Any], residual: float) -> NDArray[Any]:
        """Solve by conjugate gradients for all columns at once, preconditioned by the diagonal."""
        diagonal = np.asarray(self.matrix.sum(axis=1))[:, None]
        left = columns - columns.mean(axis=0)
        result = np.zeros_like(left)
        scaled = left / diagonal
        direction = scaled.copy()
        size = (left * scaled).sum(axis=0)
        enough = residual**2 * size
        for _ in range(_MOST_ITERATIONS):
            if (size <= enough).all():
                return np.asarray(result - result.mean(axis=0))
            image = diagonal * direction - self.matrix @ direction
            step = size / np.maximum((direction * image).sum(axis=0), np.finfo(np.float32).tiny)
            result += step * direction
            left -= step * image
            np.divide(left, diagonal, out=scaled)
            before, size = size, (left * scaled).sum(axis=0)
            direction *= size / np.maximum(before, np.finfo(np.float32).tiny)
            direction += scaled
        message = f"{_MOST_ITERATIONS} iterations did not converge for a part of {self.n_nodes} nodes; use `exact=True`"
        raise EstimatorConvergenceError(message, n_nodes=self.n_nodes)


def _squares(core: SampledCore, pairs: _Pairs, seed: np.random.SeedSequence) -> FloatArray:
    """Return sums over some samples of the squared contributions to each edge's tail, head and step; shape (3, m).

    A sample is a draw of the potentials' error: the solution for perturbed measurements.
    """
    noise = np.random.default_rng(seed).standard_normal((len(core.weight), _AT_ONCE), dtype=np.float32)
    noise *= np.sqrt(core.weight)[:, None]
    sample = core._solve(core._pull(noise), _SAMPLE_RESIDUAL)
    pulled = core.matrix @ sample
    at_tail = pulled[core.tail] - core.weight[:, None] * sample[core.head]
    at_head = pulled[core.head] - core.weight[:, None] * sample[core.tail]
    means = (pairs.tail_mean(at_tail, at_head), pairs.head_mean(at_tail, at_head), pairs.step_mean(at_tail, at_head))
    return np.array([(mean**2).sum(axis=1) for mean in means], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """The two ends of each edge, given all other nodes: variances, and means from the pull of the others."""

    weight: FloatArray
    at_tail: FloatArray  # summed weights at the tail, shape (m,)
    at_head: FloatArray
    determinant: FloatArray

    @classmethod
    def of(cls, core: SampledCore) -> _Pairs:
        total = np.asarray(core.matrix.sum(axis=1))
        at_tail, at_head = total[core.tail], total[core.head]
        # (a + w)(b + w) - w^2, where a and b are the weights at the ends apart from this edge: no cancellation
        besides = (at_tail - core.weight, at_head - core.weight)
        determinant = besides[0] * besides[1] + core.weight * (besides[0] + besides[1])
        return cls(core.weight, at_tail, at_head, determinant)

    @property
    def tail_variance(self) -> FloatArray:
        return self.at_head / self.determinant

    @property
    def head_variance(self) -> FloatArray:
        return self.at_tail / self.determinant

    @property
    def step_variance(self) -> FloatArray:
        return (self.at_tail + self.at_head - 2.0 * self.weight) / self.determinant

    def tail_mean(self, at_tail: FloatArray, at_head: FloatArray) -> FloatArray:
        return (self.at_head[:, None] * at_tail + self.weight[:, None] * at_head) / self.determinant[:, None]

    def head_mean(self, at_tail: FloatArray, at_head: FloatArray) -> FloatArray:
        return (self.at_tail[:, None] * at_head + self.weight[:, None] * at_tail) / self.determinant[:, None]

    def step_mean(self, at_tail: FloatArray, at_head: FloatArray) -> FloatArray:
        one = (self.at_tail - self.weight)[:, None] * at_head
        other = (self.at_head - self.weight)[:, None] * at_tail
        return (one - other) / self.determinant[:, None]


def mixes_fast(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray) -> bool:
    """Return whether a graph has no small separators, as far as a random walk can detect.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of its edges.
    weight : ndarray, shape (m,)
        Their weights.
    """
    matrix = _adjacency(n_nodes, tail, head, weight)
    root = np.sqrt(np.asarray(matrix.sum(axis=1)))
    stationary = root / np.linalg.norm(root)
    state = np.random.default_rng(0).standard_normal(n_nodes)
    sizes = []
    for _ in range(_STEPS):
        state = 0.5 * (state + (matrix @ (state / root)) / root)
        state -= (stationary @ state) * stationary
        sizes.append(float(np.linalg.norm(state)))
    decay: float = (sizes[-1] / sizes[_STEPS // 2]) ** (1.0 / (_STEPS - 1 - _STEPS // 2))
    return decay < _FAST_DECAY


def _adjacency(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray) -> csr_array:
    ends = (np.concatenate([tail, head]), np.concatenate([head, tail]))
    return csr_array(coo_array((np.tile(weight, 2), ends), shape=(n_nodes, n_nodes)))
