"""Order and identity of Tasks that are carried to another Scope; `test_network_copies.py` carries them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.statestore.carried_results import _content, _once, _parents_first, carried_attempt
from alchemiscale_lake.tasks import TaskState, TaskStates
from tests.attempts import states

SCHEMA = {"task": pl.String, "extends": pl.String, "estimate": pl.Float64}


def extending(**parents: str | None) -> pl.DataFrame:
    rows = [(task, parent, float(n)) for n, (task, parent) in enumerate(parents.items())]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def standing(**statuses: str) -> TaskStates:
    return states(*(TaskState("o-c-p", task, "Transformation-1-o-c-p", None, s) for task, s in statuses.items()))


def test_an_attempt_has_one_id_per_scope() -> None:
    ids = {carried_attempt(attempt, scope) for attempt in ("a" * 32, "b" * 32) for scope in ("o-c-p", "o-c-q")}
    assert len(ids) == 4
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)
    # copies that lakes have already are recognised by it
    assert carried_attempt("a" * 32, "o-c-p") == "99e218757ff0845166dcf16544672a7a"


def test_parents_come_first_with_their_own_rows() -> None:
    rows = extending(c="b", b="a", a=None, d="c")
    ordered = _parents_first(rows, standing())

    assert ordered["task"].to_list() == ["a", "b", "c", "d"]
    assert ordered.sort("task").select(*SCHEMA).equals(rows.sort("task"))


def test_a_parent_that_is_neither_carried_nor_there_is_forgotten() -> None:
    ordered = _parents_first(extending(b="gone", c="there"), standing(there="complete"))
    assert dict(ordered.select("task", "extends").iter_rows()) == {"b": None, "c": "there"}


def test_what_extends_invalid_or_deleted_tasks_stays_behind() -> None:
    rows = extending(d="c", c="b", b="bad", e="gone", f=None)
    ordered = _parents_first(rows, standing(bad="invalid", gone="deleted"))
    assert ordered["task"].to_list() == ["f"]


@given(st.lists(st.integers(-1, 7), min_size=8, max_size=8), st.permutations(range(8)))
def test_every_task_comes_once_and_after_its_parent(above: list[int], order: list[int]) -> None:
    parents: dict[str, str | None] = {str(n): str(above[n]) if 0 <= above[n] < n else None for n in order}

    ordered = _parents_first(extending(**parents), standing())

    found = ordered["task"].to_list()
    assert sorted(found) == sorted(parents)
    assert dict(ordered.select("task", "extends").iter_rows()) == parents
    assert all(parent is None or found.index(parent) < found.index(task) for task, parent in parents.items())


def imported(source: str, task: str, value: float, path: str = "imports/o/file.csv") -> dict[str, Any]:
    row = {"source": source, "task": task, "transformation": "t", "object_path": path}
    return row | {"estimate_kcal_mol": value, "uncertainty_kcal_mol": 0.1}


def test_a_result_of_a_file_comes_as_often_as_the_scope_or_a_source_has_it() -> None:
    rows = pl.DataFrame(
        [
            imported("o-c-q", "q1", 1.0),
            imported("o-c-q", "q2", 1.0),
            imported("o-c-q", "q3", 2.0),
            imported("o-c-q", "q4", 1.0),
            imported("o-c-r", "r0", 1.0),
            imported("o-c-r", "r1", 2.0, "imports/elsewhere/file.csv"),
            imported("o-c-r", "r2", 2.0, "attempts/o-c-r/1/result.json.zst"),
            imported("o-c-r", "r3", 3.0),
        ]
    )
    there = Counter([_content(imported("here", "h1", 1.0))])

    assert _once(rows, there)["task"].to_list() == ["q2", "q3", "q4", "r2", "r3"]
    assert _once(rows.clear(), Counter()).is_empty()
