"""From weights to Tasks: proportions, alchemiscale's formulas, and every limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.rounds.strategy_plan import StrategyPlan
from alchemiscale_lake.rounds.task_numbers import task_numbers
from alchemiscale_lake.strategies import NetworkRows, Proposal, TransformationRow


def numbers(
    weights: dict[str, float | None],
    limits: dict[str, Any] | None = None,
    *,
    are_tasks: bool = False,
    in_flight: int = 0,
    hours: float | None = None,
    **network: Any,
) -> dict[str, int]:
    rows = tuple(
        TransformationRow(key=key, state_a="A", state_b="B", n_in_flight=in_flight, gpu_hours=hours) for key in weights
    )
    plan = StrategyPlan(strategy="s", digest="d", **(limits or {}))
    return task_numbers(plan, Proposal(weights), NetworkRows(transformations=rows, **network), are_tasks=are_tasks)


def test_weights_that_are_tasks_are_taken_as_they_are() -> None:
    weights = {"a": 3.0, "b": 0.0, "c": None, "d": 1.0}
    assert numbers(weights, are_tasks=True) == {"a": 3, "d": 1}
    assert numbers(weights, {"max_tasks_per_transformation": 2}, are_tasks=True) == {"a": 2, "d": 1}


def test_other_weights_share_one_task_per_transformation() -> None:
    assert numbers({"a": 4.0, "b": 1.0, "c": 1.0, "d": 0.0}) == {"a": 2, "b": 1}
    assert numbers({"a": 1e-9, "b": 1e-9}) == {"a": 1, "b": 1}
    assert numbers({"a": None, "b": 0.0}) == {}


@pytest.mark.parametrize(
    ("scaling", "in_flight", "expected"),
    [
        # weights relative to the largest: int(1 + w max) and int((1 + max)**w), at most max
        ("linear", 0, {"a": 4, "b": 3, "c": 1}),
        ("exponential", 0, {"a": 4, "b": 2, "c": 1}),
        ("linear", 2, {"a": 2, "b": 1}),
    ],
)
def test_the_formulas_of_alchemiscale_top_up(scaling: str, in_flight: int, expected: dict[str, int]) -> None:
    limits = {"task_scaling": scaling, "max_tasks_per_transformation": 4}
    assert numbers({"a": 0.02, "b": 0.01, "c": 0.001, "d": 0.0}, limits, in_flight=in_flight) == expected


def test_a_round_and_a_network_have_limits() -> None:
    assert numbers({"a": 3.0, "b": 3.0}, are_tasks=True, max_tasks=2) == {"a": 1, "b": 1}
    assert numbers({"a": 3.0, "b": 3.0}, are_tasks=True, max_tasks=0) == {}


def test_gpu_hours_go_to_the_most_urgent_first() -> None:
    budget = {"budget_gpu_hours": 10.0, "spent_gpu_hours": 4.0}
    assert numbers({"a": 1.0, "b": 3.0}, are_tasks=True, hours=2.0, **budget) == {"b": 3}
    assert numbers({"a": 1.0, "b": 3.0}, are_tasks=True, hours=2.0, max_gpu_hours=4.0, **budget) == {"b": 2}
    assert numbers({"a": 1.0, "b": 3.0}, are_tasks=True, hours=7.0, **budget) == {}


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.floats(0, 50)), min_size=1),
    st.booleans(),
    st.integers(0, 12),
    st.integers(1, 4),
    st.floats(0, 20),
)
def test_no_limit_is_ever_exceeded(
    weights: dict[str, float | None], are_tasks: bool, most: int, each: int, hours: float
) -> None:
    found = numbers(
        weights,
        {"max_tasks_per_transformation": each},
        are_tasks=are_tasks,
        max_tasks=most,
        hours=1.5,
        budget_gpu_hours=hours,
    )
    assert sum(found.values()) <= most
    assert all(0 < n <= each and weights[key] for key, n in found.items())
    assert 1.5 * sum(found.values()) <= hours + 1e-6
