from __future__ import annotations

import numpy as np

from alchemiscale_lake.estimators.cost.design_columns import BLOCKS, POOLED, columns_of, design
from alchemiscale_lake.estimators.cost.features import derive


def _derived(n: int = 4, **columns: object):  # type: ignore[no-untyped-def]
    rows = {"n_atoms": np.full(n, 30_000.0), "protocol": np.full(n, "P"), "gpu_model": np.full(n, "L40S")}
    return derive({**rows, **{name: np.asarray(values) for name, values in columns.items()}})


def test_blocks_are_all_known() -> None:
    laid_out = design(_derived(group=["a", "b", "a", "b"], campaign=["x"] * 4, is_complex=[1.0] * 4))

    assert set(laid_out.columns.block) <= set(BLOCKS)
    assert set(POOLED) <= set(BLOCKS)


def test_new_levels_come_after_the_known_ones() -> None:
    known = design(_derived()).columns

    laid_out = design(_derived(protocol=["P", "Q", "P", "Q"]), known)

    assert laid_out.columns.block[: len(known.block)] == known.block
    assert laid_out.columns.level[: len(known.level)] == known.level
    assert columns_of(laid_out.columns, "protocol") == ["P", "Q"]


def test_rows_without_groups_have_none_unless_training_had() -> None:
    grouped = design(_derived(group=["a", "a", "b", "b"])).columns

    assert columns_of(design(_derived()).columns, "group") == []
    assert columns_of(design(_derived(), grouped).columns, "group") == ["a", "b", ""]


def test_rare_groups_share_the_noise() -> None:
    laid_out = design(_derived(n=6, group=["a", "a", "b", "b", "b", "c"]), most_levels=2)

    assert sorted(columns_of(laid_out.columns, "group")) == ["a", "b"]


def test_order_of_rows_does_not_matter() -> None:
    derived = _derived(n=3, n_atoms=[1e4, 5e4, 2e4], protocol=["P", "Q", "R"])
    columns = design(derived).columns

    there = design(derived, columns).matrix.toarray()
    back = design(_derived(n=3, n_atoms=[2e4, 5e4, 1e4], protocol=["R", "Q", "P"]), columns).matrix.toarray()

    np.testing.assert_allclose(back, there[::-1])
