"""The cost model as scikit-learn's tools use it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, cross_val_predict, cross_val_score

from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.estimators.cost.model_json import from_json, to_json
from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from alchemiscale_lake.estimators.errors import EstimatorInputError
from tests.estimators.simulated_hours import SimulatedLake, simulated_lake
from tests.long import LONG


@pytest.fixture(scope="module")
def lake() -> SimulatedLake:
    return simulated_lake(3, n_rows=160, n_targets=8)


def test_it_is_a_regressor_with_parameters() -> None:
    model = CostRegressor(confidence=0.8)

    assert is_regressor(model)
    assert model.get_params() == {"confidence": 0.8, "random_state": 2026}
    assert clone(model).set_params(confidence=0.5).confidence == 0.5
    with pytest.raises(NotFittedError):
        model.predict({"n_atoms": np.ones(1)})


@pytest.mark.parametrize("splitter", [GroupKFold(3), pytest.param(LeaveOneGroupOut(), marks=LONG)])
def test_left_out_targets_by_cross_val_predict(lake: SimulatedLake, splitter: Any) -> None:
    left_out = cross_val_predict(
        CostRegressor(), pl.DataFrame(lake.rows), lake.hours, groups=lake.rows["group"], cv=splitter
    )

    assert np.median(np.abs(left_out / lake.hours - 1)) < 0.2


def test_cross_val_score_of_intervals(lake: SimulatedLake) -> None:
    def coverage(model: CostRegressor, rows: Any, hours: Any) -> float:
        low, high = model.predict_interval(rows).T
        return float(np.mean((low <= hours) & (hours <= high)))

    rows, hours = pd.DataFrame(lake.rows), lake.hours
    scores = cross_val_score(CostRegressor(), rows, hours, groups=rows["group"], cv=GroupKFold(3), scoring=coverage)

    assert 0.8 < scores.mean() <= 1.0


def test_rows_may_come_as_frames_records_or_mappings(lake: SimulatedLake) -> None:
    frame = pl.DataFrame(lake.rows)
    records = np.rec.fromarrays(list(lake.rows.values()), names=list(lake.rows))
    model = CostRegressor().fit(frame, lake.hours)

    assert to_json(CostRegressor().fit(lake.rows, lake.hours)) == to_json(model)
    for rows in (lake.rows, frame.to_pandas(), records):
        np.testing.assert_allclose(model.predict(rows), model.predict(frame))


def test_what_is_missing_in_a_frame_is_unknown() -> None:
    polars = pl.DataFrame({"n_atoms": [3e4, None], "gpu_model": ["L40S", None]})

    for frame in (polars, polars.to_pandas()):
        derived = derive(frame)
        assert derived.gpu_model.tolist() == ["L40S", "unknown"]
        assert derived.atoms_known.tolist() == [True, False]


def test_columns_without_names_are_refused() -> None:
    with pytest.raises(EstimatorInputError, match="ndarray, whose columns have no names; give a DataFrame"):
        CostRegressor().fit(np.ones((3, 2)), np.ones(3))


def test_intervals_are_those_of_the_distribution(lake: SimulatedLake) -> None:
    model = from_json(to_json(CostRegressor().fit(lake.rows, lake.hours)))
    predicted = model.predict_distribution(lake.rows)

    low, high = model.predict_interval(lake.rows).T

    assert (low < model.predict(lake.rows)).all()
    np.testing.assert_array_equal(low, predicted.low)
    np.testing.assert_array_equal(high, predicted.high)
