"""The rest of a network that has no small separators: solved by iteration, variances by sampling.

Owns graphs in which everything is a few steps from everything (expanders, such as large random networks).
Eliminating such a graph fills it up, at the cube of its size; just there conjugate gradients converge in a
few tens of steps. Values and the variance of any contrast come out as exact as the iteration is driven.
Variances of all nodes and edges at once are estimated: given the rest of the graph, the covariance of the
two ends of an edge is known exactly, and only what the rest adds to it is taken from samples. What is
sampled is Gaussian, so the error of the estimate is known too.

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

from estimators.errors import EstimatorConvergenceError

__all__ = ["SampledCore", "mixes_fast"]

#: Samples that variances are estimated from, and how many of them are held at once.
_SAMPLES = 512
_AT_ONCE = 32
#: Groups of samples that are drawn side by side.
_THREADS = 2
#: Residuals of the iteration, relative: for samples, whose own scatter is far larger, and for the rest.
_SAMPLE_RESIDUAL = 1e-5
_RESIDUAL = 1e-11
_MOST_ITERATIONS = 500
#: Values are improved this often by those of what they leave over.
_REFINEMENTS = 1

#: A walk on the graph forgets where it began by this factor a step, or better, where iteration is fast.
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
        Ends of the edges, as places in `order`.
    weight, moment : ndarray, shape (m,)
        Their weights, and these times their values from tail to head.
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
        """Take a graph as it is; arguments as of `fronts.eliminate_by_fronts`."""
        low, high = np.searchsorted(nodes, tail), np.searchsorted(nodes, head)
        return cls(nodes, low, high, weight, moment, _adjacency(len(nodes), low, high, weight))

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.order)

    def potentials(self) -> FloatArray:
        """Maximum-likelihood potentials, shape (r,), of mean zero."""
        result = np.zeros((self.n_nodes, 1))
        for _ in range(1 + _REFINEMENTS):
            left_over = self.moment - self.weight * (result[self.head, 0] - result[self.tail, 0])
            result += self.covariance_times(self._pull(left_over[:, None]))
        return result[:, 0]

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Product of the covariance with ``columns``, both of shape (r, c)."""
        return self._solve(columns, _RESIDUAL)

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Variance of each contrast of the potentials, shape (c,)."""
        variances: FloatArray = (columns * self.covariance_times(columns)).sum(axis=0)
        return variances

    def variances(self) -> tuple[FloatArray, FloatArray]:
        """Estimated variances of the potentials, shape (r,), and of the differences along the edges, shape (m,)."""
        single = replace(
            self, weight=self.weight.astype(np.float32), matrix=csr_array(self.matrix.astype(np.float32))
        )  # ample for samples, and half the memory to move
        pairs = _Pairs.of(single)
        seeds = np.random.SeedSequence(0).spawn(_SAMPLES // _AT_ONCE)
        sampled = np.zeros((3, len(self.weight)))
        with ThreadPoolExecutor(_THREADS) as pool:
            for squares in pool.map(partial(_squares, single, pairs), seeds):
                sampled += squares / _SAMPLES
        pairs = _Pairs.of(self)
        nodes = np.concatenate([self.tail, self.head])
        known = np.concatenate([pairs.tail_variance, pairs.head_variance])
        # Of a node's edges the one that leaves least to sampling: the last of it.
        order = np.lexsort((known, nodes))
        best = order[np.cumsum(np.bincount(nodes, minlength=self.n_nodes)) - 1]
        return (known + sampled[:2].ravel())[best], pairs.step_variance + sampled[2]

    def draws(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Normal draws with the covariance of the potentials, shape (r, n_draws): solutions for perturbed edges."""
        result = np.empty((self.n_nodes, n_draws))
        for start in range(0, n_draws, _AT_ONCE):
            some = slice(start, min(start + _AT_ONCE, n_draws))
            noise = rng.standard_normal((len(self.weight), some.stop - start)) * np.sqrt(self.weight)[:, None]
            result[:, some] = self._solve(self._pull(noise), _SAMPLE_RESIDUAL)
        return result

    @staticmethod
    def sampling_error() -> float:
        """Standard error of an uncertainty, relative, were all of its variance sampled: the most it can be."""
        return float((2.0 * _SAMPLES) ** -0.5)

    def _pull(self, flow: NDArray[Any]) -> NDArray[Any]:
        """What flows along edges, shape (m, c), brings to each node, shape (r, c)."""
        n_edges = len(self.tail)
        ends = np.concatenate([self.head, self.tail])
        signs = np.repeat(np.array([1.0, -1.0], dtype=flow.dtype), n_edges)
        edges = np.tile(np.arange(n_edges), 2)
        incidence = csr_array(coo_array((signs, (ends, edges)), shape=(self.n_nodes, n_edges)))
        return np.asarray(incidence @ flow)

    def _solve(self, columns: NDArray[Any], residual: float) -> NDArray[Any]:
        """Conjugate gradients on all columns at once, preconditioned by the diagonal."""
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
        message = (
            f"{_MOST_ITERATIONS} iterations did not solve a part of {self.n_nodes} nodes; estimate with `exact=True`"
        )
        raise EstimatorConvergenceError(message, n_nodes=self.n_nodes)


def _squares(core: SampledCore, pairs: _Pairs, seed: np.random.SeedSequence) -> FloatArray:
    """Sums over some samples of what they make of each edge's tail, head and step, squared; shape (3, m).

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
    """The two ends of each edge, given all other nodes: variances, and means from what pulls at them."""

    weight: FloatArray
    at_tail: FloatArray  # summed weights at the tail, shape (m,)
    at_head: FloatArray
    determinant: FloatArray

    @classmethod
    def of(cls, core: SampledCore) -> _Pairs:
        total = np.asarray(core.matrix.sum(axis=1))
        at_tail, at_head = total[core.tail], total[core.head]
        # (a + w)(b + w) - w^2, where a and b are what the ends have besides this edge: nothing cancels
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
    """Whether a graph has no small separators, as far as a walk on it can tell.

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
