from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.estimators.cost.interval_scale import calibrated_scale, row_kinds, row_scales


def _errors(
    rng: np.random.Generator, n_groups: int, rows: int, shared: float, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw held-out errors with a given part shared by a group's rows, their groups, and errors of new groups."""
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 2 * rows, n_groups))
    of_group = rng.normal(0.0, np.sqrt(shared), n_groups + 100)
    error = of_group[groups] + rng.normal(0.0, np.sqrt(1.0 - shared), len(groups))
    mean = np.bincount(groups, error) / np.bincount(groups)
    # each group is predicted by the mean of the others, a new group by the mean of all
    left_out = error - ((mean.sum() - mean) / (n_groups - 1))[groups]
    new = of_group[n_groups:] + rng.normal(0.0, np.sqrt(1.0 - shared), 100) - mean.mean()
    return width * left_out, groups.astype(str), width * np.abs(new)


# A half or a tenth of the variance is a row's own. Standard error of the coverage: 0.5 %.
@pytest.mark.parametrize("n_groups", [8, 20, 50])
@pytest.mark.parametrize(("rows", "shared"), [(1, 0.5), (10, 0.5), (10, 0.9)])
@pytest.mark.parametrize("width", [0.8, 1.25])
def test_rows_of_new_groups_are_inside_in_nine_of_ten_cases(
    n_groups: int, rows: int, shared: float, width: float
) -> None:
    rng = np.random.default_rng([n_groups, rows, int(10 * shared)])
    inside = []
    for _ in range(300):
        z, groups, new = _errors(rng, n_groups, rows, shared, width)
        inside.append(np.mean(new <= calibrated_scale(z, groups, 0.9) * ndtri(0.95)))

    assert 0.88 < np.mean(inside) < 0.925


@pytest.mark.parametrize("n", [37, 200])
@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_new_errors_are_inside_as_often_as_stated(n: int, confidence: float) -> None:
    rng, groups = np.random.default_rng(n), np.arange(n).astype(str)
    inside = 0
    for _ in range(1_000):
        z, new = rng.normal(0, 0.7, n), np.abs(rng.normal(0, 0.7))
        inside += new <= calibrated_scale(z, groups, confidence) * ndtri(0.5 + confidence / 2)

    assert 0.0005 < binom.cdf(inside, 1_000, confidence) < 0.9995


def test_outliers_of_many_groups_do_not_widen_the_interval_of_the_others() -> None:
    z, groups = np.linspace(-1.0, 1.0, 100), np.arange(100).astype(str)

    scale = calibrated_scale(np.where(np.arange(100) % 25 == 0, 50.0 * z, z), groups, 0.9)

    assert scale == pytest.approx(calibrated_scale(z, groups, 0.9), rel=0.05)


def test_repeats_of_one_error_are_one_error() -> None:
    z, groups = np.random.default_rng(1).normal(size=12), np.arange(12).astype(str)

    once, often = (calibrated_scale(np.repeat(z, k), np.repeat(groups, k), 0.9) for k in (1, 30))
    unlike = calibrated_scale(np.repeat(z, 30), np.arange(360).astype(str), 0.9)

    assert often == pytest.approx(once, rel=0.02)
    assert unlike < 0.95 * once


def test_errors_of_few_groups_widen_only() -> None:
    few, enough = np.arange(7).astype(str), np.arange(30).astype(str)

    assert calibrated_scale(np.full(7, 0.1), few, 0.9) == 1.0
    assert calibrated_scale(np.full(7, 5.0), few, 0.9) > 3.0
    assert calibrated_scale(np.full(700, 5.0), np.tile(few, 100), 0.9) > 5.0
    assert calibrated_scale(np.full(30, 0.1), enough, 0.9) < 0.1
    assert calibrated_scale(np.zeros(0), np.zeros(0, dtype=str), 0.9) == 1.0
    assert calibrated_scale(np.full(3, 2.0), np.zeros(3, dtype=str), 0.9) > 1.0


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
