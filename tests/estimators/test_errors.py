from __future__ import annotations

import pickle

from estimators.errors import EstimatorInputError


def test_error_survives_pickling_with_its_facts() -> None:
    error = pickle.loads(pickle.dumps(EstimatorInputError("edge 3 is not finite", edge=3)))

    assert isinstance(error, ValueError)
    assert str(error) == "edge 3 is not finite"
    assert error.facts == {"edge": 3}
