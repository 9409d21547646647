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
from scipy import special

__all__ = ["FALSE_FLAGS", "Finding", "deviate", "ranked", "two_sided"]

#: Of the findings of one check that are flagged, this share is expected to be due to chance.
FALSE_FLAGS: Final = 0.05


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
    """

    subject: tuple[Hashable, ...]
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    z: float
    p_value: float
    flagged: bool = False


def deviate(value: float, uncertainty: float) -> float:
    """Value over uncertainty; infinite where something exact is missed."""
    if uncertainty > 0:
        return value / uncertainty
    return math.copysign(math.inf, value) if value else 0.0


def two_sided(z: float) -> float:
    """Probability of a normal deviate at least as far from zero."""
    return float(2.0 * special.ndtr(-abs(z)))


def ranked(findings: Iterable[Finding], *, looked: int | None = None) -> list[Finding]:
    """Order findings of one check, least probable first, and flag those that many looks do not explain.

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
    return [replace(f, flagged=True) for f in ordered[:n_flagged]] + ordered[n_flagged:]
