"""The same number of results for every Transformation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemiscale_lake.strategies.fixed_repeats import FixedRepeats, FixedRepeatsSettings
from tests.strategies.plain_rows import rows_of, state


@pytest.mark.parametrize(("repeats", "expected"), [(1, [0.0, None, None]), (2, [1.0, 0.0, None])])
def test_tasks_in_flight_are_not_asked_for_again_and_finish_nothing(repeats: int, expected: list[float | None]) -> None:
    rows = [
        replace(row, n_in_flight=2 if k else 1) for k, row in enumerate(rows_of("ab", "bc", "cd", results=(0, 1, 2)))
    ]

    proposal = FixedRepeats(FixedRepeatsSettings(repeats=repeats)).propose(state(rows))

    assert list(proposal.weights.values()) == expected
    assert next(iter(proposal.reasons.values())) == f"1/{repeats} results exist or run"


def test_fixed_repeats_asks_for_what_is_missing() -> None:
    rows = rows_of("ab", "bc", "cd", results=(3, 1, 0))
    rows[1] = replace(rows[1], n_in_flight=1)

    assert list(FixedRepeats().propose(state(rows)).weights.values()) == [None, 1.0, 3.0]
