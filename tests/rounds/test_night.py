"""A night of a living network takes every step that it can, and reports what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.rounds import clear_strategy, get_strategy, set_strategy
from alchemiscale_lake.rounds.night import Night, run_night
from alchemiscale_lake.rounds.setting import plan_of
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.store import Lake
from tests.design_files import design

ADA = Caller("ada")
SCOPE = "org-programme-designs"


def night(lake: Lake, folder: Path, **options: Any) -> Night:
    return run_night(lake, str(folder), SCOPE, "tyk2", caller=ADA, **options)


def n_tasks(lake: Lake) -> int:
    return len(lake.task_log.states().with_status("waiting"))


@pytest.fixture
def designs(tmp_path: Path) -> Path:
    folder = tmp_path / "designs"
    folder.mkdir()
    return folder


def test_nights_grow_the_network_and_compute_only_what_is_new(lake: Lake, designs: Path) -> None:
    plan = plan_of("fixed-repeats", {"repeats": 2})
    assert night(lake, designs, plan=plan).network is None
    design(designs, "a.json", "ab", "bc")
    first = night(lake, designs, plan=plan)
    design(designs, "b.json", "bc", "cd")
    second = night(lake, designs, plan=plan)

    assert (first.n_tasks, second.n_tasks, n_tasks(lake)) == (4, 2, 6)
    assert first.round is not None
    assert (first.round.state, first.failures) == ("asked", ())
    assert second.growth is not None
    assert second.growth.grown == ("b.json",)
    third = night(lake, designs, plan=plan)
    assert third.round is not None
    assert (third.n_tasks, third.round.state, third.network) == (0, "dormant", second.network)


def test_what_users_decide_about_the_strategy_is_left_alone(lake: Lake, designs: Path) -> None:
    plan = plan_of("fixed-repeats", {"repeats": 2})
    design(designs, "a.json", "ab")
    network = str(night(lake, designs, plan=plan).network)
    set_strategy(lake, [network], "fixed-repeats", settings={"repeats": 5}, caller=ADA)
    assert night(lake, designs, plan=plan).n_tasks == 3
    clear_strategy(lake, [network], caller=ADA)
    design(designs, "b.json", "bc")
    grown = night(lake, designs, plan=plan)
    assert grown.network != network
    assert (grown.round, get_strategy(lake, str(grown.network))) == (None, None)


def test_a_folder_that_is_gone_stops_no_round(lake: Lake, designs: Path) -> None:
    plan = plan_of("fixed-repeats", {"repeats": 1})
    design(designs, "a.json", "ab")
    network = str(night(lake, designs, plan=plan).network)
    set_strategy(lake, [network], "fixed-repeats", settings={"repeats": 3}, caller=ADA)
    held = night(lake, designs / "gone")

    assert (held.network, held.growth, held.n_tasks) == (network, None, 2)
    (failure,) = held.failures
    assert failure.startswith("picking up design files: there is no folder")
    assert night(lake, designs).failures == ()


def test_a_strategy_that_fails_is_a_failure_every_night_until_it_is_set_again(lake: Lake, designs: Path) -> None:
    goal = {"goals": [{"kind": "ligands", "ligands": {"zzz": 1}}]}
    design(designs, "a.json", "ab")
    for _ in range(2):
        (failure,) = night(lake, designs, plan=plan_of("optimal-design", goal)).failures
        assert "the ligand 'zzz'" in failure


def test_tasks_without_a_strategy_and_none_while_paused(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab")
    held = night(lake, designs, tasks_per_transformation=2)
    assert (held.n_tasks, held.round) == (2, None)
    set_network_state(lake, [str(held.network)], "inactive", caller=ADA)
    design(designs, "b.json", "bc")
    paused = night(lake, designs, tasks_per_transformation=3)
    assert paused.growth is not None
    assert (paused.growth.paused, paused.n_tasks) == (True, 0)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("point", ["night:grown", "night:strategy-set", "rounds:after-record", "rounds:after-tasks"])
def test_killed_anywhere_the_next_night_asks_for_what_is_missing_once(lake: Lake, designs: Path, point: str) -> None:
    plan = plan_of("fixed-repeats", {"repeats": 2})
    design(designs, "a.json", "ab", "bc")

    def at(name: str) -> None:
        if name == point:
            raise _Killed

    with fault_hook(at), pytest.raises(_Killed):
        night(lake, designs, plan=plan)
    again = Lake.open(lake.url)
    night(again, designs, plan=plan)
    night(again, designs, plan=plan)
    assert n_tasks(again) == 4
    assert again.table("strategy_rounds").scan().select(pl.col("round").max()).collect().item() == 1
