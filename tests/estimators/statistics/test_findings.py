"""Checks of consistency: planted errors are found, named and flagged; chance is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from alchemiscale_lake.estimators.network.pooling import pool_spread
from alchemiscale_lake.estimators.statistics.findings import Finding, deviate, ranked, two_sided

# --- flags ------------------------------------------------------------------------------------------


def test_flags_are_those_of_benjamini_and_hochberg() -> None:
    found = ranked([Finding((k,), 1.0, 1.0, 0.0, p) for k, p in enumerate([0.5, 0.001, 0.02, 0.9, 0.012])])

    assert [f.subject[0] for f in found] == [1, 4, 2, 0, 3]
    assert [f.flagged for f in found] == [True, True, True, False, False]
    assert not any(f.flagged for f in ranked([Finding((2,), 0.0, 1.0, 0.0, 0.001)], looked=100))
    assert ranked([]) == []


def test_an_exact_thing_missed_is_infinitely_far() -> None:
    assert [deviate(v, u) for v, u in ((1.0, 0.5), (0.0, 0.0), (-1.0, 0.0))] == [2.0, 0.0, -math.inf]
    assert two_sided(-math.inf) == 0.0
    assert two_sided(1.959963984540054) == pytest.approx(0.05)


def test_what_is_too_small_to_act_upon_is_not_flagged() -> None:
    flags = [ranked([Finding((0,), off, 0.001, 50.0, 1e-20)])[0].flagged for off in (0.02, -0.29, 0.31, -0.31)]
    assert flags == [False, False, True, True]
    (of_scatter,) = ranked([Finding((0,), 0.4, 0.39, 9.0, 1e-20, effect_kcal_mol=0.01)])
    assert not of_scatter.flagged


def test_a_leg_of_many_results_needs_its_own_scatter_to_have_an_outlier() -> None:
    # statements are off by factors up to ten, so the network contributes little to a leg of ten results
    rng = np.random.default_rng(3)
    stated = np.geomspace(0.03, 3.0, 40)
    values = [rng.normal(0, 0.3, 10) for _ in stated]
    spread = pool_spread(stated**2, np.full(40, 10), np.array([v.std(ddof=1) for v in values]))

    p = spread.result_probability([1.5], [3.0**2], [9], [0.3])

    assert spread.prior_dof < 4
    assert p[0] >= 2 * special.stdtr(8, -1.5 / (0.3 * math.sqrt(10 / 9)))
