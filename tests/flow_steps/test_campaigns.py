from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidScopeError, NotFoundError
from alchemiscale_lake.flow_steps.campaigns import (
    finish_campaign,
    network_name,
    new_campaign,
    prepare_campaign,
    unfinished_campaigns,
)
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import action_tasks, cancel_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    dump_network(harmonic_network(3, 2, name="two"), tmp_path / "two.json")
    return tmp_path / "two.json"


def test_a_campaign_is_found_until_it_is_finished(lake: Lake, file: Path) -> None:
    started = new_campaign(lake, "a-b-c", source=file, tasks_per_transformation=3)
    assert unfinished_campaigns(lake) == [started]
    assert started.title == "two"

    prepared, created = prepare_campaign(lake, started)
    assert (created, prepared.name) == (6, "two")
    assert unfinished_campaigns(lake) == [prepared]
    assert prepared.network is not None

    finish_campaign(lake, prepared.network)
    # its Tasks are still waiting, so it is found by these
    (by_hand,) = unfinished_campaigns(lake)
    assert (by_hand.network, by_hand.tasks_per_transformation) == (prepared.network, 0)


def test_preparing_again_adds_only_what_is_missing(lake: Lake, file: Path) -> None:
    prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file))

    _, created = prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file, tasks_per_transformation=2))

    assert created == 2
    (only,) = unfinished_campaigns(lake)
    assert only.tasks_per_transformation == 2


def test_what_a_person_cancelled_is_not_actioned_again(lake: Lake, file: Path) -> None:
    campaign, _ = prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file, tasks_per_transformation=2))
    assert campaign.network is not None
    cancelled = lake.task_log.states().tasks["task"][0]
    cancel_tasks(lake, [cancelled], campaign.network, caller=Caller("ana"))

    assert prepare_campaign(lake, campaign)[1] == 0

    standing = lake.task_log.states().live_actions()["task"].to_list()
    assert len(standing) == 3
    assert cancelled not in standing
    action_tasks(lake, [cancelled], campaign.network, caller=Caller("ana"))
    assert len(lake.task_log.states().live_actions()) == 4


def test_assays_are_imported(lake: Lake, file: Path, tmp_path: Path) -> None:
    (tmp_path / "exp.csv").write_text("ligand,value_kcal_mol\nlig000,-1.5\n")

    prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file, assays=tmp_path / "exp.csv", assay_kind="direct"))

    assert lake.table("assays").scan().collect()["value_kcal_mol"].to_list() == [-1.5]


def test_remarks_on_assays_are_logged(lake: Lake, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = tmp_path / "values.csv"
    values.write_text("ligand,Ki (nM)\nlig000,10\nlig001,>1000\n")

    with caplog.at_level(logging.WARNING):
        prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file, assays=values))

    assert "lig001" in caplog.text


def test_tasks_made_by_hand_are_something_to_resume(lake: Lake, file: Path) -> None:
    network = submit_network(lake, file, "a-b-c", name="mine").network
    assert unfinished_campaigns(lake) == []

    ensure_tasks(lake, network, 1, caller=Caller("test"))

    (found,) = unfinished_campaigns(lake)
    assert (found.network, found.title, found.source) == (network, "mine", None)
    assert prepare_campaign(lake, found) == (found, 0)


def test_a_stored_network_is_run_by_its_key(lake: Lake, file: Path) -> None:
    network = submit_network(lake, file, "a-b-c").network

    campaign, created = prepare_campaign(lake, new_campaign(lake, "a-b-c", network=network))

    assert (campaign.network, created) == (network, 2)
    assert network_name(lake, network) == "two"
    assert network_name(lake, "AlchemicalNetwork-0-a-b-c") is None


def test_a_network_is_resumed_once_however_often_it_was_begun(lake: Lake, file: Path) -> None:
    first, _ = prepare_campaign(lake, new_campaign(lake, "a-b-c", source=file))

    resumed = new_campaign(lake, "a-b-c", network=first.network, name=first.name, tasks_per_transformation=2)

    assert unfinished_campaigns(lake) == [resumed]
    assert first.network is not None
    finish_campaign(lake, first.network)
    assert [c.tasks_per_transformation for c in unfinished_campaigns(lake)] == [0]


def test_what_cannot_be_begun_leaves_no_record(lake: Lake, file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nosuch\.json"):
        new_campaign(lake, "a-b-c", source=tmp_path / "nosuch.json")
    with pytest.raises(InvalidScopeError):
        new_campaign(lake, "a-b-*", source=file)

    assert lake.objects.list("campaigns") == []
