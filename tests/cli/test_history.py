"""`history`, and `--as-of` of the commands that answer from tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.statestore.network_state import set_network_weight
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return a lake, its network, and a time between two gathers."""
    folder = tmp_path_factory.mktemp("history") / "lake"
    campaign = Campaign.at(folder)
    network = campaign.network("tyk2", [("a", "b"), ("b", "c")])
    first, second, third = campaign.new_tasks(network, ["a_b_other", "b_c_other", "b_c_other"])
    campaign.result(first, 1.0, 0.1)
    campaign.result(second, 2.0, 0.1)
    gather_network(campaign.lake, network)
    between = campaign.lake.table("network_estimates").scan().collect()["estimated_at"].max()
    campaign.result(third, 4.0, 0.1)
    gather_network(campaign.lake, network)
    set_network_weight(Lake.open(folder), [network], 0.25, caller=Caller("ada"))
    return folder, network, between.isoformat()  # type: ignore[union-attr]


@pytest.fixture
def call(place: tuple[Path, str, str]) -> Call:
    return lambda *words: CliRunner().invoke(main, [*words, "--lake", str(place[0])])


def rows(done: Result) -> list[dict[str, str]]:
    assert done.exit_code == 0, done.output
    head, *lines = (line.split("\t") for line in done.stdout.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_what_happened_between_two_times(call: Call, place: tuple[Path, str, str]) -> None:
    everything = rows(call("history", "tyk2"))
    assert {row["what"] for row in everything} == {"network", "Tasks", "result", "estimate", "decision"}
    assert [row["value_kcal_mol"] for row in everything if row["what"] == "result"] == ["1.0", "2.0", "4.0"]

    later = call("history", "tyk2", "--since", place[2])
    changed = [row for row in rows(later) if row["what"] == "estimate"]
    assert {row["subject"] for row in changed} == {"a", "b", "c"}
    assert all(row["before_kcal_mol"] not in ("", row["value_kcal_mol"]) for row in changed)
    (decision,) = [row for row in rows(later) if row["what"] == "decision"]
    assert (decision["subject"], decision["change"], decision["actor"]) == ("weight", "0.25", "ada")
    assert "3 changed estimates, 1 decision" in later.stderr

    assert rows(call("history", "tyk2", "--until", "2025-05-31")) == []
    assert len(rows(call("history", "tyk2", "--since", "2025-06-01"))) == len(everything)
    assert call("history", "tyk2", "--since", "1200").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("rank", "tyk2"),
        ("gather", "tyk2"),
        ("gather", "tyk2", "--report", "ddg"),
        ("query", "select ligand, value_kcal_mol from ligand_ranking order by all"),
        ("status", "tyk2"),
        ("status",),
    ],
)
def test_answers_as_of_a_time(call: Call, place: tuple[Path, str, str], words: tuple[str, ...]) -> None:
    now, then = rows(call(*words)), rows(call(*words, "--as-of", place[2]))
    assert now
    assert then
    if words[0] != "status":  # events have the time at which this test wrote them
        assert now != then
    assert rows(call(*words)) == now


def test_nothing_is_gathered_in_the_past(call: Call, place: tuple[Path, str, str]) -> None:
    assert "excludes" in call("gather", "tyk2", "--as-of", place[2], "--rule", "own").stderr
    assert "is not a point in time" in call("rank", "tyk2", "--as-of", "yesterday").stderr
    missing = call("rank", "tyk2", "--as-of", "2020-01-01")
    assert missing.exit_code == 1
    assert "there is no network" in missing.stderr
