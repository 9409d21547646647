"""The standard deviation that represents a mixture of normal distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from alchemiscale_lake.estimators.statistics.normal_mixture import NORMAL_95, mixture_sd


def test_one_normal_distribution_has_its_own() -> None:
    assert mixture_sd(np.array([0.3]), np.array([1.0])) == pytest.approx(0.3)


def test_plus_and_minus_1_96_hold_95_per_cent() -> None:
    sd, weight = np.array([0.0, 0.1, 2.0]), np.array([0.2, 0.5, 0.3])

    found = mixture_sd(sd, weight)

    outside = weight[1:] @ (2 * special.ndtr(-NORMAL_95 * found / sd[1:]))
    assert outside == pytest.approx(0.05)


def test_what_is_nearly_always_zero_is_zero() -> None:
    assert mixture_sd(np.array([0.0, 1.0]), np.array([0.97, 0.03])) == 0.0
    assert mixture_sd(np.zeros(2), np.full(2, 0.5)) == 0.0
