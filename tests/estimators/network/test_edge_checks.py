"""Edges that disagree with the rest of their network."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alchemiscale_lake.estimators.network.cycle_closure import close_cycles
from alchemiscale_lake.estimators.network.edge_checks import compare_parallel_legs, disagreeing_edges
from alchemiscale_lake.estimators.network.edges import Leg
from alchemiscale_lake.estimators.network.network_mle import solve_network
from tests.estimators.flawed_networks import random_network


def test_chance_flags_cycles_and_edges_in_one_network_of_twenty() -> None:
    rng = np.random.default_rng(3)
    tail, head = random_network(15, 30)
    flagged = np.zeros(2)
    for _ in range(200):
        value, sd = rng.normal(0, 0.3, 30), np.full(30, 0.3)
        flagged[0] += any(f.flagged for f in close_cycles(tail, head, value, sd))
        flagged[1] += any(f.flagged for f in disagreeing_edges(tail, head, sd, solve_network(tail, head, value, sd)))

    assert (flagged <= 20).all()
    assert (flagged >= 1).all()


def test_a_wrong_edge_is_first_and_its_value_is_what_solving_without_it_says() -> None:
    rng = np.random.default_rng(4)
    tail, head = random_network(12, 30)
    sd = rng.uniform(0.1, 0.3, 30)
    truth = rng.normal(0, 2, 12)
    value = truth[head] - truth[tail] + sd * rng.standard_normal(30)
    value[17] += 3.0

    found = disagreeing_edges(tail, head, sd, solve_network(tail, head, value, sd))

    kept = np.arange(30) != 17
    others = solve_network(
        [tail[k] for k in np.flatnonzero(kept)], [head[k] for k in np.flatnonzero(kept)], value[kept], sd[kept]
    )
    said = others.difference([(tail[17], head[17])])
    assert found[0].subject == (tail[17], head[17])
    assert found[0].flagged
    assert found[0].value_kcal_mol == pytest.approx(value[17] - said.value_kcal_mol[0])
    assert found[0].uncertainty_kcal_mol == pytest.approx(math.hypot(sd[17], said.uncertainty_kcal_mol[0]))


def test_bridges_exact_edges_and_loops_are_not_compared() -> None:
    node_a, node_b = ["a", "b", "a", "c", "d", "e"], ["b", "c", "c", "d", "d", "a"]
    sd = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.0])
    estimate = solve_network(node_a, node_b, [1.0, 1.0, 2.3, 1.0, 0.0, 0.5], sd)

    found = disagreeing_edges(node_a, node_b, sd, estimate)

    assert sorted(f.subject for f in found) == [("a", "b"), ("a", "c"), ("b", "c")]
    # one isolated cycle: its edges cannot be distinguished
    assert np.ptp([abs(f.z) for f in found]) == pytest.approx(0.0, abs=1e-9)


def test_forward_and_backward_legs_are_added_and_like_legs_compared() -> None:
    legs = [
        Leg("a", "b", "complex", 1.0, 0.3),
        Leg("b", "a", "complex", -3.0, 0.4),
        Leg("a", "b", "solvent", 1.0, 0.1),
        Leg("b", "c", "solvent", 1.0, 0.1),
        Leg("b", "c", "solvent", 1.1, 0.1),
        Leg("c", "b", "solvent", math.nan, 0.1),
        Leg("a", "b", "complex", 5.0, 0.1, group="other"),
    ]

    hysteresis, parallel = compare_parallel_legs(legs)

    assert [(f.subject, round(f.value_kcal_mol, 9), f.uncertainty_kcal_mol, f.flagged) for f in hysteresis] == [
        ((0, 1), -2.0, 0.5, True)
    ]
    assert [(f.subject, round(f.value_kcal_mol, 9), f.flagged) for f in parallel] == [((3, 4), 0.1, False)]
