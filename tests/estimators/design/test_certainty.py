"""The probability that the ligands which seem best are the best."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from alchemiscale_lake.estimators.design.certainty import probability_top_is_right
from alchemiscale_lake.estimators.design.design_covariance import solve_values
from alchemiscale_lake.estimators.design.design_network import design_network


def test_the_probability_of_the_top_is_that_of_the_gap() -> None:
    network = design_network(3, [0, 0], [1, 2], variance=[0.04, 0.04])
    values, now, components = solve_values(network, np.array([0.3, 9.0]), np.full(2, 25.0), np.zeros(3))

    found = probability_top_is_right(values, now, components, np.array([1]), n_draws=40_000)

    assert values - values[0] == pytest.approx([0.0, 0.3, 9.0])
    assert found == pytest.approx(ndtr(0.3 / 0.2), abs=0.01)
    assert probability_top_is_right(values, now, components, np.array([3])) == 1.0
