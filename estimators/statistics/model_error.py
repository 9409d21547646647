"""The model error: deviation of computed free energies from experiment beyond their own uncertainties.

Owns that error as a distribution: from published benchmarks, and updated by assays of a network's own ligands.
`ranking` uses it; `performance` measures agreement as such.

Force field, protonation, binding mode and assay shift each ligand by an error of its own, which neither repeats nor
cycles detect. It is assumed to be normal with variance sigma ** 2, and sigma ** 2 to be scaled inverse chi-squared
distributed over targets. Over the 37 published sets of openfe's 2024 industry benchmark (406 ligands, relative
binding, three repeats) maximum likelihood gives a typical sigma of 0.93 kcal/mol with 4.5 degrees of freedom: half of
the targets have 0.8 to 1.3, one in twenty more than 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError

__all__ = ["PUBLISHED_BINDING", "ModelError", "estimate_model_error"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelError:
    """Distribution of the model error of one ligand relative to others of its target.

    Attributes
    ----------
    sd_kcal_mol : float
        Standard deviation; the typical one if it is uncertain.
    degrees_of_freedom : float
        Its precision: the variance is scaled inverse chi-squared distributed. Infinite if exactly known.
    """

    sd_kcal_mol: float
    degrees_of_freedom: float = float("inf")

    def __post_init__(self) -> None:
        if not (0.0 <= self.sd_kcal_mol < np.inf and self.degrees_of_freedom > 0.0):
            message = f"a model error has a standard deviation that is finite and not negative, not {self.sd_kcal_mol}"
            raise EstimatorInputError(f"{message}, and positive degrees of freedom, not {self.degrees_of_freedom}")

    def draw(self, n_ligands: int, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Return joint errors of ligands, shape (n_ligands, n_draws); one standard deviation per draw.

        Parameters
        ----------
        n_ligands : int
            Number of ligands.
        n_draws : int
            Number of draws.
        rng : numpy.random.Generator
            Source of random numbers.
        """
        sd = np.full(n_draws, self.sd_kcal_mol)
        if np.isfinite(self.degrees_of_freedom):
            sd = sd * np.sqrt(self.degrees_of_freedom / rng.chisquare(self.degrees_of_freedom, n_draws))
        return np.asarray(rng.standard_normal((n_ligands, n_draws)) * sd, dtype=np.float64)


#: Prior for a target without data, from published relative binding free energies (see the module docstring).
PUBLISHED_BINDING: Final = ModelError(0.93, 4.5)


def estimate_model_error(
    estimate_kcal_mol: ArrayLike,
    experiment_kcal_mol: ArrayLike,
    covariance: ArrayLike,
    *,
    experiment_uncertainty_kcal_mol: ArrayLike | None = None,
    relative: bool = True,
    prior: ModelError | None = PUBLISHED_BINDING,
) -> ModelError:
    """Estimate the model error from ligands with assays.

    The scatter between estimates and experiments that their uncertainties do not explain is the model error. It is
    combined with the prior, each weighted by its degrees of freedom; those of the ligands count to the extent that the
    model error exceeds the uncertainties.

    Parameters
    ----------
    estimate_kcal_mol, experiment_kcal_mol : array_like, shape (n,)
        Ligands of one connected component.
    covariance : array_like, shape (n, n)
        Of the estimates, (kcal/mol)^2.
    experiment_uncertainty_kcal_mol : array_like, shape (n,), optional
        Standard errors; NaN counts as zero.
    relative : bool
        Whether estimates have no zero of their own: both sides are then shifted to mean zero.
    prior : ModelError, optional
        Prior; None for no prior.

    Raises
    ------
    EstimatorInputError
        If shapes differ, or there are neither enough ligands (two, or one that is absolute) nor a prior.
    """
    y, x = np.asarray(estimate_kcal_mol, dtype=np.float64), np.asarray(experiment_kcal_mol, dtype=np.float64)
    spread = np.array(covariance, dtype=np.float64)
    if y.ndim != 1 or y.shape != x.shape or spread.shape != (len(y), len(y)):
        raise EstimatorInputError(f"estimates {y.shape}, experiments {x.shape} and covariance {spread.shape} disagree")
    if experiment_uncertainty_kcal_mol is not None:
        spread[np.diag_indices(len(y))] += np.nan_to_num(np.asarray(experiment_uncertainty_kcal_mol)) ** 2
    n_free = max(len(y) - int(relative), 0)
    if not n_free:
        if prior is None:
            raise EstimatorInputError(
                f"the model error cannot be estimated from so few measured ligands ({len(y)}); give its value"
            )
        return prior
    error = y - x
    if relative:
        error = error - error.mean()
        spread = spread - spread.mean(axis=0) - spread.mean(axis=1)[:, None] + spread.mean()
    explained = float(np.trace(spread))
    square = max(float(error @ error) - explained, 0.0) / n_free
    about = prior.sd_kcal_mol**2 if prior is not None else square
    known = n_free * (about / (about + explained / n_free)) ** 2 if about else float(n_free)
    if prior is None:
        return ModelError(float(np.sqrt(square)), known)
    if np.isinf(prior.degrees_of_freedom):
        return prior
    total = prior.degrees_of_freedom + known
    variance = (prior.degrees_of_freedom * prior.sd_kcal_mol**2 + known * square) / total
    return ModelError(float(np.sqrt(variance)), total)
