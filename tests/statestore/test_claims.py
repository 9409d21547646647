from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.statestore import claims as claims_module
from alchemiscale_lake.statestore.claims import (
    Selection,
    change_claims,
    claim_tasks,
    claimers,
    lease_durations_s,
    process_is_gone,
    process_name,
)
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_priority, set_tasks_status
from alchemiscale_lake.store import Lake, task_log
from tests.claims import end_claims, expire_claims, renew_leases
from tests.plain import SCOPE, plain_chain


@pytest.fixture
def network(lake: Lake) -> str:
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d")]), SCOPE)
    ensure_tasks(lake, submitted.network, 1, caller=Caller("ana"))
    return submitted.network


def test_claimed_tasks_run_under_a_fresh_attempt(lake: Lake, network: str) -> None:
    claims = claim_tasks(lake, "gpu", 2, lease_s=60, caller=Caller("d"))
    assert len({c.attempt for c in claims}) == 2
    states = lake.task_log.states().of([c.task for c in claims])
    for claim in claims:
        state = states[claim.task]
        assert (state.status, state.attempt, state.pool) == ("running", claim.attempt, "gpu")
    assert len(claim_tasks(lake, "gpu", 5, lease_s=60, caller=Caller("d"))) == 1
    assert claim_tasks(lake, "gpu", 5, lease_s=60, caller=Caller("d")) == []
    assert claim_tasks(lake, "gpu", 0, lease_s=60, caller=Caller("d")) == []


def test_priority_goes_first(lake: Lake, network: str) -> None:
    urgent = lake.task_log.states().tasks["task"][1]
    set_tasks_priority(lake, [urgent], 1, caller=Caller("ana"))
    assert [
        c.task for c in claim_tasks(lake, "p", 1, lease_s=60, caller=Caller("d"), rng=np.random.default_rng(3))
    ] == [urgent]


@pytest.mark.parametrize("state", ["inactive", "invalid", "deleted"])
def test_only_active_networks_with_weight_are_claimed_from(lake: Lake, network: str, state: str) -> None:
    lake.network_log.set([network], state=state, caller=Caller("ana"))
    assert claim_tasks(lake, "p", 9, lease_s=60, caller=Caller("d")) == []
    lake.network_log.set([network], state="active", weight=0.0, caller=Caller("ana"))
    assert claim_tasks(lake, "p", 9, lease_s=60, caller=Caller("d")) == []
    lake.network_log.set([network], weight=0.1, caller=Caller("ana"))
    assert len(claim_tasks(lake, "p", 9, lease_s=60, caller=Caller("d"))) == 3


def test_a_selection_keeps_to_its_scopes_and_networks(lake: Lake, network: str) -> None:
    other = submit_network(lake, plain_chain([("x", "y")]), "org-campaign-other")
    ensure_tasks(lake, other.network, 1, caller=Caller("ana"))

    def claim(**chosen: object) -> set[str]:
        return {
            c.scope for c in claim_tasks(lake, "p", 1, lease_s=60, caller=Caller("d"), selection=Selection(**chosen))
        }  # type: ignore[arg-type]

    assert claim(scopes=(Scope("org", "campaign", "other"),)) == {"org-campaign-other"}
    assert claim(scopes=(Scope("org", "campaign", "other"),)) == set()
    assert claim(scopes=(Scope("elsewhere"),)) == set()
    assert claim(networks=(other.network,)) == set()
    assert claim(scopes=(Scope("org"),)) == {SCOPE}
    assert claim(networks=(network,)) == {SCOPE}


def test_leases_are_renewed_by_their_holder_only(lake: Lake, network: str) -> None:
    mine, gone = claim_tasks(lake, "p", 2, lease_s=0, caller=Caller("d"))
    before = lake.task_log.states().running()[mine.task]
    set_tasks_status(lake, [gone.task], "invalid", caller=Caller("ana"))
    renew_leases(lake, {mine.attempt: mine.task, gone.attempt: gone.task}, lease_s=600, caller=Caller("d"))
    states = lake.task_log.states().of([mine.task, gone.task])
    assert states[mine.task].lease_expires_at > before.lease_expires_at
    assert (states[gone.task].status, states[gone.task].attempt) == ("invalid", None)
    assert end_claims(lake, {mine.attempt: mine.task}, caller=Caller("d"), reason="stop") == 1
    assert lake.task_log.states().of([mine.task])[mine.task].status == "waiting"


def test_claims_change_in_one_commit(lake: Lake, network: str) -> None:
    one, two, three = claim_tasks(lake, "p", 3, lease_s=60, caller=Caller("d"))
    before = lake.task_log.states()
    watched = [before.running()[two.task]]
    release = {one.attempt: (one.task, "stopped"), "another": (three.task, "not its own")}
    renew = {three.attempt: three.task}
    assert change_claims(lake, release=release, expire=watched, renew=renew, caller=Caller("d")) == 2
    after = lake.task_log.states()
    assert after.seq == before.seq + 1
    assert {task: s.status for task, s in after.of([one.task, two.task, three.task]).items()} == {
        one.task: "waiting",
        two.task: "waiting",
        three.task: "running",
    }
    assert change_claims(lake, release={}, caller=Caller("d")) == 0
    assert lake.task_log.states().seq == after.seq


def test_a_lease_expires_as_it_was_watched_whatever_time_it_is(lake: Lake, network: str) -> None:
    """Its expiry is not compared with a clock: one from a clock that is a year ahead expires like any other."""
    _, other = claim_tasks(lake, "p", 2, lease_s=365 * 86400, caller=Caller("d"))
    watched = list(lake.task_log.states().running().values())
    renew_leases(lake, {other.attempt: other.task}, lease_s=60, caller=Caller("d"))
    assert expire_claims(lake, watched, caller=Caller("e")) == 1, "the other was renewed since it was watched"
    assert set(lake.task_log.states().running()) == {other.task}
    assert expire_claims(lake, watched, caller=Caller("e")) == 0


def test_a_lease_lasts_as_long_as_its_writer_meant(lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent of the writer's clock: both times in the log are its own."""
    ahead = SimpleNamespace(now=lambda _=None: datetime.now(UTC) + timedelta(days=400))
    monkeypatch.setattr(claims_module, "now_utc", ahead.now)
    monkeypatch.setattr(task_log, "datetime", ahead)
    (claim,) = claim_tasks(lake, "p", 1, lease_s=90, caller=Caller("d"))
    running = lake.task_log.states().running().values()
    assert lease_durations_s(lake, running) == {claim.attempt: pytest.approx(90, abs=5)}
    renew_leases(lake, {claim.attempt: claim.task}, lease_s=500, caller=Caller("d"))
    running = lake.task_log.states().running().values()
    assert lease_durations_s(lake, running) == {claim.attempt: pytest.approx(500, abs=5)}


def test_processes_are_known_by_pid_start_and_machine() -> None:
    assert not process_is_gone(process_name("d"))
    code = "from alchemiscale_lake.statestore.claims import process_name; print(process_name('d'))"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert process_is_gone(ended)
    assert not process_is_gone(ended + "-of-another-machine")
    assert not process_is_gone("somebody")


def test_the_process_that_claimed_an_attempt_is_known(lake: Lake, network: str) -> None:
    code = f"""
from alchemiscale_lake.store import Lake
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.claims import claim_tasks, process_name
claim_tasks(Lake.open({lake.url!r}), "p", 1, lease_s=600, caller=Caller(process_name("dispatch:p")))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    (mine,) = claim_tasks(lake, "p", 1, lease_s=600, caller=Caller(process_name("dispatch:p")))
    running = lake.task_log.states().running()
    assert len(running) == 2
    claimed_by = {attempt: actor for attempt, (actor, _) in claimers(lake, running.values()).items()}
    assert [process_is_gone(actor) for attempt, actor in claimed_by.items() if attempt != mine.attempt] == [True]
    assert not process_is_gone(claimed_by[mine.attempt])
