"""Closure of cycles, and the scale of uncertainties that it shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import chdtrc

from alchemiscale_lake.estimators.network.cycle_closure import (
    ClosureTest,
    close_cycles,
    closure_of,
    scale_from_cycles,
    too_few_to_check,
)
from alchemiscale_lake.estimators.network.network_mle import solve_network


def test_a_cycle_adds_up_in_its_own_direction() -> None:
    (found,) = close_cycles(["a", "c", "c"], ["b", "b", "a"], np.array([1.0, 3.0, 0.5]), np.array([0.1, 0.2, 0.2]))

    # a -> b (1.0), b -> c (-3.0), c -> a (0.5)
    assert found.subject == ("a", "b", "c")
    assert found.value_kcal_mol == pytest.approx(-1.5)
    assert found.uncertainty_kcal_mol == pytest.approx(0.3)
    assert (found.z, found.flagged) == (pytest.approx(-5.0), True)


def test_rounding_is_not_a_misfit() -> None:
    value = np.array([0.1, 0.2, -(0.1 + 0.2)])

    (found,) = close_cycles(list("abc"), list("bca"), value, np.zeros(3))

    assert (found.value_kcal_mol, found.p_value, found.flagged) == (0.0, 1.0, False)


@pytest.mark.parametrize(
    ("closure", "known", "factor"),
    [
        (ClosureTest(8.0, 8, 0.43), True, 1.0),
        (ClosureTest(400.0, 100, 1e-30), True, 2.0 * 1.0086),
        (ClosureTest(9.5, 1, 0.002), True, 3.703),
        (ClosureTest(0.0, 0, 1.0), True, 1.0),
        (ClosureTest(0.0, 0, 1.0), False, math.nan),
        (ClosureTest(25.0, 100, 1.0), False, 0.5 * 1.0117),
        (ClosureTest(0.0, 2, 1.0), False, 0.0),
    ],
)
def test_cycles_scale_uncertainties_only_where_they_speak(closure: ClosureTest, known: bool, factor: float) -> None:
    assert scale_from_cycles(closure, known=known) == pytest.approx(factor, rel=1e-3, nan_ok=True)


def test_one_cycle_far_off_is_believed_whatever_was_known_before() -> None:
    assert 8 < scale_from_cycles(ClosureTest(300.0, 1, 1e-60)) < 20
    assert scale_from_cycles(ClosureTest(1e12, 1, 0.0)) > 1e3


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8])
def test_cycles_check_uncertainties_if_typical_errors_rarely_close_by_chance(n: int) -> None:
    # errors of 3.6 times the stated uncertainties, in cycles that share no edge
    chi2 = 3.6**2 * np.random.default_rng(n).chisquare(n, 20_000)
    missed = np.mean([scale_from_cycles(ClosureTest(x, n, float(chdtrc(n, x)))) == 1.0 for x in chi2[:2000]])

    assert too_few_to_check(ClosureTest(0.0, n, 1.0)) == (n < 4)
    assert missed == pytest.approx({1: 0.35, 2: 0.16, 3: 0.08, 4: 0.04, 8: 0.002}[n], abs=0.03)
    assert too_few_to_check(ClosureTest(0.0, 0, 1.0))


def test_closure_is_the_chi_square_of_all_cycles() -> None:
    estimate = solve_network(list("abc"), list("bca"), [1.0, 1.0, 1.0], [0.1, 0.1, 0.1])

    closure = closure_of(estimate)

    # one cycle that misses by 3.0 with an uncertainty of 0.1 * sqrt(3)
    assert closure.degrees_of_freedom == 1
    assert closure.chi2 == pytest.approx(300.0)
    assert closure.p_value < 1e-60
    assert closure_of(solve_network(["a"], ["b"], [1.0], [0.1])).p_value == 1.0
