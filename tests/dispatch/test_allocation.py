"""Which Tasks are claimed, and where they start, without a lake or an engine."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.dispatch.allocation import Openings, allocate, free_slots, open_places
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.executor import Place
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.tasks.fitness import NEEDS_SCHEMA
from alchemiscale_lake.tasks.policy import Admission
from tests.plain import SCOPE

NETWORK = f"AlchemicalNetwork-1-{SCOPE}"


def candidates(n: int) -> pl.DataFrame:
    rows = [(f"Task-{i}", f"Transformation-{i}", SCOPE, None, 10, NETWORK, 0.5) for i in range(n)]
    columns = ["task", "transformation", "scope", "extends", "priority", "network", "weight"]
    schema = dict.fromkeys(columns, pl.String) | {"priority": pl.Int64, "weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def forecasts(n: int, cores: int = 1) -> pl.DataFrame:
    known = {"scope": SCOPE, "protocol": "P", "cores": cores, "gpus": 0.0}
    rows = [{**dict.fromkeys(NEEDS_SCHEMA), **known, "transformation": f"Transformation-{i}"} for i in range(n)]
    return pl.DataFrame(rows, schema=NEEDS_SCHEMA)


def place(name: str, cores: int = 2, free: int | None = None) -> Place:
    return Place(name, Resources(cores), Resources(cores if free is None else free), 64, name)


def openings(*places: Place, known: int = 20, **more: object) -> Openings:
    return Openings(places=places, needs=forecasts(known), **more)  # type: ignore[arg-type]


def test_as_many_are_allocated_as_fit() -> None:
    placed = allocate(openings(place("a"), place("b", free=1)), Admission(candidates(9)))
    assert Counter(placed.values()) == {"a": 2, "b": 1}


def test_no_more_than_the_policy_allows() -> None:
    assert len(allocate(openings(place("a"), place("b")), Admission(candidates(9), limit=3))) == 3


def test_a_task_that_cools_down_and_one_without_a_forecast_wait() -> None:
    seen = openings(place("a", cores=9), known=3, cooling=frozenset({"Task-0"}))
    assert set(allocate(seen, Admission(candidates(5)))) == {"Task-1", "Task-2"}


def test_a_host_that_failed_a_task_is_its_last_choice() -> None:
    seen = openings(place("a"), place("b"), failed_hosts={"Task-0": frozenset({"a"})})
    assert allocate(seen, Admission(candidates(1))) == {"Task-0": "b"}


@pytest.mark.parametrize(
    ("busy", "more", "names"),
    [
        ({}, {}, ["a", "b"]),
        ({}, {"closed": {"a"}}, ["b"]),
        ({}, {"quarantined": {"a"}}, ["b"]),
        ({}, {"on_probation": {"a"}}, ["b", "a"]),
        ({"a": 1}, {"on_probation": {"a"}}, ["b"]),
    ],
)
def test_places_are_open_unless_avoided(busy: dict[str, int], more: dict[str, set[str]], names: list[str]) -> None:
    found = open_places([place("a"), place("b")], busy, **more)  # type: ignore[arg-type]
    assert [p.name for p in found] == names
    assert all(p.slots == 1 for p in found if p.name in more.get("on_probation", ()))


def test_free_slots_are_counted_for_the_usual_task() -> None:
    assert free_slots([place("a", 4, 3), place("b", 4, 0)], Resources(1)) == 3
    assert free_slots([place("a", 4, 3)], Resources(2)) == 1


@given(st.integers(0, 9), st.lists(st.integers(0, 3), max_size=4), st.integers(0, 2**63 - 1))
def test_every_allocation_fits_and_can_be_repeated(n: int, free: list[int], seed: int) -> None:
    places = [place(f"p{i}", 3, cores) for i, cores in enumerate(free)]
    seen = openings(*places, seed=seed, settings=DispatchSettings(resources=Resources(1)))
    placed = allocate(seen, Admission(candidates(n)))
    assert placed == allocate(seen, Admission(candidates(n)))
    assert len(placed) == min(n, sum(free))
    used = Counter(placed.values())
    assert all(used[p.name] <= p.free.cores for p in places)
