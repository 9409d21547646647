"""Repeats that disagree, and legs that scatter more than others."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.network.pooling import pool_spread
from alchemiscale_lake.estimators.network.replicate_checks import outlying_results, scattering_legs
from alchemiscale_lake.estimators.statistics.findings import ranked


def legs_with_repeats(n_legs: int = 30) -> tuple[list[np.ndarray], np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(6)
    return [rng.normal(0, 0.2, 3) for _ in range(n_legs)], np.full(n_legs, 0.04)


def test_an_outlying_result_among_three_is_named() -> None:
    values, variance = legs_with_repeats()
    values[7][1] += 2.0
    spread = pool_spread(variance, np.full(30, 3), np.array([v.std(ddof=1) for v in values]))

    odd, looked = outlying_results(values, variance, spread)
    found = ranked(odd, looked=looked)

    assert looked == 90
    assert (found[0].subject, found[0].flagged) == ((7, 1), True)
    assert found[0].value_kcal_mol == pytest.approx(values[7][1] - values[7][[0, 2]].mean())
    assert not any(f.flagged for f in found[1:])


def test_legs_that_scatter_more_than_others_are_named() -> None:
    values, variance = legs_with_repeats()
    values[4] = values[4] * 12
    n, sd = np.full(30, 3), np.array([v.std(ddof=1) for v in values])

    found = ranked(scattering_legs(n, sd, variance, pool_spread(variance, n, sd)))

    assert (found[0].subject, found[0].flagged) == ((4,), True)
    assert found[0].value_kcal_mol == pytest.approx(sd[4])
    assert found[0].uncertainty_kcal_mol == pytest.approx(0.2, rel=0.3)


@pytest.mark.parametrize("n_legs", [1, 2, 12])
def test_legs_of_like_scatter_are_no_findings_however_few(n_legs: int) -> None:
    n, sd, variance = np.full(n_legs, 3), np.linspace(0.19, 0.21, n_legs), np.full(n_legs, 0.04)

    found = scattering_legs(n, sd, variance, pool_spread(variance, n, sd))

    assert len(found) == n_legs
    assert all(0.1 < f.p_value <= 1.0 for f in found)


#: Per cent of networks without any fault in which a result, or the scatter of a leg, is flagged; per cent of planted
#: results (3 kcal/mol off) that are. Stated errors are off by a lognormal factor.
@pytest.mark.parametrize(
    ("n_legs", "n", "off", "least_detected"),
    [(40, 3, 0.0, 85), (40, 3, 0.3, 60), (40, 5, 0.3, 85), (40, 5, 0.6, 55), (8, 5, 0.6, 70), (40, 5, 0.9, 20)],
)
def test_repeats_raise_false_alarms_in_at_most_one_network_of_twenty(
    n_legs: int, n: int, off: float, least_detected: int
) -> None:
    rng = np.random.default_rng(1)
    alarms = np.array([_flags(rng, n_legs, n, off, planted=0.0) for _ in range(100)])
    found = np.array([_flags(rng, n_legs, n, off, planted=3.0)[0] for _ in range(60)])
    # 5 % expected at most: beyond 10 of 100 has a probability of 1 %
    assert (alarms.sum(axis=0) <= 10).all(), alarms.sum(axis=0)
    assert 100 * found.mean() >= least_detected


@pytest.mark.long
@pytest.mark.parametrize(("n_legs", "n", "off"), [(40, 10, 0.9), (40, 6, 0.9), (40, 10, 0.6), (40, 5, 0.9)])
def test_false_alarms_stay_at_one_network_of_twenty_in_many_networks(n_legs: int, n: int, off: float) -> None:
    rng = np.random.default_rng(31)
    alarms = np.array([_flags(rng, n_legs, n, off, planted=0.0) for _ in range(1000)])
    # 50 expected at most: beyond 66 has a probability of 1 %
    assert (alarms.sum(axis=0) <= 66).all(), alarms.sum(axis=0)


def _flags(rng: np.random.Generator, n_legs: int, n: int, off: float, *, planted: float) -> tuple[bool, bool]:
    """Return whether a result (the planted one, if any), and the scatter of a leg, are flagged."""
    true = rng.uniform(0.1, 0.4, n_legs)
    stated = true * np.exp(rng.normal(0, off, n_legs))
    values = true[:, None] * rng.standard_normal((n_legs, n))
    values[0, 0] += planted
    sd, count = values.std(axis=1, ddof=1), np.full(n_legs, n)
    spread = pool_spread(stated**2, count, sd)
    odd, looked = outlying_results(list(values), stated**2, spread)
    of_results = [f for f in ranked(odd, looked=looked) if f.flagged]
    of_legs = [f for f in ranked(scattering_legs(count, sd, stated**2, spread)) if f.flagged]
    return any(f.subject == (0, 0) for f in of_results) if planted else bool(of_results), bool(of_legs)


def test_a_leg_with_far_less_scatter_than_stated_is_reported() -> None:
    sd, n = np.full(20, 0.2), np.full(20, 3)
    variance = np.full(20, 0.04)
    variance[7] = 9e4
    spread = pool_spread(variance, n, sd)
    first, *others = ranked(scattering_legs(n, sd, variance, spread))
    assert (first.subject, first.flagged, first.z < 0) == ((7,), True, True)
    assert not any(f.flagged for f in others)


def test_two_results_do_not_show_which_is_the_outlier() -> None:
    spread = pool_spread([0.04], [2], [0.2])

    assert outlying_results([np.array([0.0, 5.0]), np.array([1.0])], np.array([0.04, 0.04]), spread) == ([], 0)
