"""Host records of a lake: from results, from users, and what workers read of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.execution.quarantine_list import is_quarantined, read_quarantine
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.settings import QuarantineRules
from alchemiscale_lake.statestore import host_records as hosts
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.host_records import (
    failed_hosts,
    host_records,
    on_probation,
    paused_hosts,
    publish,
    quarantine_host,
    quarantined,
    readmit_host,
)
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, now_utc
from tests.claims import end_claims
from tests.plain import SCOPE, plain_chain

RULES = QuarantineRules()
T2 = f"Task-2-{SCOPE}"


@pytest.fixture(autouse=True)
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the lake again for every query."""
    monkeypatch.setattr(hosts, "_LONGEST_S", 0.0)


def leave_results(
    lake: Lake, hostname: str | None, tasks: Sequence[int], *, ok: bool = False, minutes_ago: float = 1.0, **more: Any
) -> None:
    """Return one result per Task number, a second apart."""
    began = now_utc() - timedelta(minutes=minutes_ago)
    ended = [began + timedelta(seconds=i) for i in range(len(tasks))]
    row = {"scope": SCOPE, "ok": ok, "hostname": hostname, "wall_time_s": 1.0, "started_at": began}
    row |= {"origin_attempt": None, **more}
    row = {"ended_at": ended, "recorded_at": ended} | row
    table = TABLES["results"].sample(
        len(tasks),
        attempt=[f"{hostname}-{n}-{ok}" for n in tasks],
        task=[f"Task-{n}-{SCOPE}" for n in tasks],
        **row,
    )
    lake.table("results").append_new(table)


def soon() -> datetime:
    return now_utc() + timedelta(hours=1)


def test_an_empty_lake_knows_no_host(lake: Lake) -> None:
    assert host_records(lake, RULES) == {}
    assert quarantined(lake, RULES) == {}
    assert failed_hosts(lake) == {}


def test_results_identify_the_bad_host(lake: Lake) -> None:
    leave_results(lake, "good", [1, 2, 3], ok=True)
    leave_results(lake, "bad", [1, 2, 3])
    leave_results(lake, None, [4, 5, 6])
    records = host_records(lake, RULES)
    assert {name: (r.attempts, r.failures, r.fast_failures) for name, r in records.items()} == {
        "good": (3, 0, 0),
        "bad": (3, 3, 3),
    }
    assert list(quarantined(lake, RULES)) == ["bad"]
    later = now_utc() + timedelta(hours=1)
    assert quarantined(lake, RULES, later) == {}
    assert (on_probation(lake, RULES), on_probation(lake, RULES, later)) == (set(), {"bad"})


@pytest.mark.parametrize("skew", [timedelta(days=9), timedelta(days=-9), timedelta(minutes=-50)])
def test_a_host_is_judged_by_the_clock_of_who_recorded(lake: Lake, skew: timedelta) -> None:
    """A host whose clock is ahead would be excluded for as long, one whose clock is behind never."""
    recorded = [now_utc() - timedelta(seconds=60 - i) for i in range(3)]
    ended = [at + skew for at in recorded]
    leave_results(lake, "bad", [1, 2, 3], started_at=ended[0], ended_at=ended, recorded_at=recorded)
    (until,) = quarantined(lake, RULES).values()
    penalty = timedelta(seconds=RULES.penalty_s)
    assert abs(until - (recorded[-1] + penalty)) < timedelta(seconds=2)
    assert quarantined(lake, RULES, now_utc() + penalty) == {}


def test_other_rules_other_judgement(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2])
    assert list(quarantined(lake, RULES)) == []
    assert list(quarantined(lake, QuarantineRules(failures=2))) == ["bad"]
    assert list(quarantined(lake, QuarantineRules(failures=2, fast_s=0.5))) == []


def test_what_is_long_ago_is_forgotten(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2, 3], minutes_ago=15 * 24 * 60)
    assert host_records(lake, RULES) == {}
    assert failed_hosts(lake) == {}


def test_new_results_are_heard_of(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2])
    assert quarantined(lake, RULES) == {}
    leave_results(lake, "bad", [3])
    assert list(quarantined(lake, RULES)) == ["bad"]


def test_the_lake_is_not_read_at_every_question(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_LONGEST_S", 15.0)
    monkeypatch.setattr(hosts, "_PART_OF_TIME", 1e-6)
    assert quarantined(lake, RULES) == {}
    leave_results(lake, "bad", [1, 2, 3])
    assert quarantined(lake, RULES) == {}
    assert list(quarantined(Lake.open(lake.url), RULES)) == ["bad"], "another process reads for itself"


def test_hosts_that_failed_a_task(lake: Lake) -> None:
    leave_results(lake, "one", [1, 2])
    leave_results(lake, "two", [2], minutes_ago=0.5)
    leave_results(lake, "three", [2], ok=True)
    assert failed_hosts(lake, [T2, f"Task-9-{SCOPE}"]) == {T2: frozenset({"one", "two"})}
    assert set(failed_hosts(lake)) == {f"Task-1-{SCOPE}", T2}


def test_workers_read_what_is_published(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2, 3])
    found = quarantined(lake, RULES)
    publish(lake, found)
    assert read_quarantine(lake) == found
    assert is_quarantined(lake, "bad") == found["bad"]
    assert is_quarantined(lake, "good") is None


def test_nothing_is_published_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, {"bad": soon()})
    before = read_quarantine(lake)
    monkeypatch.setattr(lake.objects, "put", lambda *_: pytest.fail("written again"))
    publish(lake, before)


def test_a_person_quarantines_and_readmits(lake: Lake) -> None:
    until = soon()
    quarantine_host(lake, "noisy", until, caller=Caller("ana"), reason="a broken fan")
    assert quarantined(lake, RULES) == {"noisy": until}
    assert host_records(lake, RULES)["noisy"].reason == "a broken fan (by ana)"
    assert is_quarantined(lake, "noisy") == until
    readmit_host(lake, "noisy", caller=Caller("bob"))
    assert quarantined(lake, RULES) == {}
    assert is_quarantined(lake, "noisy") is None
    log = lake.table("host_log").scan().sort("seq").collect()
    assert list(log.select("seq", "hostname", "event", "actor", "reason").iter_rows()) == [
        (1, "noisy", "quarantined", "ana", "a broken fan"),
        (2, "noisy", "readmitted", "bob", None),
    ]


def test_a_reset_ends_an_automatic_quarantine_and_restarts_the_count(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2, 3])
    assert list(quarantined(lake, RULES)) == ["bad"]
    readmit_host(lake, "bad", caller=Caller("ana"))
    assert quarantined(lake, RULES) == {}
    assert host_records(lake, RULES)["bad"].failures == 3
    leave_results(lake, "bad", [4, 5], minutes_ago=-0.1)
    assert quarantined(lake, RULES) == {}
    leave_results(lake, "bad", [6], minutes_ago=-0.2)
    assert list(quarantined(lake, RULES)) == ["bad"]


def test_a_reset_host_stays_reset_when_a_user_quarantines_it_again(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2, 3])
    readmit_host(lake, "bad", caller=Caller("ana"))
    until = soon()
    quarantine_host(lake, "bad", until, caller=Caller("ana"))
    record = host_records(lake, RULES)["bad"]
    assert (record.quarantined_until, record.fast_failures) == (until, 0)


def test_the_longer_quarantine_holds(lake: Lake) -> None:
    leave_results(lake, "bad", [1, 2, 3])
    by_results = quarantined(lake, RULES)["bad"]
    quarantine_host(lake, "bad", now_utc() + timedelta(seconds=60), caller=Caller("ana"))
    assert quarantined(lake, RULES)["bad"] == by_results
    quarantine_host(lake, "bad", soon(), caller=Caller("ana"))
    assert quarantined(lake, RULES)["bad"] > by_results


def test_a_quarantine_ends_in_the_future(lake: Lake) -> None:
    with pytest.raises(SettingsError, match="is in the past"):
        quarantine_host(lake, "bad", now_utc() - timedelta(seconds=1), caller=Caller("ana"))
    assert lake.host_log.decisions() == {}


def test_others_stay_on_the_list_when_one_is_decided_about(lake: Lake) -> None:
    one, two = soon(), soon()
    quarantine_host(lake, "one", one, caller=Caller("ana"))
    quarantine_host(lake, "two", two, caller=Caller("ana"))
    assert read_quarantine(lake) == {"one": one, "two": two}
    readmit_host(lake, "one", caller=Caller("ana"))
    assert read_quarantine(lake) == {"two": two}


def test_a_host_that_lacks_something_is_shown_until_it_leaves_a_result(lake: Lake) -> None:
    ensure_tasks(lake, submit_network(lake, plain_chain([("a", "b")]), SCOPE).network, 3, caller=Caller("ana"))
    claims = claim_tasks(lake, "gpu", 3, lease_s=60, caller=Caller("d"))
    reasons = (
        "unreadable: the host is paused: No space left on device in /scratch (a); make room there (node1)",
        "refused: the host is paused: Disk quota exceeded in /scratch (node2)",
        "refused: host node3 is quarantined until 2026-01-01 00:00 UTC (node3)",
    )
    for claim, reason in zip(claims, reasons, strict=True):
        end_claims(lake, {claim.attempt: claim.task}, caller=Caller("d"), reason=reason)
    paused = {name: why for name, (_, why) in paused_hosts(lake).items()}
    said = "No space left on device in /scratch (a); make room there"
    assert paused == {"node1": said, "node2": "Disk quota exceeded in /scratch"}
    leave_results(lake, "node2", [1], ok=True, minutes_ago=-1.0)
    assert set(paused_hosts(lake)) == {"node1"}
