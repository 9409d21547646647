"""Rows of a network: what has ended and what is in flight, values per result, absolute ends, costs."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.costs import forecast
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import read_sql
from alchemiscale_lake.query.connect import Connection
from alchemiscale_lake.rounds import network_rows as network_rows_module
from alchemiscale_lake.rounds.network_rows import network_rows, task_counts
from alchemiscale_lake.rounds.strategy_plan import StrategyPlan
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.task_operations import cancel_tasks
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.strategies import NetworkRows, TransformationRow
from tests.campaign import Campaign
from tests.rounds.test_advance import ADA

PLAN = StrategyPlan(strategy="s", digest="d", errors_to_freeze=2)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def read(campaign: Campaign, network: str, plan: StrategyPlan = PLAN) -> NetworkRows:
    gather_network(campaign.lake, network)
    counts = task_counts(campaign.lake.task_log.states(), network_transformations(campaign.lake, network))
    return network_rows(campaign.lake, network, plan, counts, n_rounds=3, at=now_utc(), pools=None)


def row_of(rows: NetworkRows, key: str) -> TransformationRow:
    (found,) = [row for row in rows.transformations if row.key.startswith(f"Transformation-{key}-")]
    return found


def test_results_failures_and_tasks_in_flight(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b"), ("b", "c")], ("solvent", "complex:P-1"))
    done = campaign.new_tasks(network, ["a_b_solvent"] * 4)
    campaign.result(done[0], 1.0, 0.1)
    campaign.result(done[1], 2.0, 0.3)
    cancel_tasks(campaign.lake, done[3:], network, caller=ADA)
    for task in campaign.new_tasks(network, ["b_c_solvent"] * 2):
        campaign.result(task, ok=False)

    rows = read(campaign, network)

    solvent, failed, bound = (row_of(rows, key) for key in ("a_b_solvent", "b_c_solvent", "a_b_complex_P1"))
    assert (solvent.n_results, solvent.n_in_flight, solvent.values_kcal_mol) == (2, 1, (1.0, 2.0))
    assert solvent.own_uncertainty_kcal_mol == pytest.approx(math.sqrt((0.1**2 + 0.3**2) / 2))
    assert (solvent.ligand_a, solvent.ligand_b, solvent.phase, solvent.group) == ("a", "b", "solvent", None)
    assert (bound.phase, bound.group, bound.n_counted) == ("complex", "P-1", 0)
    assert (failed.frozen, solvent.frozen) == (True, False)
    assert rows.round == 3


def test_a_round_opens_only_what_its_statement_reads(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    network = campaign.network("one", [("a", "b")])
    seen: list[set[str]] = []

    def spy(connection: Connection, sql: str, params: dict[str, object]) -> pl.DataFrame:
        seen.append({name for (name,) in connection.execute("select view_name from duckdb_views()").fetchall()})
        return read_sql(connection, sql, params)

    monkeypatch.setattr(network_rows_module, "read_sql", spy)
    read(campaign, network)

    (names,) = seen
    assert {"results", "network_members"} <= names
    assert not {"host_log", "cost_models", "network_growth", "failures"} & names


def test_costs_are_what_was_spent_and_what_is_in_flight(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b")])
    tasks = campaign.new_tasks(network, ["a_b_other"] * 3)
    campaign.result(tasks[0], 1.0, gpu_time_s=3600.0, wall_time_s=3600.0)
    campaign.result(tasks[1], ok=False, gpu_time_s=1800.0, wall_time_s=1800.0)

    rows = read(campaign, network)

    (row,) = rows.transformations
    assert row.gpu_hours is not None
    assert rows.spent_gpu_hours == pytest.approx(1.5 + row.gpu_hours)


def test_limits_become_those_of_the_round(campaign: Campaign) -> None:
    network, other = (campaign.network(name, [(name, "b")]) for name in ("one", "two"))
    for task in campaign.new_tasks(other, ["two_b_other"]):
        campaign.result(task, 1.0, gpu_time_s=7200.0, wall_time_s=7200.0)
    campaign.new_tasks(network, ["one_b_other"] * 2)
    plan = PLAN.model_copy(
        update={"max_tasks_per_network": 5, "max_tasks_per_round": 9, "scope_budget_gpu_hours": 1000.0}
    )

    rows = read(campaign, network, plan)

    assert rows.max_tasks == 3
    (row,) = rows.transformations
    assert rows.max_gpu_hours == pytest.approx(1000.0 - 2.0 - 2 * (row.gpu_hours or 0.0))


def test_an_absolute_free_energy_is_from_nothing_to_its_ligand(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "(none)")], protocol="AbsoluteBindingProtocol")
    (row,) = read(campaign, network).transformations
    assert (row.ligand_a, row.ligand_b, row.phase) == (None, "a", "binding")


def test_repeats_within_a_result_are_one_value(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    attempt = campaign.result(task, 2.0)
    common = {"scope": campaign.scope, "attempt": attempt}
    repeats = [(1.0, 0.2), (2.0, 0.2), (3.0, 0.2)]
    campaign.lake.table("replicates").append_new(
        [
            {**common, "replicate": k, "value_kcal_mol": value, "uncertainty_kcal_mol": error}
            for k, (value, error) in enumerate(repeats)
        ]
    )

    (row,) = read(campaign, network).transformations

    assert (row.n_results, row.values_kcal_mol) == (1, (2.0,))
    assert row.own_uncertainty_kcal_mol == pytest.approx(0.2 / math.sqrt(3))


def test_every_forecast_of_a_round_knows_the_pools(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    network = campaign.network("one", [("a", "b")])
    campaign.new_tasks(network, ["a_b_other"])
    gather_network(campaign.lake, network)
    pools, given = object(), []

    class Spy(forecast.Forecast):
        def __init__(self, lake: Lake, known: object) -> None:
            given.append(known)
            super().__init__(lake, None)

    monkeypatch.setattr(network_rows_module, "Forecast", Spy)
    counts = task_counts(campaign.lake.task_log.states(), network_transformations(campaign.lake, network))
    plan = PLAN.model_copy(update={"scope_budget_gpu_hours": 1000.0})
    network_rows(campaign.lake, network, plan, counts, n_rounds=0, at=now_utc(), pools=pools)  # type: ignore[arg-type]

    assert given == [pools, pools]
