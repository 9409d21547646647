from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.tasks.policy import PoolView, Situation
from alchemiscale_lake.tasks.unclaimed_offers import UnclaimedOffers

START = datetime(2026, 11, 1, tzinfo=UTC)
NOBODY = UnclaimedOffers()


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def running(**attempts: list[str]) -> pl.DataFrame:
    rows = [{"pool": pool, "attempt": attempt} for pool, its in attempts.items() for attempt in its]
    return pl.DataFrame(rows, schema={"pool": pl.String, "attempt": pl.String})


def is_heard(offers: UnclaimedOffers, now: datetime, rows: pl.DataFrame, pool: str = "owned") -> bool:
    return offers.applied(Situation(now, {pool: PoolView(), "deaf": PoolView(heard=False)}), rows).of(pool).heard


def test_a_pool_is_waited_for_during_ten_minutes() -> None:
    idle = running()
    offers = NOBODY.after({"owned": 2}, idle, at(0))

    assert is_heard(offers, at(10), idle)
    assert not is_heard(offers, at(10.1), idle)


def test_others_stay_as_they_are() -> None:
    offers = NOBODY.after({"owned": 2}, running(), at(0))

    seen = offers.applied(Situation(at(60), {"owned": PoolView(workers=3), "third": PoolView()}), running())

    assert not seen.of("owned").heard
    assert seen.of("owned").workers == 3
    assert seen.of("third").heard


def test_the_time_counts_from_the_first_offer() -> None:
    idle = running()
    offers = NOBODY.after({"owned": 2}, idle, at(0)).after({"owned": 1}, idle, at(9))

    assert not is_heard(offers, at(10.1), idle)


def test_a_pool_that_takes_everything_is_offered_anew() -> None:
    idle = running()
    offers = NOBODY.after({"owned": 2}, idle, at(0)).after({}, idle, at(5)).after({"owned": 1}, idle, at(9))

    assert is_heard(offers, at(18), idle)
    assert not is_heard(offers, at(19.1), idle)


@pytest.mark.parametrize(
    ("before", "after"),
    [(["a"], []), ([], ["a"]), (["a"], ["b"]), (["a"], ["a", "b"])],
    ids=["ends", "starts", "both", "more"],
)
def test_any_movement_in_the_pool_starts_the_time_again(before: list[str], after: list[str]) -> None:
    offers = NOBODY.after({"owned": 2}, running(owned=before), at(0))
    assert is_heard(offers, at(11), running(owned=after))

    moved = offers.after({"owned": 2}, running(owned=after), at(11))
    assert is_heard(moved, at(20), running(owned=after))
    assert not is_heard(moved, at(21.5), running(owned=after))


def test_movement_elsewhere_does_not_count() -> None:
    offers = NOBODY.after({"owned": 2}, running(other=["a"]), at(0))

    assert not is_heard(offers, at(11), running(other=["b"]))


def test_a_pool_that_is_skipped_stays_so_although_nothing_is_left_to_it() -> None:
    """Nothing is left to a pool that is skipped; this must not count as having taken all."""
    idle = running()
    offers = NOBODY.after({"owned": 2}, idle, at(0)).after({}, idle, at(11)).after({}, idle, at(12))

    assert not is_heard(offers, at(13), idle)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 8),
            st.dictionaries(st.sampled_from("pq"), st.integers(1, 3)),
            st.sets(st.sampled_from("abc")),
        ),
        max_size=12,
    )
)
def test_a_pool_is_skipped_exactly_if_nothing_moved_there_for_ten_minutes_of_offers(
    steps: list[tuple[int, dict[str, int], set[str]]],
) -> None:
    """Compare with a reference that keeps the whole history."""
    offers, minutes, reference = NOBODY, 0.0, dict[str, tuple[frozenset[str], float]]()
    for wait, left_to, attempts in steps:
        minutes += wait
        rows, mark = running(p=sorted(attempts)), {"p": frozenset(attempts), "q": frozenset()}
        gone = {p for p, (seen, since) in reference.items() if seen == mark[p] and minutes - since > 10}
        for pool in "pq":
            assert is_heard(offers, at(minutes), rows, pool) == (pool not in gone)
        # nothing is left to pools that are skipped
        left_to = {pool: n for pool, n in left_to.items() if pool not in gone}
        offers = offers.after(left_to, rows, at(minutes))
        for pool in set("pq") - gone:
            if pool not in left_to:
                reference.pop(pool, None)
            elif pool not in reference or reference[pool][0] != mark[pool]:
                reference[pool] = mark[pool], minutes
