"""Findings on the consistency of estimates, and which of many findings to flag.

Owns the record and the correction for multiple testing. The checks are in `replicate_checks`, `cycle_closure` and
`edge_checks`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["FALSE_FLAGS", "LEAST_EFFECT_KCAL_MOL", "Finding", "deviate", "normal_deviate", "ranked", "two_sided"]

#: Expected false discovery rate among the flagged findings of one check.
FALSE_FLAGS: Final = 0.05
#: Smaller deviations are not flagged: a factor of ten in affinity is 1.36 kcal/mol at 298 K.
LEAST_EFFECT_KCAL_MOL: Final = 0.3
_LEAST_P: Final = 1e-300

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check.

    Attributes
    ----------
    subject : tuple of hashable
        Subject: an edge's two ligands, the ligands around a cycle, an index of a leg.
    value_kcal_mol : float
        Observed deviation; zero is perfect agreement. NaN if a check has no value in kcal/mol.
    uncertainty_kcal_mol : float
        Standard error of the value.
    z : float
        Value divided by uncertainty, or the normal deviate with the same p-value.
    p_value : float
        Probability of a deviation at least this large by chance, two-sided.
    flagged : bool
        Whether it is significant among all findings of its check.
    effect_kcal_mol : float, optional
        Size of the deviation, if it is not the value.
    """

    subject: tuple[Hashable, ...]
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    z: float
    p_value: float
    flagged: bool = False
    effect_kcal_mol: float | None = None


def deviate(value: float, uncertainty: float) -> float:
    """Return value divided by uncertainty; infinite for a deviation from something exact.

    Parameters
    ----------
    value : float
        Deviation from its expectation.
    uncertainty : float
        Its standard error, in the unit of the value; may be zero.
    """
    if uncertainty > 0:
        return value / uncertainty
    return math.copysign(math.inf, value) if value else 0.0


def two_sided(z: float) -> float:
    """Return the probability of a normal deviate at least as far from zero."""
    return float(2.0 * special.ndtr(-abs(z)))


def normal_deviate(p: FloatArray) -> FloatArray:
    """Return the absolute normal deviate with this two-sided probability."""
    return np.asarray(-special.ndtri(np.maximum(p, _LEAST_P) / 2), dtype=np.float64)


def ranked(findings: Iterable[Finding], *, looked: int | None = None) -> list[Finding]:
    """Sort findings of one check, least probable first, and flag those that are significant.

    Deviations below `LEAST_EFFECT_KCAL_MOL` are never flagged, however improbable, since they are irrelevant in
    practice.

    Flags follow Benjamini & Hochberg: of all flagged findings, an expected fraction of `FALSE_FLAGS` is due to chance;
    if nothing is wrong, one check in twenty flags anything at all.

    Parameters
    ----------
    findings : iterable of Finding
    looked : int, optional
        Number of things that were checked, if only the least probable are given.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    # z distinguishes probabilities that are too small for a float
    ordered = sorted(findings, key=lambda f: (f.p_value, -abs(f.z)))
    p = np.array([finding.p_value for finding in ordered], dtype=np.float64)
    allowed = np.flatnonzero(p <= FALSE_FLAGS * (np.arange(len(p)) + 1) / max(looked or len(p), 1))
    n_flagged = int(allowed[-1]) + 1 if len(allowed) else 0
    return [replace(f, flagged=_matters(f)) for f in ordered[:n_flagged]] + ordered[n_flagged:]


def _matters(finding: Finding) -> bool:
    effect = finding.value_kcal_mol if finding.effect_kcal_mol is None else finding.effect_kcal_mol
    return math.isnan(effect) or abs(effect) >= LEAST_EFFECT_KCAL_MOL
