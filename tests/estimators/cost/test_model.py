from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from alchemiscale_lake.estimators.cost.model import prior_model
from alchemiscale_lake.estimators.cost.model_json import from_json, to_json
from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from alchemiscale_lake.estimators.errors import EstimatorInputError
from tests.estimators.simulated_hours import simulated_lake

#: Predicts with a model from standard input, as a dispatcher does, and prints which slow packages that imported.
_PREDICT = """
import sys
from alchemiscale_lake.costs import forecast
from alchemiscale_lake.estimators.cost.model import prior_model
from alchemiscale_lake.estimators.cost.model_json import from_json
for model in (prior_model(), from_json(sys.stdin.read())):
    assert model.predict({"n_atoms": [30_000.0]})[0] > 0
print(*sorted({"pandas", "sklearn", "scipy.stats", "scipy.optimize"} & set(sys.modules)))
"""


def test_predictions_import_no_scikit_learn() -> None:
    lake = simulated_lake(3, n_rows=30, n_targets=3)
    text = to_json(CostRegressor().fit(lake.rows, lake.hours))

    command = [sys.executable, "-c", _PREDICT]
    imported = subprocess.run(command, input=text, capture_output=True, check=True, text=True).stdout

    assert imported.split() == []


def test_a_model_that_was_read_predicts_like_the_one_that_was_trained() -> None:
    lake = simulated_lake(3, n_rows=60, n_targets=4)
    trained = CostRegressor().fit(lake.rows, lake.hours)

    read = from_json(to_json(trained))

    np.testing.assert_allclose(read.predict_interval(lake.rows), trained.predict_interval(lake.rows), rtol=1e-6)
    assert read.card_.versions == trained.card_.versions
    assert read.card_.versions["scikit-learn"]


def test_a_confidence_outside_0_and_1_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match=r"confidence is 1\.5; give a number between 0 and 1"):
        prior_model(confidence=1.5)
