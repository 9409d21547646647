"""Combination of several results of one Transformation into one estimate.

Owns the combination of repeats and the uncertainty of the mean from the repeats of its own Transformation. The
uncertainty of a single result comes from its Protocol; information from a network's other Transformations is added in
`leg_uncertainties`.

The error of a mean of n repeats can be estimated from the uncertainties that the results state, and from the scatter
between them. Stated ones miss what a single run never sampled; the scatter of two or three repeats may be near zero by
chance. Rules:

========== =======================================================================================
rule       uncertainty of the mean
========== =======================================================================================
``larger`` the larger of ``own`` and ``sem``: neither zero by chance nor blind to scatter (default)
``own``    ``sqrt(sum(u_i ** 2)) / n`` from the stated uncertainties
``sem``    sample standard deviation over ``sqrt(n)``
``sd``     sample standard deviation (ddof = 1), openfe's convention for repeats
========== =======================================================================================

A single result has no scatter: every rule then falls back to ``own``, as recorded in the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError

__all__ = ["ReplicateEstimate", "ReplicateRule", "choose_uncertainty", "combine"]

ReplicateRule = Literal["larger", "own", "sem", "sd"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReplicateEstimate:
    """One Transformation from n results, in the unit of its input (kcal/mol throughout this project).

    Attributes
    ----------
    value : float
        Arithmetic mean.
    uncertainty : float
        By `rule`; NaN if unknown.
    n : int
        Number of results included.
    rule : str
        Rule used for `uncertainty`; not the requested one if that had too little data.
    sd : float
        Sample standard deviation (ddof = 1); NaN for a single result.
    own_uncertainty : float
        Uncertainty of the mean from the stated ones; NaN if none is stated.
    """

    value: float
    uncertainty: float
    n: int
    rule: ReplicateRule
    sd: float
    own_uncertainty: float


def combine(
    values: Sequence[float | None] | FloatArray,
    uncertainties: Sequence[float | None] | FloatArray | None = None,
    rule: ReplicateRule = "larger",
) -> ReplicateEstimate:
    """Combine the results of one Transformation.

    Parameters
    ----------
    values : sequence of float, length n
        One per result. None and NaN are results without an estimate and are left out.
    uncertainties : sequence of float, length n, optional
        Standard errors stated by the results. None and NaN are unstated: if some are stated, the others are assumed to
        be like them (root mean square).
    rule : {"larger", "own", "sem", "sd"}
        Rule for the uncertainty of the mean, see the module docstring.

    Returns
    -------
    ReplicateEstimate
        Mean, uncertainty, and both kinds of evidence.

    Raises
    ------
    EstimatorInputError
        If no value is usable, a number is infinite, an uncertainty is negative, lengths differ, or the rule is
        unknown.
    """
    _check_rule(rule)
    x, u = _usable(values, uncertainties)
    # plain Python numbers: there are many legs with few results, and arrays would be ten times slower
    n = len(x)
    mean = math.fsum(x) / n
    stated = [uncertainty for uncertainty in u if not math.isnan(uncertainty)]
    own = math.sqrt(math.fsum(s**2 for s in stated) / len(stated) / n) if stated else math.nan
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in x) / (n - 1)) if n > 1 else math.nan
    uncertainty, used = choose_uncertainty(n, sd, own, rule)
    return ReplicateEstimate(mean, uncertainty, n, used, sd, own)


def choose_uncertainty(
    n: int, sd: float, own_uncertainty: float, rule: ReplicateRule = "larger"
) -> tuple[float, ReplicateRule]:
    """Return the uncertainty of a mean of n results, and the rule used.

    Parameters
    ----------
    n : int
        Number of results.
    sd : float
        Their sample standard deviation; NaN for one.
    own_uncertainty : float
        Uncertainty of the mean from the stated ones; NaN if none is stated.
    rule : {"larger", "own", "sem", "sd"}
        Requested rule, see the module docstring.

    Raises
    ------
    EstimatorInputError
        If the rule is unknown.
    """
    _check_rule(rule)
    candidates: dict[ReplicateRule, float] = {"own": own_uncertainty, "sem": sd / math.sqrt(n), "sd": sd}
    used = _applicable(rule, candidates)
    return candidates[used], used


def _check_rule(rule: str) -> None:
    if rule not in get_args(ReplicateRule):
        raise EstimatorInputError(
            f"rule {rule!r} is unknown; take one of {', '.join(get_args(ReplicateRule))}", rule=rule
        )


def _applicable(rule: ReplicateRule, candidates: dict[ReplicateRule, float]) -> ReplicateRule:
    """Return the rule that has data: the requested one, else the other kind of evidence."""
    if rule == "larger":
        # Comparisons with NaN are false, so an unstated uncertainty leaves the scatter and vice versa.
        return "sem" if not candidates["own"] >= candidates["sem"] and candidates["sem"] >= 0 else "own"
    if math.isnan(candidates[rule]):
        return "sem" if rule == "own" and not math.isnan(candidates["sem"]) else "own"
    return rule


def _usable(
    values: Sequence[float | None] | FloatArray, uncertainties: Sequence[float | None] | FloatArray | None
) -> tuple[list[float], list[float]]:
    """Return the values that exist, with their stated uncertainties (NaN if unstated)."""
    shapes = [np.asarray(numbers, dtype=object).shape for numbers in (values, uncertainties) if numbers is not None]
    if len(shapes[0]) != 1 or shapes[0] != shapes[-1]:
        message = f"values have shape {shapes[0]} and uncertainties {shapes[-1]}"
        raise EstimatorInputError(f"{message}; give one uncertainty per value")
    x = [_plain(value) for value in values]
    u = [_plain(uncertainty) for uncertainty in uncertainties] if uncertainties is not None else [math.nan] * len(x)
    if any(math.isinf(number) for number in (*x, *u)) or any(uncertainty < 0 for uncertainty in u):
        message = f"values {x} with uncertainties {u}: both must be finite, and uncertainties"
        raise EstimatorInputError(f"{message} not negative; use None for unknown ones")
    there = [k for k, value in enumerate(x) if not math.isnan(value)]
    if not there:
        raise EstimatorInputError(f"none of {len(x)} results has a value; a mean needs at least one")
    return [x[k] for k in there], [u[k] for k in there]


def _plain(value: float | None) -> float:
    return math.nan if value is None else float(value)
