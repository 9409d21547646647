"""Estimation of a hydration free energy by BAR from solvation energies sampled at both ends.

Owns the estimate and its diagnostics; sampling is in `_implicit_solvent`.

References
----------
Bennett 1976 (BAR), doi:10.1016/0021-9991(76)90078-4
Shirts & Chodera 2008 (its uncertainty, the overlap matrix), doi:10.1063/1.2978177
Chodera et al. 2007 (statistical inefficiency), doi:10.1021/ct0502864
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ..units import KCAL_PER_KJ, kt_kcal_mol

__all__ = ["HydrationEstimate", "hydration_free_energy"]

Floats = npt.NDArray[np.float64]

#: A solvation energy with less variation is constant: the molecule is rigid.
_RIGID_KCAL_MOL: Final = 1e-6


@dataclass(frozen=True, slots=True)
class HydrationEstimate:
    """A hydration free energy and its sampling diagnostics.

    `overlap` is MBAR's scalar overlap of the two end states, from 0 (none) to 1 (identical); the effective numbers are
    frames divided by their statistical inefficiency.

    Attributes
    ----------
    dg_kcal_mol : float
        Solvent minus vacuum.
    uncertainty_kcal_mol : float
        Standard error.
    n_effective_vacuum : float
        Frames divided by their statistical inefficiency.
    n_effective_solvent : float
        Frames divided by their statistical inefficiency.
    overlap : float
        MBAR's scalar overlap, within [0, 1].
    """

    dg_kcal_mol: float
    uncertainty_kcal_mol: float
    n_effective_vacuum: float
    n_effective_solvent: float
    overlap: float


def hydration_free_energy(
    vacuum_kj_mol: Floats, solvent_kj_mol: Floats, *, temperature_kelvin: float
) -> HydrationEstimate:
    """Estimate a hydration free energy by BAR from uncorrelated subsamples of both end states.

    Parameters
    ----------
    vacuum_kj_mol, solvent_kj_mol : ndarray, shape (n_frames,)
        U_solvent - U_vacuum of frames sampled in vacuum and in solvent, kJ/mol.
    temperature_kelvin : float
        Of both end states.

    Returns
    -------
    HydrationEstimate
        The uncertainty is one standard deviation; 0 for a rigid molecule, whose solvation energy is constant and
        equals its free energy.
    """
    kt = kt_kcal_mol(temperature_kelvin)
    both = np.concatenate([vacuum_kj_mol, solvent_kj_mol]) * KCAL_PER_KJ
    if np.ptp(both) < _RIGID_KCAL_MOL:
        return HydrationEstimate(float(both.mean()), 0.0, float(len(vacuum_kj_mol)), float(len(solvent_kj_mol)), 1.0)
    with _quiet_pymbar():
        from pymbar import bar
    forward, n_vacuum = _uncorrelated(vacuum_kj_mol * KCAL_PER_KJ / kt)
    reverse, n_solvent = _uncorrelated(-solvent_kj_mol * KCAL_PER_KJ / kt)
    with np.errstate():  # pymbar changes numpy's error handling for the whole process
        result = bar(forward, reverse, uncertainty_method="MBAR")
    return HydrationEstimate(
        dg_kcal_mol=float(result["Delta_f"]) * kt,
        uncertainty_kcal_mol=float(result["dDelta_f"]) * kt,
        n_effective_vacuum=n_vacuum,
        n_effective_solvent=n_solvent,
        overlap=_overlap(forward, reverse, float(result["Delta_f"])),
    )


def _overlap(forward: Floats, reverse: Floats, delta_f: float) -> float:
    """Return 1 minus the second eigenvalue of MBAR's overlap matrix, here (N_0 + N_1) sum_n W_n0 W_n1."""
    ratio = np.exp(delta_f - np.concatenate([forward, -reverse]))
    weight = 1.0 / (len(forward) + len(reverse) * ratio)
    return float(len(ratio) * np.sum(ratio * weight**2))


def _uncorrelated(work: Floats) -> tuple[Floats, float]:
    """Return an uncorrelated subsample and the effective number of samples."""
    with _quiet_pymbar():
        from pymbar import timeseries
    inefficiency = float(timeseries.statistical_inefficiency(work))
    kept = timeseries.subsample_correlated_data(work, g=inefficiency)
    return work[np.asarray(kept, dtype=np.intp)], len(work) / inefficiency


@contextmanager
def _quiet_pymbar() -> Iterator[None]:
    """Keep pymbar's import messages (no JAX, a general caution) out of the unit logs."""
    logger = logging.getLogger("pymbar")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
