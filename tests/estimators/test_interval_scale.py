from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.estimators.cost.interval_scale import calibrated_scale, row_kinds, row_scales


@pytest.mark.parametrize("n", [25, 37, 200])
@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_new_errors_are_inside_as_often_as_stated(n: int, confidence: float) -> None:
    rng = np.random.default_rng(n)
    inside = 0
    for _ in range(2_000):
        z, new = np.abs(rng.normal(0, 0.7, n)), np.abs(rng.normal(0, 0.7))
        inside += new <= calibrated_scale(z, confidence) * ndtri(0.5 + confidence / 2)

    assert 0.0005 < binom.cdf(inside, 2_000, confidence) < 0.9995


def test_few_errors_widen_only() -> None:
    assert calibrated_scale(np.full(10, 0.1), 0.9) == 1.0
    assert calibrated_scale(np.full(10, 5.0), 0.9) > 3.0
    assert calibrated_scale(np.full(30, 0.1), 0.9) < 0.1
    assert calibrated_scale(np.zeros(0), 0.9) == 1.0


def test_each_kind_of_row_has_its_factor_and_unlike_rows_are_not_narrowed() -> None:
    kinds = row_kinds(derive({"is_complex": np.array([1.0, 1.0, 0.0, np.nan])}))

    scales = row_scales(kinds, {"complex": 0.5}, default=2.0, unlike=np.array([False, True, False, False]))

    np.testing.assert_allclose(scales, [0.5, 1.0, 2.0, 2.0])


def test_groups_left_out_do_not_narrow_groups_that_were_seen() -> None:
    kinds, no = np.full(2, "other"), np.zeros(2, dtype=bool)

    narrow = row_scales(kinds, {}, default=0.5, unlike=no, seen=np.array([True, False]))
    wide = row_scales(kinds, {}, default=3.0, unlike=no, seen=np.array([True, False]))

    assert narrow[0] > 1.0
    assert narrow[1] == 0.5
    np.testing.assert_array_equal(wide, 3.0)
