"""Values that users may give to Tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alchemiscale_lake.tasks import task_values

CASES: list[tuple[Callable[[Any], str | None], list[Any], list[Any]]] = [
    (task_values.bad_priority, [1, 2**63 - 1, np.int64(7)], [0, -1, 2**63, 1.0, True, None, "3", float("nan")]),
    (task_values.bad_count, [0, 1, np.int32(3)], [-1, 1.5, False, None, "3"]),
    (task_values.bad_weight, [None, 0, 1, 0.5, np.float32(0.5)], [-0.1, 1.5, True, "0.5", float("nan")]),
    (task_values.bad_user_status, ["waiting", "invalid", "deleted"], ["running", "complete", "error", "asleep", ""]),
]


@pytest.mark.parametrize(("check", "possible", "impossible"), CASES)
def test_impossible_values_are_named_and_possible_ones_pass(
    check: Callable[[Any], str | None], possible: list[Any], impossible: list[Any]
) -> None:
    assert [check(value) for value in possible] == [None] * len(possible)
    for value in impossible:
        assert repr(value) in (check(value) or "")
