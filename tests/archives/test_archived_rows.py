"""What belongs to a network: its rows of every table, and no others."""

from __future__ import annotations

import polars as pl

from alchemiscale_lake.archives.archived_rows import LEFT_OUT, ArchivedRows
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign


def test_every_table_is_archived_or_left_out_for_a_reason() -> None:
    assert {*ArchivedRows.table_names(), *LEFT_OUT} == set(TABLES)
    assert not {*ArchivedRows.table_names()} & LEFT_OUT.keys()
    assert ArchivedRows.table_names()[-1] == "networks", "what makes others visible is written last"


def test_rows_of_other_networks_stay(lake: Lake) -> None:
    campaign = Campaign(lake)
    mine = campaign.network("mine", [("a", "b")])
    other = campaign.network("other", [("b", "c")])
    kept = campaign.new_tasks(mine, ["a_b_other", "a_b_other"])
    campaign.new_tasks(other, ["b_c_other"])

    rows = ArchivedRows(lake, [mine])

    assert set(rows.of("tasks")["task"]) == set(kept)
    assert rows.of("networks")["network"].to_list() == [mine]
    assert rows.nodes == {"a", "b"}
    assert set(rows.of("task_log")["task"]) == set(kept)


def test_tasks_that_are_extended_come_along(lake: Lake) -> None:
    campaign = Campaign(lake)
    mine, other = campaign.network("mine", [("a", "b")]), campaign.network("other", [("b", "c")])
    (parent,) = campaign.new_tasks(other, ["b_c_other"])
    (task,) = campaign.new_tasks(mine, ["a_b_other"])
    row = lake.table("tasks").scan().filter(pl.col("task") == task).collect().to_dicts()[0]
    lake.table("tasks").append_new([row | {"task": f"Task-extends-{campaign.scope}", "extends": parent}])

    assert ArchivedRows(lake, [mine]).tasks == {task, parent, f"Task-extends-{campaign.scope}"}


def test_actions_on_other_networks_are_facts_about_those(lake: Lake) -> None:
    from alchemiscale_lake.caller import Caller
    from alchemiscale_lake.statestore.task_operations import action_tasks

    campaign = Campaign(lake)
    mine = campaign.network("mine", [("a", "b")])
    (task,) = campaign.new_tasks(mine, ["a_b_other"])
    other = campaign.network("same", [("a", "b")])
    action_tasks(lake, [task], other, caller=Caller("ada"))

    log = ArchivedRows(lake, [mine]).of("task_log")

    assert other not in log["network"].to_list()
    assert other in ArchivedRows(lake, [other]).of("task_log")["network"].to_list()
