"""Repeats until the mean is certain enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemiscale_lake.strategies.uncertainty_target import UncertaintyTarget, UncertaintyTargetSettings
from tests.strategies.plain_rows import rows_of, state


@pytest.mark.parametrize(("target", "least", "most", "wanted"), [(9.0, 2, 10, 2), (9.0, 3, 10, 3), (1e-3, 2, 7, 7)])
def test_the_number_is_within_its_limits(target: float, least: int, most: int, wanted: int) -> None:
    settings = UncertaintyTargetSettings(target_kcal_mol=target, min_results=least, max_results=most)
    rows = [replace(row, values_kcal_mol=(0.0, 1.0), n_results=1, n_in_flight=1) for row in rows_of("ab", "bc")]

    weights = UncertaintyTarget(settings).propose(state(rows)).weights

    assert list(weights.values()) == [wanted - 2.0] * 2


def test_many_results_of_known_scatter_need_its_square_over_that_of_the_target() -> None:
    # alternating values have a standard deviation of 0.5; 200 results outweigh what is assumed of them
    values = tuple(float(k % 2) for k in range(200))
    (row,) = [replace(row, values_kcal_mol=values, n_results=10) for row in rows_of("ab")]
    settings = UncertaintyTargetSettings(target_kcal_mol=0.1, max_results=100)

    proposal = UncertaintyTarget(settings).propose(state([row]))

    assert proposal.weights[row.key] == pytest.approx(25 - 10, abs=1)
    assert proposal.reasons[row.key].startswith("one result has 0.50 kcal/mol")


def test_an_uncertain_transformation_gets_more() -> None:
    rows = [
        replace(row, n_results=4, values_kcal_mol=values)
        for row, values in zip(rows_of("ab", "bc"), ((0.0, 1.0, 0.5, -0.5), (0.0, 0.01, 0.02, 0.01)), strict=True)
    ]

    weights = UncertaintyTarget(UncertaintyTargetSettings(target_kcal_mol=0.2)).propose(state(rows)).weights

    noisy, quiet = weights.values()
    assert quiet is None
    assert (noisy or 0) >= 2
