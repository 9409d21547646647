"""Tasks that make no progress, and why."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.statestore.claims import Claim, change_claims, claim_tasks
from alchemiscale_lake.statestore.stalled_tasks import stalled_tasks
from alchemiscale_lake.statestore.task_operations import create_tasks
from alchemiscale_lake.store import now_utc
from tests.campaign import SCOPE, Campaign

CALLER = Caller("d")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    made = Campaign.at(tmp_path / "lake")
    made.new_tasks(made.network("tyk2", [("a", "b")]), ["a_b_other"])
    return made


def claim(campaign: Campaign) -> Claim:
    (made,) = claim_tasks(campaign.lake, "gpu", 1, lease_s=60, caller=CALLER)
    return made


def beat(campaign: Campaign, held: Claim, *, silent_h: float = 0.0, quiet_h: float = 0.0) -> None:
    """Leave a heartbeat, so many hours ago, of an attempt that last made progress so many hours ago."""
    now = now_utc()
    at, progress_at = now - timedelta(hours=silent_h), now - timedelta(hours=max(quiet_h, silent_h))
    spec = AttemptSpec(held.attempt, held.task, held.transformation, held.scope)
    leave_beat(campaign.lake, spec, Beat(at, progress_at, progress_at, "gpu-17", None, 1, 3))


def test_what_runs_with_signs_of_progress_is_not_named(campaign: Campaign) -> None:
    assert stalled_tasks(campaign.lake).is_empty()
    held = claim(campaign)
    assert stalled_tasks(campaign.lake).is_empty()
    beat(campaign, held)
    assert stalled_tasks(campaign.lake).is_empty()


@pytest.mark.parametrize(
    ("hours", "why"),
    [
        ({"quiet_h": 2.0}, "neither uses CPU time nor writes, 1 of 3 units done"),
        ({"silent_h": 2.0}, "no heartbeat"),
    ],
)
def test_a_running_task_without_progress_is_named_with_its_host(
    campaign: Campaign, hours: dict[str, float], why: str
) -> None:
    held = claim(campaign)
    beat(campaign, held, **hours)

    (row,) = stalled_tasks(campaign.lake, "org-*-*").iter_rows(named=True)

    assert (row["task"], row["name"], row["status"], row["why"]) == (held.task, "a_b_other-r0", "running", why)
    assert (row["hostname"], row["pool"], row["attempt"]) == ("gpu-17", "gpu", held.attempt)
    assert timedelta(hours=1.9) < now_utc() - row["since"] < timedelta(hours=2.1)
    assert stalled_tasks(campaign.lake, quiet_s=3 * 3600.0).is_empty()
    assert stalled_tasks(campaign.lake, "other-*-*").is_empty()


def test_a_claimed_task_that_does_not_start_is_named(campaign: Campaign) -> None:
    claim(campaign)

    assert stalled_tasks(campaign.lake, quiet_s=0.0)["why"].to_list() == ["claimed, and has not started"]


def test_a_task_that_is_released_again_and_again_is_named(campaign: Campaign) -> None:
    for reason in ("refused: a", "refused: b", "walltime: c"):
        assert stalled_tasks(campaign.lake).is_empty()
        held = claim(campaign)
        change_claims(campaign.lake, release={held.attempt: (held.task, reason)}, caller=CALLER)

    assert stalled_tasks(campaign.lake)["why"].to_list() == ["3 attempts ended without a result: refused 2, walltime 1"]


def test_a_task_that_waits_for_a_failed_one_is_named(campaign: Campaign) -> None:
    (parent,) = campaign.tasks
    (child,) = create_tasks(campaign.lake, [campaign.transformation("a_b_other", SCOPE)], extends=parent, caller=CALLER)
    assert stalled_tasks(campaign.lake).is_empty()

    campaign.result(parent, ok=False)

    assert stalled_tasks(campaign.lake).select("task", "why").rows() == [(child, f"extends {parent}, which is error")]
