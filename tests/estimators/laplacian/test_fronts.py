"""Elimination of fronts."""

import pytest

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.laplacian import fronts
from alchemiscale_lake.estimators.laplacian.elimination import eliminate
from tests.estimators.networks import random_network


def test_a_network_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fronts, "_memory_bytes", lambda: 2e6)
    edges = random_network(3, 2000, 6000)

    with pytest.raises(EstimatorInputError, match=r"without clusters needs .* GB to be solved, and this machine has"):
        eliminate(2000, edges.tail, edges.head, edges.sd**-2.0, edges.value)
