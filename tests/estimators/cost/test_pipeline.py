"""The columns and the fit of the cost model as scikit-learn's tools use them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import Pipeline

from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.estimators.cost.pipeline import CostColumns, PooledRegressor, cost_pipeline
from tests.estimators.simulated_hours import SimulatedLake, simulated_lake


@pytest.fixture(scope="module")
def lake() -> SimulatedLake:
    return simulated_lake(3, n_rows=160, n_targets=8)


def test_any_linear_regressor_fits_the_columns(lake: SimulatedLake) -> None:
    residual = np.log(lake.hours) - derive(lake.rows).prior_log_hours
    shelf = Pipeline([("columns", CostColumns()), ("regressor", BayesianRidge())]).fit(lake.rows, residual)
    ours = cost_pipeline().fit(lake.rows, residual)

    errors = [np.median(np.abs(pipeline.predict(lake.rows) - residual)) for pipeline in (ours, shelf)]

    assert isinstance(ours["regressor"], PooledRegressor)
    assert max(errors) < 0.1
    assert len(ours["columns"].get_feature_names_out()) == len(ours["regressor"].coef_)


def test_a_level_that_was_not_seen_widens_and_moves_nothing(lake: SimulatedLake) -> None:
    pipeline = cost_pipeline().fit(lake.rows, np.log(lake.hours) - derive(lake.rows).prior_log_hours)
    columns, regressor = pipeline["columns"], pipeline["regressor"]
    one = {name: values[:1] for name, values in lake.rows.items()}

    (seen, sd), (new, wider) = (
        regressor.predict(columns.transform({**one, "group": np.array([group])}), return_std=True)
        for group in (str(one["group"][0]), "elsewhere")
    )

    assert wider > sd
    assert abs(new - seen) < 0.5
