"""The history of networks: revisions, what each added, and what it reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report.network_growth import growth_table
from tests.campaign import SCOPE, T0, Campaign, hours

WEEK = 24 * 7
PAIRS = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def history(campaign: Campaign, **equals: Any) -> list[dict[str, Any]]:
    return ask(connect(campaign.lake), "network_growth", **equals).to_dicts()


def grow(campaign: Campaign, week: int, n_pairs: int, **columns: Any) -> str:
    created_at = hours(week * WEEK)
    return campaign.network(f"week{week}", PAIRS[:n_pairs], created_at=created_at, creator=f"user{week}", **columns)


def add_tasks(campaign: Campaign, network: str, week: int, keys: list[str]) -> None:
    """Create Tasks in a week, by the clock of that week, and complete them."""
    for key in keys:
        number = len(campaign.tasks) + 1
        task = f"Task-{number:04d}-{SCOPE}"
        row = {"scope": SCOPE, "task": task, "transformation": campaign.transformation(key), "creator": "ada"}
        campaign.lake.table("tasks").append_new([row | {"created_at": hours(week * WEEK + number)}])
        assert campaign.new_tasks(network, [key]) == [task]
        campaign.result(task, 1.0, 0.1, recorded_at=hours(week * WEEK + 24))


def test_every_revision_states_what_it_added(campaign: Campaign) -> None:
    first = grow(campaign, 0, 2)
    add_tasks(campaign, first, 0, ["a_b_other", "b_c_other"])
    second = grow(campaign, 1, 3, made_by="submit")
    add_tasks(campaign, second, 1, ["c_d_other", "a_b_other"])
    third = grow(campaign, 2, 5)

    columns = ("revision", "grown_from", "n_ligands", "n_new_ligands", "n_transformations", "n_new_transformations")
    assert [tuple(row[c] for c in columns) for row in history(campaign)] == [
        (1, None, 3, 3, 2, 2),
        (2, first, 4, 1, 3, 1),
        (3, second, 6, 2, 5, 2),
    ]
    counted = ("n_new_tasks", "n_results", "n_reused_results", "creator", "lineage")
    assert [tuple(row[c] for c in counted) for row in history(campaign)] == [
        (2, 3, 0, "user0", first),
        (2, 4, 2, "user1", first),
        (0, 4, 4, "user2", first),
    ]
    assert [row["network"] for row in history(campaign, network=third)] == [third]


def test_two_networks_that_share_a_part_are_no_revisions_of_each_other(campaign: Campaign) -> None:
    campaign.network("one", PAIRS[:3])
    campaign.network("two", PAIRS[2:], created_at=hours(1))
    assert [row["revision"] for row in history(campaign)] == [1, 1]


def test_a_network_in_another_scope_is_another_lineage(campaign: Campaign) -> None:
    campaign.network("one", PAIRS[:3])
    campaign.network("two", PAIRS, scope="org-campaign-other", created_at=hours(1))
    assert [row["revision"] for row in history(campaign)] == [1, 1]


def test_a_network_made_from_another_one_is_its_revision_even_without_all_of_it(campaign: Campaign) -> None:
    first = campaign.network("one", PAIRS[:3])
    campaign.network("two", PAIRS[1:], created_at=hours(1), made_by="extend", made_from=[first])
    rows = history(campaign)
    assert [(row["revision"], row["n_new_transformations"]) for row in rows] == [(1, 3), (2, 2)]


def test_branches_have_one_lineage(campaign: Campaign) -> None:
    root = campaign.network("root", PAIRS[:2])
    campaign.network("left", PAIRS[:3], created_at=hours(1))
    right = campaign.network("right", [*PAIRS[:2], ("x", "y")], created_at=hours(2))
    assert [(row["revision"], row["lineage"]) for row in history(campaign)] == [(1, root), (2, root), (2, root)]
    assert len(growth_table(campaign.lake, right).rows) == 3


def test_results_by_reference_were_there_when_the_network_was_made(campaign: Campaign) -> None:
    network = campaign.network("copy", PAIRS[:1])
    row = {"scope": SCOPE, "task": f"Task-0001-{SCOPE}", "transformation": campaign.transformation("a_b_other")}
    origin = {"creator": "ada", "created_at": T0, "origin": "Task-0001-org-campaign-other"}
    campaign.lake.table("tasks").append_new([row | origin])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(task, 1.0, 0.1, recorded_at=hours(5), origin_attempt="e" * 32)
    assert [(r["n_new_tasks"], r["n_results"], r["n_reused_results"]) for r in history(campaign)] == [(0, 1, 1)]
