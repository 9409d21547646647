"""A network's Strategy as it is stored."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.rounds.strategy_plan import StrategyPlan

PLAN = StrategyPlan(strategy="fixed-repeats", settings={"repeats": 3}, digest="d", budget_gpu_hours=5.0)


def test_a_plan_is_read_as_it_was_written() -> None:
    assert StrategyPlan.parse(PLAN.model_dump_json()) == PLAN


def test_a_plan_does_as_little_as_it_may_and_without_limits_of_its_own() -> None:
    plan = StrategyPlan.parse('{"strategy": "x", "digest": "d"}')

    assert (plan.mode, plan.errors_to_freeze, plan.interval_s) == ("partial", 1, 0.0)
    assert plan.max_tasks_per_network is plan.budget_gpu_hours is plan.scope_budget_gpu_hours is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"strategy": "x", "digest": "d", "mode": "eager"}', "mode"),
        ('{"strategy": "x", "digest": "d", "later": 1}', "later"),
        ('{"strategy": "x"}', "digest"),
        ('{"strategy": "x", "digest": "d", "budget_gpu_hours": 0}', "budget_gpu_hours"),
        ("{", "cannot be read"),
    ],
)
def test_what_another_version_wrote_is_named_and_to_be_set_again(text: str, where: str) -> None:
    with pytest.raises(StrategyError, match=f"(?s){where}.*set it again"):
        StrategyPlan.parse(text)


def test_a_plan_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PLAN.mode = "full"  # type: ignore[misc]
