from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimates.experiment_pairs import (
    PAIR_COLUMNS,
    centred_pairs,
    ddg_pairs,
    dg_pairs,
    edge_pairs,
    error_share,
    pair_performance,
)

RANKING = pl.DataFrame(
    {
        "kind": ["binding", "binding", "binding", "hydration"],
        "component": [0, 0, 0, 0],
        "ligand": ["a", "b", "c", "a"],
        "value_kcal_mol": [-8.0, -7.5, None, -3.0],
        "uncertainty_kcal_mol": [0.1, 0.2, None, None],
        "experiment_kcal_mol": [-8.5, -7.0, -6.0, None],
        "experiment_uncertainty_kcal_mol": [0.3, 0.4, 0.5, None],
    }
)


def edges(*rows: tuple[str, str, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(kind, i, j, value, 0.1, ["leg"]) for kind, i, j, value in rows],
        schema=["kind", "ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol", "legs"],
        orient="row",
    )


def test_ligands_need_an_estimate_and_an_experiment() -> None:
    pairs = dg_pairs(RANKING)

    assert pairs.columns == list(PAIR_COLUMNS)
    assert pairs.rows() == [("a", -8.5, 0.3, -8.0, 0.1), ("b", -7.0, 0.4, -7.5, 0.2)]


def test_ligands_are_in_the_order_in_which_compare_resamples_them() -> None:
    rows = RANKING.filter(pl.col("value_kcal_mol").is_not_null()).sort("ligand", descending=True)
    apart = rows.with_columns(component=pl.when(pl.col("ligand") == "a").then(1).otherwise(0))

    assert dg_pairs(rows)["label"].to_list() == ["a", "b"]
    assert dg_pairs(apart)["label"].to_list() == ["b", "a"]


def test_the_experiment_of_an_edge_is_the_difference_of_its_ligands() -> None:
    pairs = ddg_pairs(edges(("binding", "b", "a", 1.0), ("binding", "a", "c", 2.0)), RANKING)

    assert pairs.columns == list(PAIR_COLUMNS)
    assert pairs["label"].to_list() == ["a -> c", "b -> a"]
    assert pairs["experiment"].to_list() == pytest.approx([2.5, -1.5])
    assert pairs["experiment_uncertainty"].to_list() == pytest.approx([math.hypot(0.3, 0.5), 0.5])
    assert pairs["estimate"].to_list() == [2.0, 1.0]


def test_edges_without_estimate_experiment_or_of_another_kind_are_left_out() -> None:
    rows = edges(("binding", "a", "b", None), ("binding", "a", "x", 1.0), ("hydration", "a", "b", 1.0))

    assert ddg_pairs(rows, RANKING).is_empty()


def compared(network: str, component: int, *rows: tuple[str, float, float], absolute: bool = False) -> pl.DataFrame:
    return pl.DataFrame(
        [(network, "binding", component, ligand, x, 0.2, y, 0.1, absolute) for ligand, x, y in rows],
        schema=[
            "network",
            "kind",
            "component",
            "ligand",
            "experiment_kcal_mol",
            "experiment_uncertainty_kcal_mol",
            "value_kcal_mol",
            "uncertainty_kcal_mol",
            "absolute_results",
        ],
        orient="row",
    )


def test_components_are_centred_one_by_one() -> None:
    one = compared("m", 0, ("a", -8.0, 100.0), ("b", -6.0, 103.0))
    two = compared("n", 0, ("a", -4.0, 0.0), ("c", -2.0, 1.0))

    pairs = centred_pairs(pl.concat([one, two]))

    # the mean of all experiments is -5
    assert pairs["experiment"].to_list() == pytest.approx([-6.0, -4.0, -6.0, -4.0])
    assert pairs["estimate"].to_list() == pytest.approx([-6.5, -3.5, -5.5, -4.5])


def test_a_ligand_that_is_alone_in_its_component_says_nothing() -> None:
    rows = pl.concat([compared("n", 0, ("a", 1.0, 1.0), ("b", 2.0, 2.0)), compared("n", 1, ("c", 9.0, 9.0))])

    assert centred_pairs(rows)["label"].to_list() == ["a", "b"]


def test_absolute_results_are_not_centred() -> None:
    fixed = compared("m", 0, ("a", -8.0, -7.0), ("b", -6.0, -4.0), absolute=True)
    alone = compared("m", 1, ("c", -5.0, -3.0), absolute=True)
    moved = compared("n", 0, ("a", -8.0, 100.0), ("b", -6.0, 103.0))

    pairs = centred_pairs(pl.concat([fixed, alone, moved]))

    assert (pairs["estimate"] - pairs["experiment"]).to_list() == pytest.approx([1.0, 2.0, 2.0, -0.5, 0.5])
    assert pairs["experiment"].to_list()[:3] == [-8.0, -6.0, -5.0]


@given(st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=2, max_size=8), st.floats(-100, 100))
def test_centred_pairs_do_not_depend_on_the_zero_of_estimates(values: list[tuple[float, float]], shift: float) -> None:
    plain = compared("n", 0, *((f"l{i}", x, y) for i, (x, y) in enumerate(values)))
    shifted = plain.with_columns(pl.col("value_kcal_mol") + shift)

    one, other = centred_pairs(plain), centred_pairs(shifted)

    assert one["estimate"].to_list() == pytest.approx(other["estimate"].to_list(), abs=1e-9)
    assert one["estimate"].mean() == pytest.approx(one["experiment"].mean())


def test_edges_of_comparisons_keep_their_values() -> None:
    rows = edges(("binding", "a", "b", 1.5)).with_columns(
        experiment_kcal_mol=pl.lit(1.0), experiment_uncertainty_kcal_mol=pl.lit(0.4)
    )

    assert edge_pairs(rows).rows() == [("a -> b", 1.0, 0.4, 1.5, 0.1)]


def pairs_of(experiment: list[float], estimate: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"experiment": experiment, "estimate": estimate})


def test_statistics_keep_a_common_offset() -> None:
    """Estimates with an experiment are on its scale already: an offset is an error."""
    found = pair_performance(pairs_of([1.0, 2.0, 4.0], [2.0, 3.0, 5.0]))

    assert found["RMSE"].value == pytest.approx(1.0)
    assert found["MUE"].value == pytest.approx(1.0)


def test_correlations_of_edges_do_not_depend_on_their_direction() -> None:
    one = pair_performance(pairs_of([1.0, 2.0, 0.5], [1.5, 1.0, 0.2]), both_directions=True)
    turned = pair_performance(pairs_of([-1.0, 2.0, 0.5], [-1.5, 1.0, 0.2]), both_directions=True)

    assert one["R2"].value == pytest.approx(turned["R2"].value)
    assert pair_performance(pairs_of([1.0, 2.0, 0.5], [1.5, 1.0, 0.2]))["R2"].value != pytest.approx(one["R2"].value)


def test_the_share_of_errors_is_of_estimate_minus_experiment() -> None:
    found = error_share(
        pairs_of([0.0, 1.0, 2.0, 3.0], [0.5, 1.0, 0.0, 4.0]), n_bootstrap=5, rng=np.random.default_rng(0)
    )

    np.testing.assert_allclose(found.size, [0.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(found.share, [0.0, 0.25, 0.5, 0.75, 1.0])
    assert np.isfinite(found.low).all()
