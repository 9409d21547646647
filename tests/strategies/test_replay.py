"""The replay harness: known cost ratios are found, campaigns are paired and spend what they say."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.strategies import make_strategy
from benchmarks.replay import GRID, curve, matched_cost, play, play_uniform
from benchmarks.replay_baselines import KnowledgeGradient, Rage, _expected_best, oracle_counts
from benchmarks.replay_networks import random_networks

(NETWORK,) = random_networks(1, (8,), edges_per_ligand=1.3)


def test_the_matched_cost_of_a_known_ratio_is_found() -> None:
    rng = np.random.default_rng(1)
    scatter = np.exp(0.1 * rng.normal(size=(40, 1)))

    ratio, low, high = matched_cost(scatter * 0.6 / GRID, scatter / GRID, 3.0)

    assert ratio == pytest.approx(0.6, rel=0.02)
    assert low <= ratio <= high
    assert np.isnan(matched_cost(scatter * 9.0 / GRID, scatter / GRID, 3.0)[0])


def test_uniform_repeats_are_fixed_repeats() -> None:
    uniform = play_uniform(NETWORK, 5, most=3)
    fixed = play(NETWORK, make_strategy("fixed-repeats", {"repeats": 3}), 5, rounds_per_repeat=1.0)

    assert [one.cost for one in uniform] == pytest.approx([1.0, 2.0, 3.0])
    assert fixed[-1].square_error == pytest.approx(uniform[-1].square_error)
    assert fixed[-1].mean_variance == pytest.approx(uniform[-1].mean_variance)


def test_results_that_arrive_late_are_in_flight() -> None:
    late = play(NETWORK, make_strategy("optimal-design"), 5, most_cost=3.0, delay=2)
    prompt = play(NETWORK, make_strategy("optimal-design"), 5, most_cost=3.0)

    assert np.isfinite(curve(prompt, "mean_variance")[5])
    assert abs(late[-1].cost - prompt[-1].cost) < 1.5


@pytest.mark.parametrize("baseline", [KnowledgeGradient, Rage])
def test_baselines_play(baseline: type) -> None:
    assert len(play(NETWORK, baseline(), 1, most_cost=1.5)) >= 2


def test_the_knowledge_gradient_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(2)
    mean, slope = rng.normal(size=6), rng.normal(size=6)
    drawn = (mean[:, None] + slope[:, None] * rng.standard_normal(400_000)).max(axis=0)

    assert _expected_best(mean, slope) == pytest.approx(drawn.mean() - mean.max(), abs=0.01)


def test_the_oracle_spends_each_budget() -> None:
    total = NETWORK.hours.sum()
    for cost, count in zip(GRID, oracle_counts(NETWORK, top=False), strict=True):
        assert NETWORK.hours @ count / total <= cost + 1e-9
    assert NETWORK.hours @ count / total > 0.95 * GRID[-1]
