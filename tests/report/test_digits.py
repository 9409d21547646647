"""Numbers are shown to the digits that mean something."""

import math
from datetime import UTC, datetime

import pytest

from alchemiscale_lake.report.digits import round_to_uncertainty, shown


@pytest.mark.parametrize(
    ("value", "uncertainty", "texts"),
    [
        (-8.123, 0.0996, ("-8.12", "0.10")),  # rounding adds a figure before the last one
        (1234.5, 120.0, ("1230", "120")),
        (0.0, 0.5, ("0.00", "0.50")),
        (-0.5, 0.0, ("-0.5", "0")),  # exact: no uncertainty to round to
        (17.418, None, ("17.42", "")),
        (17.418, math.inf, ("17.42", "inf")),
        (None, 0.25, ("", "0.25")),
        (math.nan, 1.0, ("nan", "1.0")),
    ],
)
def test_value_and_uncertainty_have_the_same_places(value: object, uncertainty: object, texts: tuple[str, str]) -> None:
    assert round_to_uncertainty(value, uncertainty) == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (12, "12"),
        (0.0, "0"),
        (123456.7, "123457"),
        (0.0001, "0.0001"),
        (0.00009, "9e-05"),
        (1e15, "1e+15"),
        (-math.inf, "-inf"),
        ([1.0, None, "a"], "1, , a"),
        (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "2026-01-02 03:04:05"),
    ],
)
def test_a_cell_has_four_significant_digits(value: object, text: str) -> None:
    assert shown(value) == text
