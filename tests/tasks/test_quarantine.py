"""Which hosts are quarantined, and for how long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.settings import QuarantineRules
from alchemiscale_lake.tasks.quarantine import OUTCOMES, HostRecord, fold_outcomes

T0 = datetime(2025, 6, 1, tzinfo=UTC)
RULES = QuarantineRules(
    failures=3, window_s=3600, fast_s=300, penalty_s=600, longest_s=4800, penalty_expires_after_s=86400
)
#: hostname, Task, ok, end in minutes after T0, duration in seconds
Row = tuple[str, str, bool, float, float]


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def fold(rows: Sequence[Row], rules: QuarantineRules = RULES, **readmitted: datetime) -> dict[str, HostRecord]:
    frame = pl.DataFrame([(h, t, ok, at(m), s) for h, t, ok, m, s in rows], schema=OUTCOMES, orient="row")
    return fold_outcomes(frame, rules, readmitted)


def fails(minutes: Sequence[float], host: str = "bad", seconds: float = 1.0) -> list[Row]:
    return [(host, f"T{host}{m}", False, m, seconds) for m in minutes]


def test_no_results_no_hosts() -> None:
    assert fold([]) == {}


def test_fast_failures_in_a_row_lead_to_quarantine_from_the_last() -> None:
    record = fold(fails([0, 1, 2]))["bad"]
    assert record.quarantined_until == at(12)
    assert record.is_quarantined(at(11))
    assert not record.is_quarantined(at(12))
    assert record.reason == "3 fast failures without a success in between"
    assert (record.attempts, record.failures, record.fast_failures, record.last_seen_at) == (3, 3, 3, at(2))


def test_fewer_do_not() -> None:
    assert fold(fails([0, 1]))["bad"].quarantined_until is None


def test_a_success_between_breaks_the_row() -> None:
    rows = [*fails([0, 1]), ("bad", "good", True, 1.5, 900.0), *fails([2, 3])]
    assert fold(rows)["bad"].quarantined_until is None
    assert fold([*rows, *fails([4])])["bad"].quarantined_until == at(14)


def test_the_window_counts() -> None:
    assert fold(fails([0, 30, 61]))["bad"].quarantined_until is None
    assert fold(fails([0, 30, 60]))["bad"].quarantined_until == at(70)


def test_slow_failures_are_the_tasks_own() -> None:
    record = fold(fails([0, 10, 20], seconds=301.0))["bad"]
    assert (record.failures, record.fast_failures, record.quarantined_until) == (3, 0, None)


def test_what_ends_during_a_quarantine_adds_nothing() -> None:
    record = fold(fails([0, 1, 2, 3, 4, 5, 11]))["bad"]
    assert (record.quarantined_until, record.quarantines) == (at(12), 1)


def test_on_probation_one_failure_suffices_and_the_penalty_doubles_up_to_the_limit() -> None:
    rows, ends = fails([0, 1, 2]), [12.0]
    for penalty in (20, 40, 80, 80):
        rows += fails([ends[-1] + 1])
        ends.append(ends[-1] + 1 + penalty)
    record = fold(rows)["bad"]
    assert record.quarantined_until == at(ends[-1])
    assert record.reason == "a fast failure on probation"
    assert record.next_penalty_s(RULES, at(ends[-1])) == 4800


def test_probation_begins_after_quarantine_and_ends_when_all_penalties_expired() -> None:
    record = fold(fails([0, 1, 2]))["bad"]
    assert [record.is_on_probation(RULES, at(m)) for m in (11, 12, 12 + 1439, 12 + 1440)] == [False, True, True, False]
    proved = fold([*fails([0, 1, 2]), ("bad", "good", True, 15.0, 60.0)])["bad"]
    assert not proved.is_on_probation(RULES, at(16))


def test_a_success_ends_probation_but_not_the_doubling() -> None:
    rows = [*fails([0, 1, 2]), ("bad", "good", True, 15.0, 60.0), *fails([16, 17])]
    record = fold(rows)["bad"]
    assert (record.quarantined_until, record.on_probation) == (at(12), False)
    assert fold([*rows, *fails([18])])["bad"].quarantined_until == at(18 + 20)


def test_good_conduct_halves_the_next_penalty() -> None:
    day = 24 * 60
    twice = [*fails([0, 1, 2]), *fails([13])]
    record = fold(twice)["bad"]
    assert record.quarantines == 2
    assert record.next_penalty_s(RULES, at(34)) == 2400
    assert record.next_penalty_s(RULES, at(33 + day)) == 1200
    assert record.next_penalty_s(RULES, at(33 + 5 * day)) == 600
    later = 33.0 + day + 1
    assert fold([*twice, *fails([later])])["bad"].quarantined_until == at(later + 20), "still on probation"
    forgotten = 33.0 + 3 * day
    assert fold([*twice, *fails([forgotten])])["bad"].quarantined_until == at(33), (
        "no penalty is left: one is not enough"
    )


def test_a_task_that_fails_everywhere_is_to_blame_itself() -> None:
    rows = [(host, task, False, m, 1.0) for m, task in enumerate("xyz") for host in ("one", "two")]
    records = fold(rows)
    assert [r.quarantined_until for r in records.values()] == [None, None]
    assert [r.fast_failures for r in records.values()] == [0, 0]


def test_a_task_that_succeeded_elsewhere_was_not_to_blame() -> None:
    rows = [(host, task, False, m, 1.0) for m, task in enumerate("xyz") for host in ("one", "two")]
    rows += [("good", task, True, 10.0, 600.0) for task in "xyz"]
    records = fold(rows)
    assert records["one"].quarantined_until == records["two"].quarantined_until == at(12)
    assert records["good"].quarantined_until is None


def test_a_slow_failure_elsewhere_excuses_no_host() -> None:
    rows = [*fails([0, 1, 2]), *[("two", f"Tbad{m}", False, 30.0, 4000.0) for m in (0, 1, 2)]]
    assert fold(rows)["bad"].quarantined_until == at(12)


def test_a_reset_host_starts_without_penalties() -> None:
    rows = fails([0, 1, 2, 13])
    assert fold(rows, bad=at(14))["bad"].quarantined_until is None
    record = fold([*rows, *fails([15, 16])], bad=at(14))["bad"]
    assert (record.attempts, record.fast_failures, record.quarantined_until) == (6, 2, None)
    assert fold([*rows, *fails([15, 16, 17])], bad=at(14))["bad"].quarantined_until == at(27)


def test_hosts_are_judged_each_for_itself() -> None:
    records = fold([*fails([0, 1], "one"), *fails([2, 3], "two")])
    assert [r.quarantined_until for r in records.values()] == [None, None]


def test_a_hundred_thousand_failures_are_folded_quickly() -> None:
    rows = fails([m / 100 for m in range(100_000)])
    record = fold(rows, RULES.model_copy(update={"longest_s": 1e12}))["bad"]
    assert record.quarantines > 5


HOSTS = ["a", "b", "c"]
outcomes = st.lists(
    st.tuples(st.sampled_from(HOSTS), st.sampled_from("xyzuvw"), st.booleans(), st.integers(0, 4000), st.just(1.0)),
    max_size=40,
    unique_by=lambda row: row[3],
)


def plainly(rows: Sequence[Row], rules: QuarantineRules) -> dict[str, datetime | None]:
    """Apply the rules row by row; written independently of the code."""
    blamed = {t for _, t, *_ in rows if len({h for h, u, ok, *_ in rows if u == t and not ok}) > 1}
    blamed -= {t for _, t, ok, *_ in rows if ok}
    found: dict[str, datetime | None] = {}
    for host in {h for h, *_ in rows}:
        streak: list[float] = []
        times, end, probation = 0, None, False
        for _, task, ok, minute, _ in sorted((r for r in rows if r[0] == host), key=lambda r: r[3]):
            if ok:
                streak, probation = [], False
            elif task not in blamed and (end is None or minute >= end):
                if end is not None:
                    good_days = int((minute - end) * 60 / rules.penalty_expires_after_s)
                    times = max(0, times - good_days)
                    probation = probation and times > 0
                streak = [m for m in streak if (minute - m) * 60 <= rules.window_s] + [minute]
                if probation or len(streak) >= rules.failures:
                    end = minute + min(rules.penalty_s * 2**times, rules.longest_s) / 60
                    times, probation, streak = times + 1, True, []
        found[host] = None if end is None else at(end)
    return found


@settings(deadline=None)
@given(
    rows=outcomes,
    failures=st.integers(1, 3),
    window_s=st.sampled_from([600.0, 86400.0]),
    penalty_expires_after_s=st.sampled_from([3600.0, 86400.0]),
    seed=st.integers(0, 9),
)
def test_the_fold_agrees_with_the_rules_in_words_in_any_order_of_rows(
    rows: list[Row], failures: int, window_s: float, penalty_expires_after_s: float, seed: int
) -> None:
    rules = RULES.model_copy(
        update={"failures": failures, "window_s": window_s, "penalty_expires_after_s": penalty_expires_after_s}
    )
    random.Random(seed).shuffle(rows)
    assert {h: r.quarantined_until for h, r in fold(rows, rules).items()} == plainly(rows, rules)


@pytest.mark.parametrize("failures", [1, 2, 5])
def test_so_many_as_the_rules_say(failures: int) -> None:
    rules = RULES.model_copy(update={"failures": failures})
    assert fold(fails(range(failures)), rules)["bad"].quarantined_until is not None
    assert failures == 1 or fold(fails(range(failures - 1)), rules)["bad"].quarantined_until is None
