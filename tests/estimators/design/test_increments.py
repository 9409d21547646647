"""Whole repeats: gains equal to recomputation, the best move first, budgets and limits kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.design import goals
from alchemiscale_lake.estimators.design.continuous import continuous_optimum
from alchemiscale_lake.estimators.design.design_covariance import components_of, design_covariance
from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network
from alchemiscale_lake.estimators.design.floors import required_repeats
from alchemiscale_lake.estimators.design.increments import add_repeats
from tests.estimators.design.designs import designs, random_design


def exact_loss(network: DesignNetwork, count: np.ndarray, weight: np.ndarray) -> float:
    return float(np.trace(weight @ design_covariance(network, 1.0 / network.edge_variance(count))))


@given(network=designs(), seed=st.integers(0, 1000))
def test_every_step_saves_what_a_recomputation_finds(network: DesignNetwork, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = network.n_nodes
    value, count = rng.normal(size=n), rng.integers(1, 4, network.n_calculations).astype(float)
    now = design_covariance(network, 1.0 / network.edge_variance(count))
    weight = goals.mix([(0.7, goals.ranking(value, now, components_of(network))), (0.3, np.eye(n))])

    found = add_repeats(network, count, weight, most_tasks=6)

    for move, saved in zip(found.moves, found.saved, strict=True):
        before = exact_loss(network, count, weight)
        rates = []
        for calculation in range(network.n_calculations):
            more = count.copy()
            more[calculation] += 1
            rates.append((before - exact_loss(network, more, weight)) / network.cost[calculation])
        (chosen,) = move
        assert rates[chosen] == pytest.approx(max(rates), rel=1e-6)
        count[chosen] += 1
        assert saved == pytest.approx(before - exact_loss(network, count, weight), rel=1e-6, abs=1e-12)
    assert found.loss_after == pytest.approx(exact_loss(network, count, weight))
    assert found.repeats.sum() == 6


def test_whole_repeats_of_a_large_budget_approach_the_continuous_optimum() -> None:
    network = random_design(3, 8, 12)
    weight = goals.mean_uncertainty(8)
    hours = 2000.0 * network.cost.mean()

    found = add_repeats(network, np.ones(24), weight, budget=hours)

    spent = float(network.cost @ (found.repeats + 1))
    assert sum(found.spent) <= hours
    assert found.loss_after * spent == pytest.approx(continuous_optimum(network, weight).loss, rel=0.01)


def test_an_edge_without_legs_is_one_move_of_all_its_missing_legs() -> None:
    # a triangle; the third edge has no result yet, and one of its legs is done
    network = design_network(3, [0, 1, 0], [1, 2, 2], variance=[1.0] * 6, leg_edge=[0, 0, 1, 1, 2, 2])
    count = np.array([9.0, 9.0, 9.0, 9.0, 0.0, 1.0])

    one = add_repeats(network, count, goals.mean_uncertainty(3), most_tasks=1)
    neither = add_repeats(network, np.array([9.0, 9.0, 9.0, 9.0, 0.0, 0.0]), goals.mean_uncertainty(3), most_tasks=2)

    assert one.moves == [(4,)]
    assert neither.moves == [(4, 5)]
    assert neither.saved[0] == pytest.approx(neither.loss_before - neither.loss_after)


def test_a_shared_leg_counts_for_all_its_edges() -> None:
    # one solvent calculation (2) serves the edges of two proteins
    network = design_network(
        4, [0, 2], [1, 3], variance=[1.0, 1.0, 1.0], leg_edge=[0, 0, 1, 1], member=[0, 2, 1, 2], member_leg=[0, 1, 2, 3]
    )

    found = add_repeats(network, np.ones(3), goals.mean_uncertainty(4), most_tasks=1)

    assert found.moves == [(2,)]
    assert found.loss_after == pytest.approx(exact_loss(network, np.array([1.0, 1.0, 2.0]), goals.mean_uncertainty(4)))


def test_limits_are_kept() -> None:
    network = random_design(5, 6, 9)
    count = np.ones(18)

    hours = add_repeats(network, count, goals.mean_uncertainty(6), budget=4.0)
    most = add_repeats(network, count, goals.mean_uncertainty(6), most_repeats=np.full(18, 2), most_tasks=100)

    assert sum(hours.spent) <= 4.0
    assert sum(hours.spent) > 4.0 - network.cost.max()
    assert most.repeats.max() == 1
    assert most.next_gain == 0.0


def test_two_thousand_ligands_take_seconds() -> None:
    network = random_design(1, 2000, 4000)
    once, again = required_repeats(network, np.zeros(8000))

    found = add_repeats(network, (once + again).astype(float), goals.mean_uncertainty(2000), most_tasks=100)

    assert found.repeats.sum() == 100
    assert found.loss_after == pytest.approx(
        exact_loss(network, once + again + found.repeats.astype(float), goals.mean_uncertainty(2000)), rel=1e-9
    )
