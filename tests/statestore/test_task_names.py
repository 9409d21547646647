"""Readable names of Tasks."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from alchemiscale_lake.statestore.task_names import TaskNames, repeat_numbers
from tests.statestore.plain_tables import lake_of

TASKS = pl.DataFrame(
    {"task": ["t3", "t1", "t2", "u1"], "transformation": ["a_b", "a_b", "a_b", "b_c"], "created_at": [2, 1, 1, 3]}
)
NAMES = pl.DataFrame({"transformation": ["a_b", "b_c"], "name": ["rhfe_a_b", "rhfe_b_c"]})


@dataclass(frozen=True)
class Of:
    task: str
    transformation: str


def test_tasks_are_numbered_in_their_transformation_by_creation() -> None:
    lake = lake_of({"tasks": TASKS})

    assert dict(repeat_numbers(lake).select("task", "repeat").iter_rows()) == {"t1": 0, "t2": 1, "t3": 2, "u1": 0}
    assert repeat_numbers(lake, ["b_c"])["task"].to_list() == ["u1"]


def test_a_name_is_that_of_the_transformation_with_the_number() -> None:
    tables = {"tasks": TASKS, "transformations": NAMES}
    names = TaskNames(lake_of(tables))

    assert names.of([Of("t2", "a_b"), Of("u1", "b_c"), Of("gone", "a_b")]) == {
        "t2": "rhfe_a_b-r1",
        "u1": "rhfe_b_c-r0",
        "gone": "gone",
    }
    # known names are not looked up again
    tables.clear()
    assert names.of([Of("t3", "a_b")]) == {"t3": "rhfe_a_b-r2"}
