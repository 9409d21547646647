from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.tasks import choose

N = "AlchemicalNetwork-{}-o-c-p"


def candidates(rows: list[tuple[str, str, int, str, float]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["task", "transformation", "priority", "network", "weight"], orient="row").cast(
        {
            "task": pl.String,
            "transformation": pl.String,
            "priority": pl.Int64,
            "network": pl.String,
            "weight": pl.Float64,
        }
    )


def draw(
    rows: list[tuple[str, str, int, str, float]], weights: dict[str, float], count: int, seed: int = 0
) -> list[str]:
    return choose(candidates(rows), weights, count, np.random.default_rng(seed))


row = st.tuples(
    st.sampled_from([f"t{i}" for i in range(12)]),
    st.sampled_from(["T1", "T2", "T3"]),
    st.integers(1, 4),
    st.sampled_from(["N1", "N2"]),
    st.floats(0.01, 1.0),
)


@settings(deadline=None)
@given(st.lists(row, max_size=20, unique_by=lambda r: (r[0], r[3])), st.integers(0, 15), st.integers(0, 1000))
def test_draws_distinct_candidates_and_no_more_than_asked(rows: list, count: int, seed: int) -> None:
    drawn = draw(rows, {"N1": 0.5, "N2": 1.0}, count, seed)
    tasks = {r[0] for r in rows}
    assert len(drawn) == len(set(drawn)) == min(count, len(tasks))
    assert set(drawn) <= tasks


@settings(deadline=None)
@given(st.lists(row, max_size=20, unique_by=lambda r: r[0]), st.integers(1, 15), st.integers(0, 1000))
def test_within_a_network_priority_is_strict(rows: list, count: int, seed: int) -> None:
    drawn = set(draw(rows, {"N1": 0.5, "N2": 1.0}, count, seed))
    for network in ("N1", "N2"):
        taken = [r[2] for r in rows if r[3] == network and r[0] in drawn]
        left = [r[2] for r in rows if r[3] == network and r[0] not in drawn]
        assert not taken or not left or max(taken) <= min(left)


@settings(deadline=None)
@given(st.lists(row, max_size=20, unique_by=lambda r: (r[0], r[3])), st.integers(0, 1000), st.randoms())
def test_the_same_seed_draws_the_same_whatever_the_order_of_rows(rows: list, seed: int, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    weights = {"N1": 0.5, "N2": 1.0}
    assert draw(rows, weights, 5, seed) == draw(shuffled, weights, 5, seed)


def test_networks_of_no_weight_and_unknown_ones_get_nothing() -> None:
    rows = [("t1", "T", 1, "N1", 0.5), ("t2", "T", 1, "N2", 0.5), ("t3", "T", 1, "N3", 0.5)]
    assert draw(rows, {"N1": 0.0, "N2": 0.3}, 3) == ["t2"]
    assert draw(rows, {}, 3) == []


def test_a_network_is_served_in_proportion_to_its_transformations() -> None:
    """One network of 30 and 10 of 3: each Transformation should have the same chance (alchemiscale#393)."""
    rows = [(f"big{i}", f"B{i}", 10, "big", 0.5) for i in range(30)]
    rows += [(f"small{n}_{i}", f"S{n}_{i}", 10, f"n{n}", 0.5) for n in range(10) for i in range(3)]
    weights = {r[3]: 0.5 for r in rows}
    big = sum(t.startswith("big") for seed in range(400) for t in draw(rows, weights, 6, seed))
    # 2400 draws, half expected from the big one; sd about 24
    assert abs(big - 1200) < 4 * 25


def test_task_weights_and_network_weights_are_chances() -> None:
    rows = [("light", "T1", 10, "N", 0.1), ("heavy", "T2", 10, "N", 0.9)]
    heavy = sum(draw(rows, {"N": 0.5}, 1, seed) == ["heavy"] for seed in range(1000))
    assert abs(heavy - 900) < 4 * 9.5
    rows = [("a", "T1", 10, "N1", 0.5), ("b", "T2", 10, "N2", 0.5)]
    first = sum(draw(rows, {"N1": 0.2, "N2": 0.6}, 1, seed) == ["b"] for seed in range(1000))
    assert abs(first - 750) < 4 * 13.7


@settings(deadline=None)
@given(
    st.lists(row, max_size=20, unique_by=lambda r: (r[0], r[3])),
    st.floats(0.0, 1.0),
    st.integers(0, 15),
    st.integers(0, 1000),
)
def test_never_one_of_a_network_without_weight(rows: list, weight: float, count: int, seed: int) -> None:
    drawn = draw(rows, {"N1": 0.0, "N2": weight}, count, seed)
    assert set(drawn) <= ({r[0] for r in rows if r[3] == "N2"} if weight else set())


@settings(deadline=None)
@given(
    st.lists(row, max_size=20, unique_by=lambda r: r[0]),
    st.integers(1, 15),
    st.integers(1, 15),
    st.integers(0, 1000),
)
def test_asking_for_more_only_adds_to_the_end(rows: list, count: int, more: int, seed: int) -> None:
    weights = {"N1": 0.5, "N2": 1.0}
    assert draw(rows, weights, count + more, seed)[:count] == draw(rows, weights, count, seed)
