"""Forecasts follow the law of uncertainties, count what is in flight, and end at the target."""

from __future__ import annotations

import itertools
import random

import pytest

from alchemiscale_lake.strategies.design_forecast import forecast_design
from alchemiscale_lake.strategies.goal_settings import Goal, StopRules
from alchemiscale_lake.strategies.optimal_design import OptimalDesignSettings
from alchemiscale_lake.strategies.strategy_rows import NetworkRows, TransformationRow

MEAN = (Goal(kind="mean"),)


def network(n_results: int, n_in_flight: int = 0, *, sd: float = 0.3) -> NetworkRows:
    """Return all pairs of four ligands, an hour per Task."""
    draw, rows = random.Random(1), []
    for a, b in itertools.combinations("abcd", 2):
        values = tuple(draw.gauss(0, sd) for _ in range(n_results))
        rows.append(
            TransformationRow(
                key=f"{a}{b}", state_a=a, state_b=b, ligand_a=a, ligand_b=b, gpu_hours=1.0,
                n_results=n_results, n_in_flight=n_in_flight, values_kcal_mol=values,
            )
        )  # fmt: skip
    return NetworkRows(transformations=tuple(rows))


def settings(**stop: float) -> OptimalDesignSettings:
    return OptimalDesignSettings(goals=MEAN, stop=StopRules(**stop), max_repeats=400)


def test_four_times_the_hours_halve_the_uncertainty() -> None:
    forecast = forecast_design(network(50), settings())
    assert forecast is not None
    now, spent = forecast.points[0], 300.0
    assert now.gpu_hours == 0.0
    (four,) = [
        p
        for p in forecast.points
        if p.gpu_hours == min(q.gpu_hours for q in forecast.points if q.gpu_hours >= 3 * spent)
    ]
    expected = now.mean_uncertainty_kcal_mol * (spent / (spent + four.gpu_hours)) ** 0.5
    # t factors of 50 repeats fade as well
    assert four.mean_uncertainty_kcal_mol == pytest.approx(expected, rel=0.05)
    uncertainties = [p.mean_uncertainty_kcal_mol for p in forecast.points]
    assert uncertainties == sorted(uncertainties, reverse=True)


@pytest.mark.parametrize("of", ["mean", "max"])
def test_it_ends_at_the_target(of: str) -> None:
    before = forecast_design(network(3), settings())
    assert before is not None
    now = getattr(before.points[0], f"{of}_uncertainty_kcal_mol")
    forecast = forecast_design(network(3), settings(**{f"{of}_uncertainty_kcal_mol": now / 2}))
    assert forecast is not None
    assert (forecast.of, forecast.target_kcal_mol) == (of, now / 2)
    assert getattr(forecast.points[-1], f"{of}_uncertainty_kcal_mol") == pytest.approx(now / 2)
    assert forecast.gpu_hours_to_target == forecast.points[-1].gpu_hours > 0

    reached = forecast_design(network(3), settings(**{f"{of}_uncertainty_kcal_mol": now * 1.01}))
    assert reached is not None
    assert (len(reached.points), reached.gpu_hours_to_target) == (1, 0.0)


def test_what_limits_allow_may_not_reach_it() -> None:
    few = settings(mean_uncertainty_kcal_mol=1e-4).model_copy(update={"max_repeats": 5})
    forecast = forecast_design(network(3), few)
    assert forecast is not None
    assert forecast.gpu_hours_to_target is None
    assert forecast.points[-1].gpu_hours == pytest.approx(2 * 6)


def test_tasks_in_flight_are_the_first_step_and_a_first_pass_precedes_everything() -> None:
    forecast = forecast_design(network(2, 3), settings())
    assert forecast is not None
    assert [p.gpu_hours for p in forecast.points[:2]] == [0.0, 18.0]
    nothing = forecast_design(network(0), settings())
    assert nothing is not None
    assert nothing.points[0].gpu_hours == 6.0, "there is no uncertainty before the ligands are connected"
    assert forecast_design(NetworkRows(transformations=()), settings()) is None
