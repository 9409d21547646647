"""One finding about the consistency of estimates, and which of many findings are worth a flag.

Owns the record and the correction for looking many times. The checks are `replicate_checks`',
`cycle_closure`'s and `edge_checks`'.
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

#: Of the findings of one check that are flagged, this share is expected to be due to chance.
FALSE_FLAGS: Final = 0.05
#: What is off by less is not flagged: a factor of ten in affinity is 1.36 kcal/mol at 298 K.
LEAST_EFFECT_KCAL_MOL: Final = 0.3
_LEAST_P: Final = 1e-300

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one thing.

    Attributes
    ----------
    subject : tuple of hashable
        What it is about: an edge's two ligands, the ligands around a cycle, a position among the legs.
    value_kcal_mol : float
        What was found; zero would be perfect agreement. NaN where a check has no value in kcal/mol.
    uncertainty_kcal_mol : float
        Standard error expected of it.
    z : float
        Value over uncertainty, or the normal deviate that is as improbable.
    p_value : float
        Probability of at least as much by chance, two-sided.
    flagged : bool
        Whether it stands out among all findings of its check.
    effect_kcal_mol : float, optional
        How much it is off, where that is not the value.
    """

    subject: tuple[Hashable, ...]
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    z: float
    p_value: float
    flagged: bool = False
    effect_kcal_mol: float | None = None


def deviate(value: float, uncertainty: float) -> float:
    """Value over uncertainty; infinite where something exact is missed."""
    if uncertainty > 0:
        return value / uncertainty
    return math.copysign(math.inf, value) if value else 0.0


def two_sided(z: float) -> float:
    """Probability of a normal deviate at least as far from zero."""
    return float(2.0 * special.ndtr(-abs(z)))


def normal_deviate(p: FloatArray) -> FloatArray:
    """Return how far from zero a normal deviate is that is as improbable, two-sided."""
    return np.asarray(-special.ndtri(np.maximum(p, _LEAST_P) / 2), dtype=np.float64)


def ranked(findings: Iterable[Finding], *, looked: int | None = None) -> list[Finding]:
    """Order findings of one check, least probable first, and flag those that many looks do not explain.

    What is smaller than `LEAST_EFFECT_KCAL_MOL` is never flagged, however improbable: nobody would act on it.

    The flags are those of Benjamini & Hochberg: of all flagged, a share of `FALSE_FLAGS` is expected
    to be chance; with nothing wrong anywhere, one check in twenty flags anything at all.

    Parameters
    ----------
    findings : iterable of Finding
    looked : int, optional
        How many things were looked at, where only the least probable are given.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    # z tells apart what is too improbable for a float
    ordered = sorted(findings, key=lambda f: (f.p_value, -abs(f.z)))
    p = np.array([finding.p_value for finding in ordered], dtype=np.float64)
    allowed = np.flatnonzero(p <= FALSE_FLAGS * (np.arange(len(p)) + 1) / max(looked or len(p), 1))
    n_flagged = int(allowed[-1]) + 1 if len(allowed) else 0
    return [replace(f, flagged=_matters(f)) for f in ordered[:n_flagged]] + ordered[n_flagged:]


def _matters(finding: Finding) -> bool:
    effect = finding.value_kcal_mol if finding.effect_kcal_mol is None else finding.effect_kcal_mol
    return math.isnan(effect) or abs(effect) >= LEAST_EFFECT_KCAL_MOL
