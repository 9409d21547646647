from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.tasks import choose
from alchemiscale_lake.tasks.shares import entitlements, with_turns


def candidates(counts: dict[str, int]) -> pl.DataFrame:
    rows = [
        (f"Task-{scope}-{i:03d}", f"T-{scope}-{i}", 10, f"N-{scope}", 0.5, scope)
        for scope, n in counts.items()
        for i in range(n)
    ]
    schema = ["task", "transformation", "priority", "network", "weight", "scope"]
    types = {"task": pl.String, "transformation": pl.String, "network": pl.String, "scope": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row", schema_overrides=types)


def running(counts: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame({"scope": [s for s, n in counts.items() for _ in range(n)]}, schema={"scope": pl.String})


def drawn(
    shares: dict[str, float], waiting: dict[str, int], run: dict[str, int], count: int, seed: int = 0
) -> Counter[str]:
    rows = with_turns(shares, candidates(waiting), running(run))
    weights = {f"N-{scope}": 0.5 for scope in waiting}
    tasks = choose(rows, weights, count, np.random.default_rng(seed))
    return Counter(task.removeprefix("Task-")[:-4] for task in tasks)


def test_the_most_specific_pattern_counts_and_the_others_split_the_rest() -> None:
    found = entitlements({"a-*-*": 0.6, "a-b-*": 0.2, "c-d-e": 0.1}, ["a-b-x", "a-z-x", "c-d-e", "q-q-q", "r-r-r"])

    assert found == {
        "a-b-x": ("a-b-*", 0.2),
        "a-z-x": ("a-*-*", pytest.approx(0.4)),
        "c-d-e": ("c-d-e", 0.1),
        "q-q-q": ("q-q-q", pytest.approx(0.15)),
        "r-r-r": ("r-r-r", pytest.approx(0.15)),
    }


def test_from_nothing_tasks_are_shared_out() -> None:
    assert drawn({"a-a-a": 0.7}, {"a-a-a": 50, "b-b-b": 50}, {}, 10) == {"a-a-a": 7, "b-b-b": 3}


def test_a_scope_above_its_share_waits_for_an_entitled_one() -> None:
    shares = {"a-a-a": 0.5}
    assert drawn(shares, {"a-a-a": 50, "b-b-b": 50}, {"a-a-a": 9, "b-b-b": 1}, 8) == {"b-b-b": 8}


def test_nothing_stays_idle_for_a_scope_that_does_not_wait() -> None:
    assert drawn({"a-a-a": 0.1}, {"a-a-a": 50}, {"a-a-a": 90}, 20) == {"a-a-a": 20}
    assert drawn({"a-a-a": 0.5}, {"a-a-a": 2, "b-b-b": 50}, {}, 20) == {"a-a-a": 2, "b-b-b": 18}


def test_scopes_of_no_share_come_last() -> None:
    assert drawn({"a-a-a": 1.0}, {"a-a-a": 5, "b-b-b": 50}, {}, 8) == {"a-a-a": 5, "b-b-b": 3}


def test_without_shares_nothing_is_added() -> None:
    rows = candidates({"a-a-a": 2})
    assert with_turns({}, rows, running({})).columns == rows.columns


SCOPES = ("a-a-a", "a-a-b", "b-b-b", "c-c-c")


@settings(deadline=None)
@given(
    shares=st.dictionaries(st.sampled_from(["a-a-*", "b-b-b"]), st.floats(0.05, 0.5), min_size=1),
    waiting=st.dictionaries(st.sampled_from(SCOPES), st.integers(1, 30), min_size=1),
    run=st.dictionaries(st.sampled_from(SCOPES), st.integers(0, 30)),
    count=st.integers(0, 40),
    seed=st.integers(0, 100),
)
def test_work_conserving_and_never_to_one_above_its_share_before_one_below(
    shares: dict[str, float], waiting: dict[str, int], run: dict[str, int], count: int, seed: int
) -> None:
    got = drawn(shares, waiting, run, count, seed)

    assert sum(got.values()) == min(count, sum(waiting.values()))
    groups = entitlements(shares, sorted(waiting))
    after: Counter[str] = Counter()
    for scope, n in run.items():
        after[(groups | entitlements(shares, [scope]))[scope][0]] += n
    for scope, n in got.items():
        after[groups[scope][0]] += n
    left = {groups[s] for s in waiting if waiting[s] > got[s]}
    # a group that still waits would not, with one more Task, have less for its share than one that was served
    for group, share in left:
        for scope in got:
            served, its_share = groups[scope]
            if served != group:
                assert after[served] * share <= (after[group] + 1) * its_share + 1e-9
