from __future__ import annotations

import pickle

from alchemiscale_lake.estimators.errors import EstimatorConvergenceError, EstimatorInputError


def test_error_survives_pickling_with_its_facts() -> None:
    error = pickle.loads(pickle.dumps(EstimatorInputError("edge 3 is not finite", edge=3)))

    assert isinstance(error, ValueError)
    assert str(error) == "edge 3 is not finite"
    assert error.facts == {"edge": 3}


def test_an_error_is_of_its_own_kind_after_pickling() -> None:
    error = pickle.loads(pickle.dumps(EstimatorConvergenceError("no rest", moved_kcal_mol=0.3)))

    assert isinstance(error, EstimatorConvergenceError)
    assert error.facts == {"moved_kcal_mol": 0.3}
