"""Certainty of a ranking: the probability of every ligand to be the best, or among the best.

Owns the counts over draws from the normal distribution of an estimate. Draws of networks too large for a covariance
come from `network_draws`; the deviation of a model from experiment is in `model_error`.

Low free energies are best. Values of different connected components have different zeros: rank each separately.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ..errors import EstimatorInputError
from ..statistics.model_error import ModelError
from .network_draws import draw_deviations
from .network_estimate import NetworkEstimate
from .network_solution import NetworkSolution

__all__ = ["Ranking", "probability_better", "rank_nodes"]

#: Number of values drawn at a time.
_CHUNK_ENTRIES = 2_000_000
#: Maximum number of rank counters; above, ranks are counted in bins.
_HISTOGRAM_ENTRIES = 20_000_000
#: Ligands closer than this are equal and sorted at random, kcal/mol.
_TIE_KCAL_MOL = 1e-9
#: Tolerance for negative eigenvalues of a covariance, as a fraction of its largest one.
_NEGATIVE_SHARE = 1e-8

FloatArray = NDArray[np.float64]
_Sampler = Callable[[int, np.random.Generator], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Ranks of n ligands; the best has rank 1. NaN for a ligand without a value.

    Attributes
    ----------
    p_best : ndarray, shape (n,)
        Probability to be the best; sums to one.
    p_top : ndarray, shape (n,)
        Probability to be among the best `top`; sums to `top`.
    expected_rank : ndarray, shape (n,)
        Mean rank.
    rank_low, rank_high : ndarray, shape (n,)
        Central interval of the rank. With more than 4,472 ligands, ranks are counted in bins, and the interval is
        widened to whole bins.
    top : int
        Number of ligands for `p_top`.
    confidence : float
        Confidence of the interval.
    n_draws : int
        Number of draws.
    """

    p_best: FloatArray
    p_top: FloatArray
    expected_rank: FloatArray
    rank_low: FloatArray
    rank_high: FloatArray
    top: int
    confidence: float
    n_draws: int

    @property
    def max_standard_error(self) -> float:
        """Return the Monte Carlo standard error of a probability of one half; all others have smaller ones."""
        return 0.5 / float(np.sqrt(self.n_draws))


def rank_nodes(
    value_kcal_mol: ArrayLike,
    spread: ArrayLike | NetworkEstimate,
    *,
    top: int = 3,
    n_draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 2019,
    model_error: ModelError | None = None,
) -> Ranking:
    """Rank ligands by free energy.

    Parameters
    ----------
    value_kcal_mol : array_like, shape (n,)
        Estimates; NaN is left out.
    spread : array_like, shape (n, n), or NetworkEstimate
        Covariance of the values in (kcal/mol)^2, possibly singular (such as one relative to a mean); or their network
        estimate, of any size, with or without a covariance.
    top : int
        Number of ligands for "the best few"; at most n.
    n_draws : int
        Number of joint draws of all values; see `Ranking.max_standard_error`.
    confidence : float
        Confidence of the interval of ranks.
    seed : int
        Seed of the draws: the same numbers give the same ranking.
    model_error : ModelError, optional
        Also drawn, so that probabilities refer to experiment rather than to the model with infinite sampling.

    Raises
    ------
    EstimatorInputError
        If shapes differ, there is no value, the covariance is invalid, the network was corrected for changed edges and
        has no covariance, or `top` is below one.
    """
    value = np.array(value_kcal_mol, dtype=np.float64)
    sampler = _of_network(spread, value) if isinstance(spread, NetworkEstimate) else _gaussian(spread, value)
    known = np.flatnonzero(np.isfinite(value))
    if not len(known):
        raise EstimatorInputError(f"none of {len(value)} ligands has a value to rank by")
    if top < 1 or n_draws < 1:
        raise EstimatorInputError(f"top is {top} and n_draws {n_draws}; both count from one")
    top = min(top, len(known))
    tally = _Tally.of(len(known), top)
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_ENTRIES // len(value))
    for start in range(0, n_draws, step):
        drawn = sampler(min(step, n_draws - start), rng)[known] + value[known, None]
        if model_error is not None:
            drawn += model_error.draw(len(known), drawn.shape[1], rng)
        tally.add(drawn + _TIE_KCAL_MOL * rng.standard_normal(drawn.shape))
    low, high = tally.interval(confidence)
    place = partial(_spread_out, known=known, n=len(value))
    return Ranking(
        p_best=place(tally.best / n_draws),
        p_top=place(tally.in_top / n_draws),
        expected_rank=place(tally.total / n_draws),
        rank_low=place(low),
        rank_high=place(high),
        top=top,
        confidence=confidence,
        n_draws=n_draws,
    )


def probability_better(value_kcal_mol: ArrayLike, spread: ArrayLike | NetworkEstimate) -> FloatArray:
    """Return the exact probability that ligand i is better (lower) than ligand j, for all pairs.

    Parameters
    ----------
    value_kcal_mol : array_like, shape (n,)
        Estimates.
    spread : array_like, shape (n, n), or NetworkEstimate
        Covariance of the values, (kcal/mol)^2; or the network they come from, whose differences lose no digits
        where uncertainties span many decades.

    Returns
    -------
    ndarray, shape (n, n)
        Entry (i, j); one half on the diagonal and for equal values without uncertainty, NaN without a value. For pairs
        of a larger network use `NetworkEstimate.difference`.
    """
    value = np.array(value_kcal_mol, dtype=np.float64)
    variance = _pair_variances(spread, value)
    ahead = value[None, :] - value[:, None]
    certain = variance <= _TIE_KCAL_MOL**2
    decided = np.where(np.abs(ahead) <= _TIE_KCAL_MOL, 0.5, (ahead > 0).astype(np.float64))
    with np.errstate(invalid="ignore"):
        result: FloatArray = np.where(certain, decided, ndtr(ahead / np.sqrt(np.where(certain, 1.0, variance))))
    result[np.isnan(ahead)] = np.nan
    return result


def _pair_variances(spread: ArrayLike | NetworkEstimate, value: FloatArray) -> FloatArray:
    """Variance of the difference of every two values."""
    if isinstance(spread, NetworkEstimate):
        if len(spread.nodes) != len(value):
            raise EstimatorInputError(f"{len(value)} values were given for a network of {len(spread.nodes)} nodes")
        first, second = np.triu_indices(len(value), 1)
        variance = np.zeros((len(value), len(value)))
        variance[first, second] = variance[second, first] = spread.solution.pair_variances(first, second)
        return variance
    matrix = _checked(spread, value)
    variances = np.diag(matrix)
    return np.asarray(np.maximum(variances[:, None] + variances[None, :] - 2.0 * matrix, 0.0), dtype=np.float64)


@dataclass(slots=True, eq=False)
class _Tally:
    """Counts over draws of n values."""

    top: int
    best: FloatArray
    in_top: FloatArray
    total: FloatArray
    histogram: NDArray[np.int64]  # (n, bins)
    n_draws: int = 0

    @classmethod
    def of(cls, n: int, top: int) -> _Tally:
        """Return empty counts."""
        n_bins = min(n, max(2, _HISTOGRAM_ENTRIES // n))
        return cls(top, np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((n, n_bins), dtype=np.int64))

    def add(self, drawn: FloatArray) -> None:
        """Count draws, shape (n, draws)."""
        n, n_bins = self.histogram.shape
        order = np.argsort(drawn, axis=0)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(n)[:, None], axis=0)
        self.best += np.bincount(order[0], minlength=n)
        self.in_top += np.bincount(order[: self.top].ravel(), minlength=n)
        self.total += (rank + 1).sum(axis=1)
        cells = np.arange(n)[:, None] * n_bins + rank * n_bins // n
        if self.histogram.size > cells.size:
            np.add.at(self.histogram.reshape(-1), cells.ravel(), 1)
        else:
            self.histogram += np.bincount(cells.ravel(), minlength=self.histogram.size).reshape(n, n_bins)
        self.n_draws += drawn.shape[1]

    def interval(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and highest rank of the central interval."""
        n, n_bins = self.histogram.shape
        below = np.cumsum(self.histogram, axis=1)
        tail = 0.5 * (1.0 - confidence) * self.n_draws
        low, high = (below <= tail).sum(axis=1), (below < self.n_draws - tail).sum(axis=1)
        # bin b contains the ranks whose (rank * bins) // n is b
        first, last = -(-low * n // n_bins) + 1, -(-(high + 1) * n // n_bins)
        return first.astype(np.float64), last.astype(np.float64)


def _gaussian(covariance: ArrayLike, value: FloatArray) -> _Sampler:
    """Return a sampler for a covariance, singular or not."""
    matrix = _checked(covariance, value)
    known = np.flatnonzero(np.isfinite(value))
    scales, axes = np.linalg.eigh(matrix[np.ix_(known, known)])
    if len(scales) and scales[0] < -_NEGATIVE_SHARE * max(float(scales[-1]), _TIE_KCAL_MOL**2):
        message = f"the covariance has the eigenvalue {scales[0]:.3g} (kcal/mol)^2: it is invalid; give it as estimated"
        raise EstimatorInputError(message, eigenvalue=float(scales[0]))
    # the symmetric root: of equal eigenvalues, the axes depend on the last bits of the covariance
    root = (axes * np.sqrt(np.maximum(scales, 0.0))) @ axes.T

    def draw(n_draws: int, rng: np.random.Generator) -> FloatArray:
        result = np.full((len(value), n_draws), np.nan)
        result[known] = root @ rng.standard_normal((len(known), n_draws))
        return result

    return draw


def _of_network(estimate: NetworkEstimate, value: FloatArray) -> _Sampler:
    if len(estimate.nodes) != len(value):
        raise EstimatorInputError(f"{len(value)} values were given for a network of {len(estimate.nodes)} nodes")
    if estimate.covariance is not None:
        return _gaussian(estimate.covariance, value)
    if not isinstance(estimate.solution, NetworkSolution):
        raise EstimatorInputError(
            "a network that was corrected for changed edges and has no covariance cannot be drawn from; give one "
            "from solve_network"
        )
    return partial(draw_deviations, estimate.solution)


def _checked(covariance: ArrayLike, value: FloatArray) -> FloatArray:
    matrix = np.array(covariance, dtype=np.float64)
    if value.ndim != 1 or matrix.shape != (len(value), len(value)):
        raise EstimatorInputError(f"values have shape {value.shape} and their covariance {matrix.shape}")
    known = np.isfinite(value)
    if not np.isfinite(matrix[np.ix_(known, known)]).all():
        raise EstimatorInputError("the covariance of ligands with a value is not finite; omit those ligands")
    return matrix


def _spread_out(values: FloatArray, known: NDArray[np.int64], n: int) -> FloatArray:
    result = np.full(n, np.nan)
    result[known] = values
    return result
