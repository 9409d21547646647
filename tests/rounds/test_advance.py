"""Rounds ask for what is missing, once: twice in a row, by two at once, and after a kill anywhere."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.rounds import RoundReport, advance_network, advance_scope, clear_strategy, set_strategy
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.task_operations import cancel_tasks
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign
from tests.s3 import Way

ADA = Caller("ada")
PAIRS = [("a", "b"), ("b", "c"), ("c", "a")]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


@pytest.fixture
def network(campaign: Campaign) -> str:
    return campaign.network("one", PAIRS)


def chosen(
    campaign: Campaign, network: str, strategy: str = "fixed-repeats", settings: Any = None, **limits: Any
) -> None:
    set_strategy(campaign.lake, [network], strategy, settings=settings, caller=ADA, **limits)


def advance(campaign: Campaign, network: str, **options: Any) -> RoundReport:
    return advance_network(campaign.lake, network, caller=ADA, **options)


def tasks(lake: Lake, *statuses: str) -> Counter[str]:
    frame = lake.task_log.states().tasks
    frame = frame.filter(pl.col("status").is_in(statuses)) if statuses else frame
    return Counter(frame["transformation"].to_list())


def run_all(campaign: Campaign, value: float = 1.0, *, ok: bool = True) -> int:
    """Complete every waiting Task; return their number."""
    waiting = campaign.lake.task_log.states()
    names = waiting.with_status("waiting")["task"].to_list()
    campaign.tasks |= waiting.of(names)
    for task in names:
        campaign.result(task, value if ok else None, 0.1 if ok else None, ok=ok)
    return len(names)


def test_a_network_gets_what_its_strategy_asks_for_until_it_is_finished(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, settings={"repeats": 2})
    first = advance(campaign, network)
    assert (first.round, first.state, first.n_tasks) == (1, "asked", 6)
    assert set(tasks(campaign.lake).values()) == {2}
    assert set(campaign.lake.task_log.states().live_actions()["network"]) == {network}

    assert advance(campaign, network).state == "dormant"
    run_all(campaign)
    second = advance(campaign, network)
    assert (second.round, second.state, second.n_tasks) == (2, "finished", 0)
    assert advance(campaign, network).state == "dormant"
    assert sum(tasks(campaign.lake).values()) == 6


def test_what_is_in_flight_counts(campaign: Campaign, network: str) -> None:
    campaign.new_tasks(network, ["a_b_other"])
    chosen(campaign, network, settings={"repeats": 2})
    assert advance(campaign, network).n_tasks == 5
    assert set(tasks(campaign.lake).values()) == {2}


def test_a_network_without_a_strategy_is_refused_and_a_cleared_one_keeps_its_tasks(
    campaign: Campaign, network: str
) -> None:
    with pytest.raises(StrategyError, match="has no Strategy; set one with `alchemiscale-lake strategy set"):
        advance(campaign, network)
    chosen(campaign, network)
    advance(campaign, network)
    assert clear_strategy(campaign.lake, [network], caller=ADA) == [network]
    assert clear_strategy(campaign.lake, [network], caller=ADA) == []
    with pytest.raises(StrategyError):
        advance(campaign, network)
    assert sum(tasks(campaign.lake, "waiting").values()) == 9


def test_setting_a_strategy_anew_wakes_the_network(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, settings={"repeats": 1})
    advance(campaign, network)
    run_all(campaign)
    assert advance(campaign, network).state == "finished"
    chosen(campaign, network, settings={"repeats": 3})
    assert advance(campaign, network).n_tasks == 6


def test_disabled_strategies_and_inactive_networks_get_no_rounds(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, mode="disabled")
    assert advance(campaign, network).state == "disabled"
    chosen(campaign, network)
    set_network_state(campaign.lake, [network], "inactive", caller=ADA)
    assert advance(campaign, network).state == "inactive"
    assert not tasks(campaign.lake)


def test_a_round_waits_for_its_interval(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, settings={"repeats": 1}, interval_s=3600.0)
    advance(campaign, network)
    run_all(campaign)
    assert advance(campaign, network).state == "early"
    assert advance(campaign, network, now=True).state == "finished"


def test_a_transformation_with_failures_gets_no_more(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, settings={"repeats": 1})
    advance(campaign, network)
    run_all(campaign, ok=False)
    report = advance(campaign, network)
    assert (report.state, report.n_tasks) == ("idle", 0)
    rows = campaign.lake.table("strategy_rounds").scan().filter(pl.col("round") == 2).collect()
    assert rows["reason"].str.contains("frozen").all()


def test_what_a_user_cancelled_is_not_asked_for_again(campaign: Campaign, network: str) -> None:
    chosen(campaign, network)
    advance(campaign, network)
    cancel_tasks(campaign.lake, campaign.lake.task_log.states().tasks["task"].to_list(), network, caller=ADA)
    assert advance(campaign, network).state == "dormant"
    assert not len(campaign.lake.task_log.states().live_actions())


def test_full_mode_cancels_tasks_of_finished_transformations(campaign: Campaign, network: str) -> None:
    (kept,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(kept, 1.0, 0.1)
    campaign.new_tasks(network, ["a_b_other"])
    for mode, n in (("partial", 0), ("full", 1)):
        chosen(campaign, network, settings={"repeats": 1}, mode=mode)
        assert advance(campaign, network).n_cancelled == n


def test_a_killed_round_in_full_mode_cancels_later_what_it_did_not(campaign: Campaign, network: str) -> None:
    (kept,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(kept, 1.0, 0.1)
    campaign.new_tasks(network, ["a_b_other"])
    chosen(campaign, network, settings={"repeats": 1}, mode="full")

    def at(name: str) -> None:
        if name == "rounds:after-tasks":
            raise _Killed

    with fault_hook(at), pytest.raises(_Killed):
        advance(campaign, network)
    report = advance(campaign, network)
    assert (report.state, report.n_cancelled) == ("dormant", 1)
    assert advance(campaign, network).n_cancelled == 0


@pytest.mark.parametrize("stays", [True, False])
def test_a_dormant_network_costs_a_look_at_the_logs(bucket_lake: str, way: Way, stays: bool) -> None:
    campaign = Campaign(Lake.open(bucket_lake))
    network = campaign.network("one", PAIRS)
    chosen(campaign, network, settings={"repeats": 1})
    advance(campaign, network)
    run_all(campaign)
    assert advance(campaign, network).state == "finished"
    lake = campaign.lake if stays else Lake.open(bucket_lake)
    if stays:
        assert advance(campaign, network).state == "dormant"
    way.requests.clear()
    reports = [advance_network(lake, network, caller=ADA), *advance_scope(lake, SCOPE, caller=ADA)]
    assert [report.state for report in reports] == ["dormant"] * 2
    read = [request for request in way.requests if ".parquet" in request]
    tables = {request.split("/tables/")[1].split("/")[0] for request in way.requests if "/tables/" in request}
    if stays:
        assert not read, "no rows are read"
        assert tables <= {"task_log", "network_log", "strategy_rounds", "link_log"}
        assert len(way.requests) <= 2 * 4 * 3, "two looks at four logs"
    else:
        logs = {"task_log", "network_log", "strategy_rounds", "link_log"}
        assert tables <= {*logs, "task_snapshots", "action_snapshots"}


@pytest.mark.parametrize(
    ("limits", "n"),
    [
        ({"max_tasks_per_round": 4}, 4),
        ({"max_tasks_per_network": 5}, 5),
        ({"max_tasks_per_transformation": 1}, 3),
        ({"budget_gpu_hours": 1e-9}, 9),  # the cost of a Protocol never seen is unknown
    ],
)
def test_limits(campaign: Campaign, network: str, limits: dict[str, Any], n: int) -> None:
    chosen(campaign, network, **limits)
    assert advance(campaign, network).n_tasks == n


def test_budgets_count_what_was_spent_and_what_is_in_flight(campaign: Campaign, network: str) -> None:
    for task in campaign.new_tasks(network, ["a_b_other", "b_c_other", "c_a_other"]):
        campaign.result(task, 1.0, 0.1)  # a quarter of a GPU-hour of half an hour each
    chosen(campaign, network, settings={"repeats": 5}, budget_gpu_hours=2.0)
    asked = advance(campaign, network).n_tasks
    spent = campaign.lake.table("strategy_rounds").scan().select("spent_gpu_hours", "gpu_hours").collect()
    assert spent["spent_gpu_hours"][0] == pytest.approx(0.75)
    assert asked == int((2.0 - 0.75) / spent["gpu_hours"][0] + 1e-9)
    assert advance(campaign, network, now=True).n_tasks == 0


# --- one of two, and again after a kill -----------------------------------------------------------------


class _Killed(BaseException):
    pass


@pytest.mark.parametrize(
    "point", ["rounds:before-record", "rounds:after-record", "tasks:before-event", "rounds:after-tasks"]
)
def test_killed_anywhere_the_next_one_continues(campaign: Campaign, network: str, point: str) -> None:
    chosen(campaign, network, settings={"repeats": 2})

    def at(name: str) -> None:
        if name == point:
            raise _Killed

    with fault_hook(at), pytest.raises(_Killed):
        advance(campaign, network)
    again = Lake.open(campaign.lake.url)
    advance_network(again, network, caller=Caller("bob"))
    assert advance_network(again, network, caller=Caller("bob")).state == "dormant"
    assert set(tasks(again).values()) == {2}
    assert again.table("strategy_rounds").scan().select("round").collect()["round"].to_list() == [1] * 3


def test_two_schedulers_ask_once(campaign: Campaign, network: str) -> None:
    chosen(campaign, network, settings={"repeats": 2})
    start, reports = threading.Barrier(2), []

    def work(name: str) -> None:
        lake = Lake.open(campaign.lake.url)
        start.wait()
        reports.append(advance_network(lake, network, caller=Caller(name)))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 2
    assert sum(report.n_tasks for report in reports) == 6
    assert set(tasks(campaign.lake).values()) == {2}
    assert len(campaign.lake.table("strategy_rounds").scan().collect()) == 3


# --- Strategies of users -------------------------------------------------------------------------------

MINE = """
from alchemiscale_lake.strategies.base import Strategy, StrategySettings
from alchemiscale_lake.strategies.proposal import Proposal

class OnlyFirst(Strategy):
    settings_type = StrategySettings
    weights_are_tasks = True
    def _propose(self, network):
        rows = network.transformations
        {body}
        return Proposal({{row.key: 2.0 if row is rows[0] and row.n_counted < 2 else None for row in rows}})
    looks_at = "network"
"""


def mine(folder: Path, body: str = "", line_end: str = "\n") -> str:
    path = folder / "mine.py"
    path.write_bytes(MINE.format(body=body).replace("\n", line_end).encode())
    return f"{path}:OnlyFirst"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_users_own_strategy_runs_from_what_is_stored(
    campaign: Campaign, network: str, tmp_path: Path, line_end: str
) -> None:
    source = mine(tmp_path, line_end=line_end)
    chosen(campaign, network, source)
    Path(source.rpartition(":")[0]).unlink()
    assert advance(campaign, network).n_tasks == 2
    row = campaign.lake.table("strategy_rounds").scan().collect().row(0, named=True)
    assert row["strategy"] == "mine.py:OnlyFirst"
    assert len(row["digest"]) == 64


@pytest.mark.parametrize(
    ("body", "exception"),
    [
        ("raise ValueError('no idea')", "ValueError: no idea"),
        ("import os; os._exit(7)", "ended with 7"),
        ("import time; time.sleep(600)", "did not answer within 20 s"),
    ],
)
def test_a_strategy_that_fails_is_a_round_in_error(
    campaign: Campaign, network: str, tmp_path: Path, body: str, exception: str
) -> None:
    chosen(campaign, network, mine(tmp_path, body), time_limit_s=20.0 if "sleep" in body else 600.0)
    report = advance(campaign, network)
    assert report.state == "error"
    assert exception in str(report.exception)
    assert advance(campaign, network).state == "dormant"
    assert not tasks(campaign.lake)
    rows = campaign.lake.table("strategy_rounds").scan().collect()
    assert rows["exception"].str.contains(exception, literal=True).all()
    chosen(campaign, network, mine(tmp_path))
    assert advance(campaign, network).state == "asked"


def test_all_networks_of_a_scope_that_have_a_strategy(campaign: Campaign, network: str) -> None:
    campaign.network("two", [("x", "y")])
    chosen(campaign, network)
    assert [report.network for report in advance_scope(campaign.lake, SCOPE, caller=ADA)] == [network]
