"""Continuously updated estimates: which networks, when, and the effect of an unresponsive lake."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.estimates import estimate_keeper
from alchemiscale_lake.estimates.estimate_keeper import EstimateKeeper, networks_holding
from alchemiscale_lake.estimates.gathering import GatherReport
from tests.campaign import Campaign


def three_networks(folder: Path) -> tuple[Campaign, list[str], str]:
    """Return two networks that share a Transformation, and a separate one; the shared one has a result."""
    campaign = Campaign.at(folder)
    networks = [
        campaign.network(name, pairs)
        for name, pairs in (("one", [("a", "b")]), ("two", [("a", "b"), ("b", "c")]), ("alone", [("x", "y")]))
    ]
    (task,) = campaign.new_tasks(networks[0], ["a_b_other"])
    campaign.result(task, 1.0, 0.1)
    return campaign, networks, campaign.transformation("a_b_other")


def gathered(campaign: Campaign) -> set[str]:
    return set(campaign.lake.table("network_estimates").scan().select("network").collect()["network"])


def test_only_networks_that_hold_the_transformation_are_gathered(tmp_path: Path) -> None:
    campaign, (one, two, _), transformation = three_networks(tmp_path / "lake")

    with EstimateKeeper(campaign.lake, every_s=60.0) as keeper:
        keeper.note([transformation])

    assert networks_holding(campaign.lake, [transformation]) == [one, two]
    assert gathered(campaign) == {one, two}


def test_it_gathers_while_the_work_goes_on(tmp_path: Path) -> None:
    campaign, (one, two, _), transformation = three_networks(tmp_path / "lake")

    with EstimateKeeper(campaign.lake, every_s=0.05, at_end=False) as keeper:
        keeper.note([transformation])
        deadline = time.monotonic() + 300
        while gathered(campaign) != {one, two} and time.monotonic() < deadline:
            time.sleep(0.05)

    assert gathered(campaign) == {one, two}


def test_nothing_new_is_nothing_to_do_and_the_end_may_be_left_to_others(tmp_path: Path) -> None:
    campaign, _, transformation = three_networks(tmp_path / "lake")

    with EstimateKeeper(campaign.lake):
        pass
    with EstimateKeeper(campaign.lake, at_end=False) as keeper:
        keeper.note([transformation])

    assert gathered(campaign) == set()


def test_a_lake_that_does_not_answer_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    campaign, (one, two, _), transformation = three_networks(tmp_path / "lake")
    gather, failures = estimate_keeper.gather_networks, [StorageError("no answer")]

    def unsteady(lake: object, networks: list[str]) -> list[GatherReport]:
        if failures:
            raise failures.pop()
        return gather(campaign.lake, networks)

    monkeypatch.setattr(estimate_keeper, "gather_networks", unsteady)
    with caplog.at_level(logging.WARNING), EstimateKeeper(campaign.lake, every_s=60.0) as keeper:
        keeper.note([transformation])
        keeper._gather()

    assert "estimates are not updated for now: no answer" in caplog.text
    assert gathered(campaign) == {one, two}
