"""`status` names what makes no progress; its counts are in `test_reading`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.store import now_utc
from tests.campaign import Campaign


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    made = Campaign.at(tmp_path / "lake")
    made.new_tasks(made.network("tyk2", [("a", "b")]), ["a_b_other"])
    made.network("idle", [("x", "y")])
    return made


def status(campaign: Campaign, *arguments: str) -> Result:
    done = CliRunner().invoke(main, ["status", *arguments, "--lake", campaign.lake.url])
    assert done.exit_code == 0, done.output
    return done


def test_reasons_given_on_the_command_line_are_in_the_log(campaign: Campaign) -> None:
    for words in (
        ("set-priority", "3", "a_b_other-r0", "--reason", "paper"),
        ("set-weight", "0.2", "a_b_other-r0", "--network", "tyk2", "--reason", "less"),
        ("cancel", "a_b_other-r0", "--network", "tyk2", "--reason", "wrong"),
        ("action", "a_b_other-r0", "--network", "tyk2", "--reason", "right"),
        ("set-status", "invalid", "a_b_other-r0", "--reason", "bad"),
    ):
        done = CliRunner().invoke(main, ["tasks", *words, "--lake", campaign.lake.url])
        assert done.exit_code == 0, done.output

    page = CliRunner().invoke(main, ["tasks", "show", "a_b_other-r0", "--lake", campaign.lake.url]).output
    log = campaign.lake.table("task_log").scan().sort("seq").collect()["reason"].drop_nulls().to_list()
    assert log == ["paper", "less", "wrong", "right", "bad"]
    assert all(f": {reason}\n" in page for reason in log)


def test_stalled_tasks_are_named_beside_the_counts(campaign: Campaign) -> None:
    assert status(campaign).stderr == ""
    (held,) = claim_tasks(campaign.lake, "gpu", 1, lease_s=60, caller=Caller("d"))
    at = now_utc() - timedelta(hours=2)
    spec = AttemptSpec(held.attempt, held.task, held.transformation, held.scope)
    leave_beat(campaign.lake, spec, Beat(at, at, at, "gpu-17", None, 1, 3))

    done = status(campaign)

    assert done.stderr.splitlines() == [
        "1 Task makes no progress:",
        "  a_b_other-r0: no heartbeat",
        f"see `alchemiscale-lake tasks stalled --lake {campaign.lake.url}`",
    ]
    assert "heartbeat" not in done.stdout
    assert status(campaign, "tyk2").stderr == done.stderr
    assert status(campaign, "idle").stderr == ""
