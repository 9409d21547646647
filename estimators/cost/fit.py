"""Fit of a linear model of log hours, with pooled levels and robust to outliers.

Owns the posterior of the coefficients given results, the spread of each block of columns, and the noise of each
Protocol. The columns are defined in `cost_design`; predictions are calibrated in `cost_calibration`.

A Gaussian prior per block (mixed model), a Student-t likelihood (a straggler or a job on a broken host must not bias
the rest), spreads and noise by expectation maximisation with priors of a few pseudo-observations, so that one result
already moves the level and hundreds determine everything.

References
----------
Gelman et al., Bayesian Data Analysis, 3rd ed., chapters 15 (hierarchical linear models) and 17 (robust inference).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from .design_columns import BLOCKS, Design, DesignColumns
from .features import Derived

__all__ = ["Posterior", "fit", "noise_classes", "noise_sd", "prior", "row_variance"]

FloatArray = NDArray[np.float64]

# Degrees of freedom of the likelihood: tails as heavy as those of run times on shared hosts.
_FREEDOM: Final = 4.0
_NOISE_SD: Final = 0.15
_NOISE_WEIGHT: Final = 4.0
_PROTOCOL_NOISE_WEIGHT: Final = 10.0
_LEAST_NOISE_SD: Final = 0.005
_IN_COMPLEX: Final = " in complex"
_ITERATIONS: Final = 40
_TOLERANCE: Final = 1e-3
_FEW_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior of the coefficients.

    Attributes
    ----------
    columns : DesignColumns
        Columns, length p.
    mean : ndarray, shape (p,)
        Posterior mean, log hours per unit of the column.
    covariance : ndarray, shape (p, p)
        Posterior covariance.
    spread : dict of str to float
        Standard deviation of each block's columns.
    noise_sd : float
        Scale of a row's own error, log hours, for Protocols not in `protocol_noise_sd`.
    protocol_noise_sd : dict of str to float
        The same by Protocol, and by Protocol for its complex legs, see `noise_classes`.
    """

    columns: DesignColumns
    mean: FloatArray
    covariance: FloatArray
    spread: dict[str, float]
    noise_sd: float
    protocol_noise_sd: dict[str, float]


def prior(columns: DesignColumns) -> Posterior:
    """Return the prior of the columns."""
    spread = {block: sd for block, (sd, _) in BLOCKS.items()}
    variance = np.array([spread[block] ** 2 for block in columns.block])
    return Posterior(columns, np.zeros(len(variance)), np.diag(variance), spread, _NOISE_SD, {})


def fit(laid_out: Design, residual: FloatArray, *, start: Posterior | None = None) -> Posterior:
    """Fit the coefficients to the deviations of results from the physical prior.

    Parameters
    ----------
    laid_out : Design
        Rows over columns.
    residual : ndarray, shape (n,)
        Observed log hours minus log hours of the physical prior.
    start : Posterior, optional
        Fit to similar rows, whose spreads and noise are the start; saves iterations.

    Returns
    -------
    Posterior
        Coefficients, spreads and noise.
    """
    # few rows are faster as a dense matrix
    x = laid_out.matrix.toarray() if laid_out.matrix.shape[0] <= _FEW_ROWS else laid_out.matrix
    names, of_row = np.unique(noise_classes(laid_out.derived), return_inverse=True)
    of_row = of_row.ravel()
    begin = start or prior(laid_out.columns)
    spread, overall = dict(begin.spread), begin.noise_sd
    noise = np.array([begin.protocol_noise_sd.get(str(name), overall) for name in names])
    weight = np.ones(len(residual))
    blocks = np.array(laid_out.columns.block)
    of_block = {block: np.flatnonzero(blocks == block) for block in BLOCKS}
    for _ in range(_ITERATIONS):
        precision = weight / noise[of_row] ** 2
        mean, covariance = _solve(x, residual, precision, laid_out.columns, spread)
        error = residual - x @ mean
        # The posterior variance at each row is included in the misfit, as in any expectation step.
        misfit = error**2 + row_variance(x, covariance)
        weight = (_FREEDOM + 1.0) / (_FREEDOM + misfit / noise[of_row] ** 2)
        before = (overall, *spread.values())
        overall, noise = _noise(weight * misfit, of_row, len(names))
        spread = _spread(mean**2 + np.diag(covariance), of_block)
        if np.allclose(before, (overall, *spread.values()), rtol=_TOLERANCE):
            break
    mean, covariance = _solve(x, residual, weight / noise[of_row] ** 2, laid_out.columns, spread)
    by_protocol = {str(name): float(sd) for name, sd in zip(names, noise, strict=True)}
    return Posterior(laid_out.columns, mean, covariance, spread, float(overall), by_protocol)


def _solve(
    x: sparse.csr_array | FloatArray,
    residual: FloatArray,
    precision: FloatArray,
    columns: DesignColumns,
    spread: dict[str, float],
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of the coefficients for given spreads and noise."""
    if isinstance(x, np.ndarray):
        weighted = x * precision[:, None]
        gram = x.T @ weighted
    else:
        weighted = x.multiply(precision[:, None]).tocsr()
        gram = (x.T @ weighted).toarray()
    gram[np.diag_indices_from(gram)] += 1.0 / np.array([spread[block] ** 2 for block in columns.block])
    factor = linalg.cho_factor(gram, lower=True)
    covariance = linalg.cho_solve(factor, np.eye(len(gram)))
    return linalg.cho_solve(factor, weighted.T @ residual), (covariance + covariance.T) / 2.0


def noise_classes(derived: Derived) -> NDArray[np.str_]:
    """Return the class of each row's own error: its Protocol; complex legs apart, since their boxes differ more."""
    protocol, is_complex = derived.rows["protocol"], derived.rows["is_complex"] == 1.0
    return np.where(is_complex, np.char.add(protocol, _IN_COMPLEX), protocol) if len(protocol) else protocol


def noise_sd(posterior: Posterior, derived: Derived) -> FloatArray:
    """Return each row's own error, log standard deviation, by its class.

    Parameters
    ----------
    posterior : Posterior
        Fitted coefficients and variances.
    derived : Derived
        Design of the rows, with their classes.
    """
    known = posterior.protocol_noise_sd
    names, of_row = np.unique(noise_classes(derived), return_inverse=True)
    sds = np.array([known.get(str(name), posterior.noise_sd) for name in names])
    noise: FloatArray = sds[of_row.ravel()] if len(sds) else np.zeros(0)
    return noise


def row_variance(x: sparse.csr_array | FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the variance of each row's linear predictor.

    Parameters
    ----------
    x : scipy.sparse.csr_array or ndarray, shape (n, p)
        Rows over columns.
    covariance : ndarray, shape (p, p)
        Covariance of the coefficients.

    Returns
    -------
    ndarray, shape (n,)
        Variances, computed a few thousand rows at a time to limit memory.
    """
    if isinstance(x, np.ndarray):
        dense: FloatArray = np.einsum("ij,ij->i", x @ covariance, x)
        return dense
    parts = []
    for begin in range(0, x.shape[0], 4096):
        part = x[begin : begin + 4096]
        parts.append(np.asarray(part.multiply(part @ covariance).sum(axis=1)).ravel())
    return np.concatenate(parts) if parts else np.zeros(0)


def _noise(misfit: FloatArray, of_row: NDArray[np.intp], n_protocols: int) -> tuple[float, FloatArray]:
    """Return the overall noise, and that of each Protocol shrunk towards it."""
    overall = (misfit.sum() + _NOISE_WEIGHT * _NOISE_SD**2) / (len(misfit) + _NOISE_WEIGHT)
    count = np.bincount(of_row, minlength=n_protocols)
    total = np.bincount(of_row, weights=misfit, minlength=n_protocols)
    each = (total + _PROTOCOL_NOISE_WEIGHT * overall) / (count + _PROTOCOL_NOISE_WEIGHT)
    return float(np.sqrt(overall)), np.maximum(np.sqrt(each), _LEAST_NOISE_SD)


def _spread(squares: FloatArray, of_block: dict[str, NDArray[np.intp]]) -> dict[str, float]:
    """Return the spread of each block from the expected squares of its coefficients, shrunk towards its prior."""
    spread = {}
    for block, mine in of_block.items():
        sd, pseudo = BLOCKS[block]
        spread[block] = float(np.sqrt((squares[mine].sum() + pseudo * sd**2) / (len(mine) + pseudo)))
    return spread
