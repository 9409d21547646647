"""Uncertainty of the mean of each leg of a network.

Owns the choice between the uncertainties that a leg's results state, their scatter, and the information from other
legs of the network. Rules:

========== =========================================================================================
rule       uncertainty of a leg's mean
========== =========================================================================================
``pooled`` from the scatter of the repeats of all similar legs together (`pooling`), scaled so that
           plus and minus 1.96 of it cover 95 % (default)
others     from the leg's own results alone: ``larger``, ``own``, ``sem``, ``sd`` of `replicates`
========== =========================================================================================

How ``pooled`` works, in this order:

* Legs of one group (for example, a Protocol and a phase) are similar. A group without repeats uses the spread of the
  whole network.
* A leg with one result uses the network's spread, too.
* If no leg of the network has repeats, only the uncertainties stated by the results are available; the cycles of the
  network may correct them afterwards (`cycle_closure.scale_from_cycles`).
* Results that agree to the last digit are copies, not repeats: they count as one.
* A stated uncertainty of zero is accepted (an exact leg) only in a group where some state more than zero and none that
  state zero scatter, or where every leg has repeats and none scatters; a Protocol that derives its uncertainty from
  repeats within one result states zero if it made only one. Otherwise it counts as unstated.
* A stated uncertainty that repeats strongly contradict (`pooling`, doubt above one half) is overruled: a leg that
  scatters less gets the uncertainty that similar legs state, one that scatters more its observed one.
* Results without a stated uncertainty are assumed to be like the stated ones of their group (root mean square);
  without any, all results of the group have one unknown variance, estimated from the scatter.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from .pooling import PooledSpread, pool_spread
from .replicates import ReplicateRule, choose_uncertainty

__all__ = ["LegEvidence", "LegRule", "LegUncertainties", "leg_uncertainties"]

LegRule = Literal["pooled", "larger", "own", "sem", "sd"]

#: Results that differ by less than this fraction of their size agree to the last digit.
_COPY_SHARE: Final = 1e-12
#: A stated uncertainty with a larger posterior doubt is overruled.
_MEANS_NOTHING: Final = 0.5

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LegEvidence:
    """Evidence on one leg from its own results: a row of `replicates`.

    Attributes
    ----------
    value_kcal_mol : float
        Mean; NaN for a leg without results.
    n : int
        Number of results.
    sd_kcal_mol : float
        Their sample standard deviation; NaN for one.
    own_uncertainty_kcal_mol : float
        Uncertainty of the mean from the stated ones; NaN if none is stated.
    group : hashable
        Legs of one group have similar scatter.
    """

    value_kcal_mol: float
    n: int
    sd_kcal_mol: float
    own_uncertainty_kcal_mol: float
    group: Hashable = None


@dataclass(frozen=True, slots=True, eq=False)
class LegUncertainties:
    """Uncertainties of the legs of a network.

    Attributes
    ----------
    uncertainty_kcal_mol : ndarray, shape (m,)
        One per leg; NaN if unknown, or the leg has no value.
    spreads : dict of group to PooledSpread or None
        Pooled spread of each group; None without repeats to pool. Empty unless `pooled`.
    borrowed : frozenset of group
        Groups that use the spread of the whole network.
    overruled_kcal2_mol2 : dict of int to float
        Overruled stated variance of one result, by leg.
    n : ndarray of int, shape (m,)
        Number of results that count as independent repeats.
    stated_variance_kcal2_mol2 : ndarray, shape (m,)
        Variance of one result as used; NaN if unstated.
    """

    uncertainty_kcal_mol: FloatArray
    spreads: dict[Hashable, PooledSpread | None]
    borrowed: frozenset[Hashable]
    overruled_kcal2_mol2: dict[int, float]
    n: NDArray[np.int64]
    stated_variance_kcal2_mol2: FloatArray

    @property
    def replicated(self) -> bool:
        """Return whether any leg has repeats that were pooled."""
        return any(spread is not None for spread in self.spreads.values())


@dataclass(frozen=True, slots=True)
class _Legs:
    """Columns of the evidence, and quantities derived from them."""

    n: NDArray[np.int64]
    sd: FloatArray
    variance: FloatArray
    exact: BoolArray


def leg_uncertainties(evidence: Sequence[LegEvidence], rule: LegRule = "pooled") -> LegUncertainties:
    """Choose the uncertainty of every leg of a network.

    Parameters
    ----------
    evidence : sequence of LegEvidence, length m
        All legs of the network.
    rule : {"pooled", "larger", "own", "sem", "sd"}
        See the module docstring.

    Raises
    ------
    EstimatorInputError
        If the rule is unknown.
    """
    if rule not in get_args(LegRule):
        raise EstimatorInputError(f"rule {rule!r} is unknown; take one of {', '.join(get_args(LegRule))}", rule=rule)
    groups: dict[Hashable, list[int]] = {}
    for position, leg in enumerate(evidence):
        if not np.isnan(leg.value_kcal_mol):
            groups.setdefault(leg.group, []).append(position)
    legs = _read(evidence, groups)
    if rule == "pooled":
        return LegUncertainties(*_pooled(legs, groups), legs.n, legs.variance)
    alone: ReplicateRule = rule
    given = [
        choose_uncertainty(leg.n, leg.sd_kcal_mol, leg.own_uncertainty_kcal_mol, alone)[0]
        if not np.isnan(leg.value_kcal_mol)
        else np.nan
        for leg in evidence
    ]
    return LegUncertainties(np.array(given, dtype=np.float64), {}, frozenset(), {}, legs.n, legs.variance)


def _read(evidence: Sequence[LegEvidence], groups: dict[Hashable, list[int]]) -> _Legs:
    value = np.array([leg.value_kcal_mol for leg in evidence], dtype=np.float64)
    n = np.array([leg.n for leg in evidence], dtype=np.int64)
    sd = np.array([leg.sd_kcal_mol for leg in evidence], dtype=np.float64)
    own = np.array([leg.own_uncertainty_kcal_mol for leg in evidence], dtype=np.float64)
    variance = own**2 * np.maximum(n, 1)
    copies = (n > 1) & (sd <= _COPY_SHARE * np.abs(value))
    exact = np.zeros(len(n), dtype=bool)
    for positions in groups.values():
        of_group = np.array(positions)
        zero = variance[of_group] == 0
        if _zero_is_meant(zero, (variance[of_group] > 0).any(), n[of_group], copies[of_group]):
            exact[of_group] = zero
        variance[of_group] = _filled(variance[of_group])
    return _Legs(np.where(copies, 1, n), np.where(copies, np.nan, sd), variance, exact)


def _zero_is_meant(zero: BoolArray, some_state_more: bool, n: NDArray[np.int64], copies: BoolArray) -> bool:
    scattering = (zero & (n > 1) & ~copies).any()
    return bool(not scattering and (some_state_more or copies.all()))


def _filled(variance: FloatArray) -> FloatArray:
    """Replace unstated variances by the mean of the stated ones; NaN if none is stated."""
    stated = variance > 0
    mean = variance[stated].mean() if stated.any() else np.nan
    return np.where(stated, variance, mean)


def _pooled(
    legs: _Legs, groups: dict[Hashable, list[int]]
) -> tuple[FloatArray, dict[Hashable, PooledSpread | None], frozenset[Hashable], dict[int, float]]:
    uncertainty = np.full(len(legs.n), np.nan)
    known = [position for positions in groups.values() for position in positions]
    everywhere = _pool(legs, np.array(known, dtype=np.int64))
    spreads: dict[Hashable, PooledSpread | None] = {}
    borrowed = set()
    overruled: dict[int, float] = {}
    for group, positions in groups.items():
        of_group = np.array(positions)
        spread = everywhere if len(groups) == 1 else _pool(legs, of_group)
        if spread is None and everywhere is not None:
            spread = everywhere
            borrowed.add(group)
        spreads[group] = spread
        if spread is not None and group not in borrowed:
            overruled |= _overrule(legs, of_group, spread)
        variance, n = legs.variance[of_group], legs.n[of_group]
        if spread is None or (spread.scale == "own" and np.isnan(variance).any()):
            uncertainty[of_group] = np.sqrt(variance / n)
        else:
            uncertainty[of_group] = spread.uncertainty(variance, n, legs.sd[of_group])
        uncertainty[of_group[legs.exact[of_group]]] = 0.0
    return uncertainty, spreads, frozenset(borrowed), overruled


def _overrule(legs: _Legs, positions: NDArray[np.int64], spread: PooledSpread) -> dict[int, float]:
    """Replace implausible stated variances; return the original ones, by leg.

    A leg that scatters less than it states gets the variance that similar legs state, one that scatters more its own.
    """
    inexact = positions[~legs.exact[positions]]
    doubted = spread.doubt > _MEANS_NOTHING
    if doubted.all() or not doubted.any():
        return {}
    typical = float(np.median(legs.variance[inexact[~doubted]]))
    stated = {int(k): float(legs.variance[k]) for k in inexact[doubted]}
    for k, variance in stated.items():
        shown = legs.sd[k] ** 2 / spread.ratio
        legs.variance[k] = shown if shown > variance else typical
    return stated


def _pool(legs: _Legs, positions: NDArray[np.int64]) -> PooledSpread | None:
    """Return the spread of the legs with repeats, if any."""
    inexact = positions[~legs.exact[positions]]
    if not (legs.n[inexact] > 1).any():
        return None
    variance = legs.variance[inexact]
    stated = not np.isnan(variance).any()
    return pool_spread(variance if stated else None, legs.n[inexact], legs.sd[inexact])
