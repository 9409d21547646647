"""Cumulative distributions of errors: which share of them is at most so large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

__all__ = ["CumulativeShare", "cumulative_share", "expected_share"]


@dataclass(frozen=True, slots=True)
class CumulativeShare:
    """Share of values that are at most so large, by size.

    Attributes
    ----------
    size : ndarray, shape (n + 1,)
        Zero, then the sorted magnitudes, in the unit of the values.
    share : ndarray, shape (n + 1,)
        Share of values of at most this size, 0 to 1.
    low, high : ndarray, shape (n + 1,)
        Bootstrap interval of the share; NaN if none was asked for.
    """

    size: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def cumulative_share(
    values: ArrayLike, *, n_bootstrap: int = 0, confidence: float = 0.95, rng: np.random.Generator | None = None
) -> CumulativeShare:
    """Compute which share of values is at most so large.

    Parameters
    ----------
    values : array_like, shape (n,)
        Errors of any sign, n >= 1.
    n_bootstrap : int
        Number of resamples for the interval; 0 for none.
    confidence : float
        Content of the interval, at each size on its own.
    rng : numpy.random.Generator, optional
        Draws the resamples.
    """
    error = np.sort(np.abs(np.asarray(values, np.float64)))
    size, share = np.concatenate([[0.0], error]), np.arange(len(error) + 1) / len(error)
    if not n_bootstrap:
        return CumulativeShare(size, share, np.full_like(share, np.nan), np.full_like(share, np.nan))
    drawn = np.sort((rng or np.random.default_rng()).choice(error, (n_bootstrap, len(error))), axis=1)
    below = np.array([np.searchsorted(one, size, side="right") for one in drawn]) / len(error)
    low, high = np.quantile(below, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return CumulativeShare(size, share, low, high)


def expected_share(size: ArrayLike, uncertainty: ArrayLike) -> NDArray[np.float64]:
    """Return the share of errors that should be at most so large if these are their standard deviations.

    Parameters
    ----------
    size : array_like, shape (m,)
    uncertainty : array_like, shape (n,)
        Standard deviations of normal errors of mean zero, in the unit of `size`.
    """
    grid, scale = np.asarray(size, np.float64), np.asarray(uncertainty, np.float64)
    return np.asarray(erf(grid[:, None] / (np.sqrt(2.0) * scale)).mean(axis=1), np.float64)
