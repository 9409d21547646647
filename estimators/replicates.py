"""Several results of one Transformation, made one estimate.

Owns how repeats combine and which uncertainty the mean gets from the repeats of its own Transformation.
What a single result says of itself comes from its Protocol; what a network's other Transformations add
is `leg_uncertainties`'.

Two things speak about the error of a mean of n repeats: the uncertainties the results state of
themselves, and the scatter between them. Stated ones miss what a single run never saw; the scatter of two
or three repeats may be near zero by luck. Rules:

========== =======================================================================================
rule       uncertainty of the mean
========== =======================================================================================
``larger`` the larger of ``own`` and ``sem``: neither zero by luck nor blind to scatter (default)
``own``    ``sqrt(sum(u_i ** 2)) / n`` from the stated uncertainties
``sem``    sample standard deviation over ``sqrt(n)``
``sd``     sample standard deviation (ddof = 1), openfe's convention for repeats
========== =======================================================================================

A single result has no scatter: every rule then falls back to ``own``, and the estimate says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from estimators.errors import EstimatorInputError

__all__ = ["ReplicateEstimate", "Rule", "choose_uncertainty", "combine"]

Rule = Literal["larger", "own", "sem", "sd"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReplicateEstimate:
    """One Transformation from n results, in the unit of its input (kcal/mol throughout this project).

    Attributes
    ----------
    value : float
        Plain mean.
    uncertainty : float
        By `rule`; NaN if nothing is known about it.
    n : int
        Results that entered.
    rule : str
        Rule that gave `uncertainty`; not the one asked for where that had too little to go on.
    sd : float
        Sample standard deviation (ddof = 1); NaN for a single result.
    own_uncertainty : float
        Uncertainty of the mean from the stated ones; NaN if none is stated.
    """

    value: float
    uncertainty: float
    n: int
    rule: Rule
    sd: float
    own_uncertainty: float


def combine(
    values: Sequence[float | None] | FloatArray,
    uncertainties: Sequence[float | None] | FloatArray | None = None,
    rule: Rule = "larger",
) -> ReplicateEstimate:
    """Combine the results of one Transformation.

    Parameters
    ----------
    values : sequence of float, length n
        One per result. None and NaN are results without an estimate and do not enter.
    uncertainties : sequence of float, length n, optional
        Standard errors the results state. None and NaN are unstated: if some are stated, the others are
        taken to be like them (root mean square).
    rule : {"larger", "own", "sem", "sd"}
        Which uncertainty the mean gets, see the module.

    Returns
    -------
    ReplicateEstimate
        Mean, uncertainty, and what both kinds of evidence say.

    Raises
    ------
    EstimatorInputError
        If no value is usable, a number is infinite, an uncertainty is negative, lengths disagree, or the
        rule is unknown.
    """
    _check_rule(rule)
    x, u = _usable(values, uncertainties)
    # plain numbers: legs are many and results few, arrays would cost ten times as much
    n = len(x)
    mean = math.fsum(x) / n
    stated = [uncertainty for uncertainty in u if not math.isnan(uncertainty)]
    own = math.sqrt(math.fsum(s**2 for s in stated) / len(stated) / n) if stated else math.nan
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in x) / (n - 1)) if n > 1 else math.nan
    uncertainty, used = choose_uncertainty(n, sd, own, rule)
    return ReplicateEstimate(mean, uncertainty, n, used, sd, own)


def choose_uncertainty(n: int, sd: float, own_uncertainty: float, rule: Rule = "larger") -> tuple[float, Rule]:
    """Uncertainty of a mean of n results from what is known of them, and the rule that gave it.

    Parameters
    ----------
    n : int
        Results.
    sd : float
        Sample standard deviation over them; NaN for one.
    own_uncertainty : float
        Uncertainty of the mean from the stated ones; NaN if none is stated.
    rule : {"larger", "own", "sem", "sd"}
        Which to take, see the module.

    Raises
    ------
    EstimatorInputError
        If the rule is unknown.
    """
    _check_rule(rule)
    candidates: dict[Rule, float] = {"own": own_uncertainty, "sem": sd / math.sqrt(n), "sd": sd}
    used = _applicable(rule, candidates)
    return candidates[used], used


def _check_rule(rule: str) -> None:
    if rule not in get_args(Rule):
        raise EstimatorInputError(f"rule {rule!r} is unknown; take one of {', '.join(get_args(Rule))}", rule=rule)


def _applicable(rule: Rule, candidates: dict[Rule, float]) -> Rule:
    """Rule that has something to go on: the one asked for, else the other kind of evidence."""
    if rule == "larger":
        # NaN never wins a comparison, so an unstated uncertainty leaves the scatter and the reverse.
        return "sem" if not candidates["own"] >= candidates["sem"] and candidates["sem"] >= 0 else "own"
    if math.isnan(candidates[rule]):
        return "sem" if rule == "own" and not math.isnan(candidates["sem"]) else "own"
    return rule


def _usable(
    values: Sequence[float | None] | FloatArray, uncertainties: Sequence[float | None] | FloatArray | None
) -> tuple[list[float], list[float]]:
    """Values that are there, with what they state of themselves (NaN if nothing)."""
    shapes = [np.asarray(numbers, dtype=object).shape for numbers in (values, uncertainties) if numbers is not None]
    if len(shapes[0]) != 1 or shapes[0] != shapes[-1]:
        message = f"values have shape {shapes[0]} and uncertainties {shapes[-1]}"
        raise EstimatorInputError(f"{message}; give one uncertainty per value")
    x = [_plain(value) for value in values]
    u = [_plain(uncertainty) for uncertainty in uncertainties] if uncertainties is not None else [math.nan] * len(x)
    if any(math.isinf(number) for number in (*x, *u)) or any(uncertainty < 0 for uncertainty in u):
        message = f"values {x} with uncertainties {u}: both must be finite, and uncertainties"
        raise EstimatorInputError(f"{message} not negative; leave unknown ones None")
    there = [k for k, value in enumerate(x) if not math.isnan(value)]
    if not there:
        raise EstimatorInputError(f"none of {len(x)} results has a value; a mean needs at least one")
    return [x[k] for k in there], [u[k] for k in there]


def _plain(value: float | None) -> float:
    return math.nan if value is None else float(value)
