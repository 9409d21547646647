"""Two schedulers advance one network at the same time, and are killed: no Task is asked for twice, no round is lost."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.rounds import advance_network, set_strategy
from alchemiscale_lake.statestore.round_tasks import round_task_keys
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.forks import ForkServer
from tests.long import LONG

DRIVER = "tests.faults.round_driver"
PAIRS = [("a", "b"), ("b", "c"), ("c", "a")]
SEED = 20261129


@pytest.fixture(scope="module")
def schedulers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ForkServer, ForkServer]]:
    one, two = (ForkServer(tmp_path_factory.mktemp(name), DRIVER) for name in ("one", "two"))
    with one, two:
        yield one, two


def drive(
    server: ForkServer, lake: Lake, network: str, name: str, fault: str | None = None, *, points: Path | None = None
) -> bool:
    """Advance in a process of its own; return whether it was killed."""
    env = {k: v for k, v in os.environ.items() if k != "ALCHEMISCALE_LAKE_FAULT"}
    if fault is not None:
        env["ALCHEMISCALE_LAKE_FAULT"] = fault
    options = [] if points is None else ["--points", str(points)]
    done = server.run(DRIVER, lake.url, network, name, *options, environment=env)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def run_all(campaign: Campaign, draw: random.Random) -> None:
    """Complete every waiting Task."""
    states = campaign.lake.task_log.states()
    names = sorted(states.with_status("waiting")["task"])
    campaign.tasks |= states.of(names)
    for task in names:
        campaign.result(task, draw.gauss(1.0, 0.2), 0.1)


@pytest.mark.parametrize("n_rounds", [3, pytest.param(50, marks=LONG)])
@pytest.mark.parametrize("strategy", ["fixed-repeats", "optimal-design"])
def test_two_schedulers_that_are_killed_ask_once_and_lose_no_round(
    n_rounds: int, strategy: str, schedulers: tuple[ForkServer, ForkServer], tmp_path: Path
) -> None:
    draw, kills = random.Random(f"{SEED} {strategy}"), 0
    points = points_of(schedulers[0], strategy, n_rounds, tmp_path)
    campaign, network = campaign_of(strategy, n_rounds, tmp_path / "lake")
    for number in range(n_rounds):
        faults = draw.choices(points, k=2)
        with ThreadPoolExecutor(2) as threads:
            kills += sum(threads.map(drive, schedulers, [campaign.lake] * 2, [network] * 2, ("ada", "bob"), faults))
        # every third time, what was cut is completed only after other Tasks have ended
        if number % 3 < 2:
            drive(schedulers[number % 2], campaign.lake, network, "eve")
            assert advance_network(campaign.lake, network, caller=Caller("dan")).state == "dormant"
        run_all(campaign, draw)
    while advance_network(campaign.lake, network, caller=Caller("ada")).n_tasks:
        run_all(campaign, draw)

    assert kills >= n_rounds // 2
    rounds = campaign.lake.table("strategy_rounds").scan().sort("round", "transformation").collect()
    assert_each_round_is_there_once(rounds)
    assert rounds["state"][-1] == "finished"
    assert_each_task_was_asked_for_once(campaign.lake, network, rounds)
    results = Counter(campaign.lake.table("results").scan().select("transformation").collect()["transformation"])
    assert strategy != "fixed-repeats" or set(results.values()) == {n_rounds}


def campaign_of(strategy: str, n_rounds: int, folder: Path) -> tuple[Campaign, str]:
    """Return a campaign whose Strategy asks for about one result of each Transformation per round."""
    campaign = Campaign.at(folder)
    network = campaign.network("one", PAIRS)
    settings = {"repeats": n_rounds} if strategy == "fixed-repeats" else {"max_repeats": n_rounds}
    limits = {"mode": "full", "max_tasks_per_round": len(PAIRS)}
    set_strategy(campaign.lake, [network], strategy, settings=settings, caller=Caller("ada"), **limits)
    return campaign, network


def points_of(server: ForkServer, strategy: str, n_rounds: int, folder: Path) -> list[str]:
    """Return the fault points of the first two rounds, as they are named to be killed at."""
    campaign, network = campaign_of(strategy, n_rounds, folder / "undisturbed")
    found: list[str] = []
    for number in range(2):
        drive(server, campaign.lake, network, "ada", points=folder / f"{number}.json")
        run_all(campaign, random.Random(0))
        passed = Counter(json.loads((folder / f"{number}.json").read_text()))
        found += [f"{name}@{nth}" for name, n in passed.items() for nth in range(1, n + 1)]
    assert len(set(found)) >= 10
    return sorted(set(found))


def assert_each_round_is_there_once(rounds: pl.DataFrame) -> None:
    assert rounds.select("round", "transformation").is_unique().all()
    n_writers = rounds.group_by("round").agg(pl.len(), pl.col("actor", "at").n_unique())
    assert n_writers.select("len", "actor", "at").unique().rows() == [(len(PAIRS), 1, 1)]
    assert sorted(n_writers["round"]) == list(range(1, len(n_writers) + 1))


def assert_each_task_was_asked_for_once(lake: Lake, network: str, rounds: pl.DataFrame) -> None:
    asked: dict[str, str] = {}
    for (number,), rows in rounds.group_by("round"):
        asked |= round_task_keys(network, number, dict(rows.select("transformation", "n_tasks").iter_rows()))
    log = lake.table("task_log").scan().collect()
    for event in ("created", "actioned"):
        assert sorted(log.filter(event=event)["task"]) == sorted(asked), event
    assert sorted(lake.table("tasks").scan().select("task").collect()["task"]) == sorted(asked)
