"""Since when Tasks have their status: later events that leave it do not count."""

from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.status_changes import status_changes
from alchemiscale_lake.statestore.task_operations import cancel_tasks, set_tasks_priority, set_tasks_status
from tests.campaign import Campaign


def test_the_last_change_with_its_author_and_reason(tmp_path: Path) -> None:
    campaign, ana = Campaign.at(tmp_path / "lake"), Caller("ana")
    network = campaign.network("one", [("a", "b")])
    one, two, other = campaign.new_tasks(network, ["a_b_other"] * 3)
    lake = campaign.lake
    set_tasks_status(lake, [one], "invalid", caller=ana, reason="a wrong box")
    set_tasks_priority(lake, [two], 1, caller=Caller("ben"), reason="hurry")
    cancel_tasks(lake, [two], network, caller=Caller("ben"))

    found = {row["task"]: row for row in status_changes(lake, [one, two, "Task-unknown-o-c-p"]).to_dicts()}

    assert set(found) == {one, two}
    assert (found[one]["actor"], found[one]["reason"]) == ("ana", "a wrong box")
    assert (found[two]["actor"], found[two]["reason"]) == ("ada", None), "it waits since it was created"
    assert found[one]["at"] > found[two]["at"]
    assert status_changes(lake, []).is_empty()
    assert status_changes(lake, [other])["task"].to_list() == [other]
