"""Errors shared by repeats: information from few cycles, many cycles and none."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.network import shared_error
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.shared_error import SharedError, estimate_shared_error, with_shared_error
from tests.estimators.replicated_networks import Shape, coverage

RING = ["a", "b", "c", "d"], ["b", "c", "d", "a"]


def solved(node_a: list[str], node_b: list[str], value: list[float], sd: list[float], one: float | None = None):  # type: ignore[no-untyped-def]
    spread = np.array(sd)
    estimate = solve_network(node_a, node_b, value, spread)
    return with_shared_error(
        estimate,
        node_a,
        node_b,
        spread,
        lambda used: solve_network(node_a, node_b, value, used),
        one_result_kcal_mol=one,
    )


@pytest.mark.parametrize(("shape", "low"), [("star", 94.0), ("ring", 93.0), ("dense", 93.0)])
def test_where_repeats_share_an_error_intervals_of_any_form_of_network_hold_it(shape: Shape, low: float) -> None:
    found = coverage("shared", 3, "pooled", n_networks=60, shape=shape)

    assert low < found.edges < 98.5
    assert low - 3 < found.differences < 98.5


@pytest.mark.parametrize("shape", ["star", "ring"])
def test_errors_of_the_size_of_the_prior_are_covered_where_few_cycles_show_them(shape: Shape) -> None:
    found = coverage("drawn", 3, "pooled", n_networks=60, shape=shape)

    assert 92 < found.edges < 99
    assert 92 < found.differences < 99


def test_many_cycles_that_close_leave_little_room_for_shared_errors() -> None:
    dense = coverage("truthful", 3, "pooled", n_networks=40, shape="dense")

    assert dense.edges == pytest.approx(97, abs=1.5)


def test_one_cycle_does_not_multiply_by_what_one_degree_of_freedom_is_wider() -> None:
    # a ring of eight whose sum is three times that expected from repeats
    nodes = list("abcdefgh")
    value = [3.08 * 0.16 * 8**0.5, *[0.0] * 7]

    shared, estimate = solved(nodes, [*nodes[1:], "a"], value, [0.16] * 8)

    assert shared.degrees_of_freedom == 1
    assert 0.25 < shared.added_kcal_mol < 0.5
    assert shared.median_kcal_mol < shared.added_kcal_mol < shared.high_kcal_mol
    assert estimate.uncertainty_kcal_mol.max() < 0.6


def test_the_worse_a_cycle_closes_the_more_is_added() -> None:
    added = [solved(*RING, [misfit, 0, 0, 0], [0.1] * 4)[0].added_kcal_mol for misfit in (0.0, 0.5, 2.0, 8.0)]

    assert added == sorted(added)
    # 8 kcal/mol over four edges would be 4 without a prior, and a heavy tail reduces that only slightly
    assert 2.0 < added[-1] < 4.0


def test_without_cycles_the_prior_is_added_whatever_the_values() -> None:
    first, _ = solved(["a", "a"], ["b", "c"], [1.0, 2.0], [0.1, 0.1], 0.2)
    second, _ = solved(["a", "a"], ["b", "c"], [-5.0, 9.0], [0.1, 0.1], 0.2)

    assert first == second
    assert first.degrees_of_freedom == 0
    # half-t with scale 0.65 and 4 degrees of freedom: median 0.741 of that
    assert first.median_kcal_mol == pytest.approx(0.2 * 0.65 * 0.741, rel=0.05)


def test_exact_edges_stay_exact() -> None:
    shared, estimate = solved(*RING, [0.0, 0.0, 0.0, 0.0], [0.0, 0.1, 0.1, 0.1])

    assert shared.added_kcal_mol > 0
    assert estimate.difference([("a", "b")]).uncertainty_kcal_mol[0] == 0.0


def test_networks_of_exact_edges_are_left_alone() -> None:
    shared, _ = solved(*RING, [0.0] * 4, [0.0] * 4)

    assert shared == SharedError(0.0, 0.0, 0.0, 1)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(factor: float) -> None:
    residual, sd = np.array([0.3, 0.1, 0.2, 0.0]), np.array([0.1, 0.2, 0.1, 0.15])
    once = estimate_shared_error(*RING, residual, sd, 0.2)

    scaled = estimate_shared_error(*RING, factor * residual, factor * sd, factor * 0.2)

    assert scaled.added_kcal_mol == pytest.approx(factor * once.added_kcal_mol, rel=1e-6)


def test_one_edge_without_any_certainty_and_one_of_no_error_spoil_nothing() -> None:
    node_a, node_b = [*RING[0], "a", "b"], [*RING[1], "c", "d"]
    residual = np.array([0.3, 0.1, 0.2, 0.0, 50.0, 0.0])

    wide = estimate_shared_error(node_a, node_b, residual, np.array([0.1, 0.2, 0.1, 0.15, 1e9, 1e-12]), 0.2)
    without = estimate_shared_error(*RING, residual[:4], np.array([0.1, 0.2, 0.1, 0.15]), 0.2)

    assert 0.5 < wide.added_kcal_mol / without.added_kcal_mol < 2.0


def test_many_cycles_need_no_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    nodes = [f"n{k}" for k in range(60)]
    ends = [tuple(rng.choice(60, 2, replace=False)) for _ in range(300)]
    node_a, node_b = [nodes[i] for i, _ in ends], [nodes[j] for _, j in ends]
    value = rng.normal(0, np.hypot(0.1, 0.3), 300).tolist()
    posterior, _ = solved(node_a, node_b, value, [0.1] * 300)

    monkeypatch.setattr(shared_error, "_MOST_CYCLES", 100)
    moments, _ = solved(node_a, node_b, value, [0.1] * 300)

    assert posterior.added_kcal_mol == pytest.approx(0.3, rel=0.12)
    assert moments.added_kcal_mol == pytest.approx(posterior.added_kcal_mol, rel=0.03)
