"""Repeats of legs, paired by number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.gufe_adapter.repeats import paired_repeats, repeat_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a to b, repeat 0 generation 0", 0),
        ("repeat_12", 12),
        ("repeat 1 of repeat 3", 3),
        ("nonrepeat 1", None),
        ("generation 0", None),
        ("", None),
    ],
)
def test_the_last_number_of_a_repeat_counts(name: str, number: int | None) -> None:
    assert repeat_number(name) == number


@given(st.sets(st.integers(0, 9), min_size=2), st.integers(1, 4), st.randoms())
def test_legs_with_the_same_repeats_are_paired_in_any_order(numbers: set[int], n_legs: int, random: object) -> None:
    legs = [random.sample(sorted(numbers), len(numbers)) for _ in range(n_legs)]  # type: ignore[attr-defined]

    assert paired_repeats(legs) == sorted(numbers)


@pytest.mark.parametrize(
    "legs", [[], [[0]], [[0], [0]], [[0, 1], [0, 2]], [[0, 1], [0]], [[0, 1, 1], [0, 1]], [[0, None], [0, None]]]
)
def test_what_cannot_be_paired_counts_as_one_result(legs: list[list[int | None]]) -> None:
    assert paired_repeats(legs) == []
