"""ProtocolResults of numbers alone."""

from __future__ import annotations

import gufe
import pytest

from alchemiscale_lake.gufe_adapter.summaries import SummaryResult, summary_result
from alchemiscale_lake.units import kcal_mol


@pytest.mark.parametrize(
    ("values", "own", "estimate", "uncertainty"),
    [([], None, None, None), ([2.5], 0.3, 2.5, 0.3), ([1.0, 3.0, 5.0], 0.3, 3.0, 2.0)],
)
def test_numbers_of_a_summary(
    values: list[float], own: float | None, estimate: float | None, uncertainty: float | None
) -> None:
    result = summary_result(3, values, own)

    assert isinstance(result, gufe.ProtocolResult)
    assert result.n_protocol_dag_results == 3
    assert kcal_mol(result.get_estimate()) == pytest.approx(estimate)
    assert kcal_mol(result.get_uncertainty()) == pytest.approx(uncertainty)


def test_a_summary_survives_its_dict() -> None:
    result = summary_result(2, [1.0, 3.0])

    again = SummaryResult.from_dict(result.to_dict())

    assert (again.n_protocol_dag_results, again.data) == (2, result.data)
