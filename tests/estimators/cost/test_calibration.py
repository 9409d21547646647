from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from tests.estimators.simulated_hours import simulated_lake
from tests.long import LONG


# three standard errors: of 360 results 4.7 %, of 1440 2.4 %
@pytest.mark.parametrize(("n_lakes", "within"), [(2, 0.047), pytest.param(8, 0.024, marks=LONG)])
def test_intervals_hold_what_they_promise_of_new_results(n_lakes: int, within: float) -> None:
    inside = []
    for seed in range(n_lakes):
        lake = simulated_lake(seed, n_rows=600)
        out = np.random.default_rng(seed).random(600) < 0.3
        seen, asked = lake.part(~out), lake.part(out)

        prediction = CostRegressor().fit(seen.rows, seen.hours).predict_distribution(asked.rows)

        inside.append((asked.hours >= prediction.low) & (asked.hours <= prediction.high))
    assert abs(np.concatenate(inside).mean() - 0.9) < within


def test_another_confidence_is_kept_too() -> None:
    lake = simulated_lake(9, n_rows=900)
    out = np.random.default_rng(9).random(900) < 0.5
    seen, asked = lake.part(~out), lake.part(out)

    model = CostRegressor(confidence=0.5).fit(seen.rows, seen.hours)
    prediction = model.predict_distribution(asked.rows)

    assert 0.42 < np.mean((asked.hours >= prediction.low) & (asked.hours <= prediction.high)) < 0.58
    assert 0.45 < model.card_.coverage < 0.55


def test_groups_are_never_on_both_sides() -> None:
    # Every target deviates strongly; only a model that has seen it knows by how much.
    lake = simulated_lake(3, n_rows=300, n_targets=12)
    off = dict(zip(np.unique(lake.rows["group"]), np.linspace(-0.6, 0.6, 12), strict=True))
    hours = lake.hours * np.exp([off[name] for name in lake.rows["group"]])
    without = {name: values for name, values in lake.rows.items() if name != "group"}

    by_row = CostRegressor().fit(lake.rows, hours, groups=np.arange(300)).card_
    by_target = CostRegressor().fit(without, hours, groups=lake.rows["group"]).card_

    assert by_target.n_groups == 12
    assert by_target.mdape > 1.3 * by_row.mdape
    assert "12 groups" in by_target.validation


def test_few_errors_never_narrow() -> None:
    lake = simulated_lake(1, n_rows=6)

    card = CostRegressor().fit({**lake.rows, "group": np.full(6, "")}, lake.hours).card_

    assert card.interval_scale >= 1.0
    assert card.validation == "each of 6 rows left out once"


def test_one_group_cannot_be_split() -> None:
    lake = simulated_lake(1, n_rows=5, n_targets=1)

    card = CostRegressor().fit(lake.rows, lake.hours).card_

    assert np.isnan(card.mdape)
    assert card.interval_scale == 1.0


def test_beats_one_number_and_a_power_law() -> None:
    lake = simulated_lake(2, n_rows=500)

    card = CostRegressor().fit(lake.rows, lake.hours).card_

    assert card.mdape < 0.6 * card.mdape_power_law
    assert card.mdape < 0.3 * card.mdape_constant
