from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.replicates import ReplicateRule, combine

VALUES = [1.0, 2.0, 4.5]
OWN = [0.3, 0.4, 1.2]
SD = math.sqrt((1.5**2 + 0.5**2 + 2.0**2) / 2)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("sd", SD),
        ("sem", SD / math.sqrt(3)),
        ("own", math.sqrt(0.3**2 + 0.4**2 + 1.2**2) / 3),
    ],
)
def test_rules_by_hand(rule: ReplicateRule, expected: float) -> None:
    estimate = combine(VALUES, OWN, rule)

    assert estimate.value == 2.5
    assert estimate.uncertainty == pytest.approx(expected)
    assert (estimate.n, estimate.rule) == (3, rule)
    assert estimate.sd == pytest.approx(SD)
    assert estimate.own_uncertainty == pytest.approx(math.sqrt(1.69) / 3)


def test_larger_takes_scatter_over_too_modest_statements() -> None:
    estimate = combine([1.0, 3.0], [0.01, 0.01])

    assert (estimate.uncertainty, estimate.rule) == (pytest.approx(1.0), "sem")


def test_larger_takes_statements_over_scatter_that_is_zero_by_luck() -> None:
    estimate = combine([1.0, 1.0], [0.2, 0.2])

    assert estimate.uncertainty == pytest.approx(0.2 / math.sqrt(2))
    assert estimate.rule == "own"


@pytest.mark.parametrize("rule", ["larger", "own", "sem", "sd"])
def test_a_single_result_speaks_for_itself(rule: ReplicateRule) -> None:
    estimate = combine([1.0], [0.2], rule)

    assert (estimate.value, estimate.uncertainty, estimate.n, estimate.rule) == (1.0, 0.2, 1, "own")
    assert math.isnan(estimate.sd)


@pytest.mark.parametrize("uncertainties", [None, [None, None], [math.nan, math.nan]])
@pytest.mark.parametrize(("rule", "used"), [("larger", "sem"), ("own", "sem"), ("sd", "sd")])
def test_without_statements_scatter_speaks(
    uncertainties: list[float | None] | None, rule: ReplicateRule, used: ReplicateRule
) -> None:
    estimate = combine([1.0, 3.0], uncertainties, rule)

    assert estimate.rule == used
    assert estimate.uncertainty == pytest.approx(math.sqrt(2) if used == "sd" else 1.0)
    assert math.isnan(estimate.own_uncertainty)


def test_a_single_result_without_a_statement_is_of_unknown_uncertainty() -> None:
    estimate = combine([1.0], [None])

    assert math.isnan(estimate.uncertainty)


def test_unstated_uncertainties_are_taken_like_the_stated() -> None:
    assert combine([1.0, 1.0, 1.0], [0.3, None, 0.3]).own_uncertainty == pytest.approx(0.3 / math.sqrt(3))


def test_results_without_a_value_do_not_enter() -> None:
    assert combine([1.0, None, 3.0], [0.1, 9.0, 0.1]) == combine([1.0, 3.0], [0.1, 0.1])


@pytest.mark.parametrize(
    ("values", "uncertainties", "rule", "match"),
    [
        ([], [], "larger", "none of 0 results"),
        ([None, math.nan], None, "larger", "none of 2 results"),
        ([1.0, math.inf], None, "larger", "finite"),
        ([1.0], [-0.1], "larger", "not negative"),
        ([1.0], [0.1, 0.2], "larger", "one uncertainty per value"),
        ([1.0], [0.1], "median", "larger, own, sem, sd"),
    ],
)
def test_unusable_input_is_refused(values: list, uncertainties: list | None, rule: ReplicateRule, match: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(EstimatorInputError, match=match):
        combine(values, uncertainties, rule)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0, 10)), min_size=2, max_size=8))
def test_larger_is_never_below_either_evidence(results: list[tuple[float, float]]) -> None:
    values, own = (list(column) for column in zip(*results, strict=True))

    larger = combine(values, own).uncertainty

    assert larger == max(combine(values, own, "own").uncertainty, combine(values, own, "sem").uncertainty)


def test_the_mean_scatters_as_the_estimate_says() -> None:
    rng = np.random.default_rng(3)
    draws = rng.normal(5.0, 0.4, size=(4000, 3))

    estimates = [combine(row, np.full(3, 0.4), "own") for row in draws]

    pulls = np.array([(e.value - 5.0) / e.uncertainty for e in estimates])
    assert abs(pulls.std() - 1.0) < 3 / math.sqrt(2 * 4000)
