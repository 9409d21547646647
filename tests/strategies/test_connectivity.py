"""Connectivity: the formula of stratocaster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from alchemiscale_lake.strategies.connectivity import Connectivity, ConnectivitySettings
from tests.strategies.plain_rows import rows_of, state


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_each_result_and_task_multiplies_by_the_decay_rate(rate: float) -> None:
    strategy = Connectivity(ConnectivitySettings(decay_rate=rate, max_runs=4))
    rows = [
        replace(row, n_in_flight=n)
        for row, n in zip(rows_of("ab", "bc", "ca", results=(0, 1, 1)), (0, 0, 2), strict=True)
    ]

    assert list(strategy.propose(state(rows)).weights.values()) == [2.0, 2.0 * rate, 2.0 * rate**3]


def test_tasks_beyond_the_last_are_not_asked_for_and_results_finish() -> None:
    rows = [replace(row, n_in_flight=1) for row in rows_of("ab", "bc", "ca", results=(1, 2, 3))]

    assert list(Connectivity().propose(state(rows)).weights.values()) == [2.0 * 0.25, 0.0, None]


def test_a_weight_at_the_cutoff_is_not_below_it() -> None:
    strategy = Connectivity(ConnectivitySettings(cutoff=0.5, max_runs=None))

    assert list(strategy.propose(state(rows_of("ab", "cd", results=(1, 2)))).weights.values()) == [0.5, None]


def test_connectivity_is_the_mean_degree_halved_per_result() -> None:
    # a star of three, and a NonTransformation, which counts twice
    weights = Connectivity().propose(state(rows_of("ab", "ac", "ad", "dd", results=(0, 1, 3, 0)))).weights

    assert list(weights.values()) == [(3 + 1) / 2, 0.5 * 2, None, 3.0]


def test_parallel_transformations_and_both_directions_count() -> None:
    weights = Connectivity().propose(state(rows_of("ab", "ab", "ba"))).weights

    assert list(weights.values()) == [3.0, 3.0, 3.0]


def test_connectivity_ends_below_its_cutoff_and_waits_for_tasks() -> None:
    strategy = Connectivity(ConnectivitySettings(cutoff=0.3, max_runs=None))
    rows = rows_of("ab", "cd", results=(1, 2))
    rows.append(replace(rows[0], key="U", state_a="e", state_b="f", n_in_flight=1))

    assert list(strategy.propose(state(rows)).weights.values()) == [0.5, None, 0.0]
    with pytest.raises(ValidationError, match="set max_runs or cutoff"):
        ConnectivitySettings(cutoff=None, max_runs=None)
