"""Flows in this process, on a real server and in a real pool: what Prefect shows, and what the lake contains."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from alchemiscale_lake.dispatch.dispatch_report import Progress
from alchemiscale_lake.errors import NotFoundError, SettingsError, StorageError
from alchemiscale_lake.flow_steps import campaigns
from alchemiscale_lake.flow_steps.launch import Session
from alchemiscale_lake.flow_steps.progress_listeners import reported
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.prefect_api.local_api import Api, _flush_prefect
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network
from tests.prefect_requests import post


def read_runs(api: Api, flow_run_name: str) -> tuple[Any, list[Any], dict[str, Any]]:
    """Return a flow run, its task runs, and its artifacts by key, as requested by the Prefect UI."""
    of_run: dict[str, Any] = {"flow_runs": {"name": {"any_": [flow_run_name]}}}
    (flow_run,) = post(api, "flow_runs/filter", **of_run)
    task_runs = post(api, "task_runs/filter", **of_run)
    artifacts = post(api, "artifacts/filter", **of_run)
    return flow_run, task_runs, {artifact["key"]: artifact for artifact in artifacts}


@dataclass
class Played:
    lake: Lake
    report: Any
    heard: list[Progress]


@pytest.fixture(scope="module")
def flows(api: Api) -> Session:
    return Session(api, _hush)


@pytest.fixture(scope="module")
def played(
    flows: Session, network_file: Path, empty_lake_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Played:
    """Run a campaign of four Transformations, one of which fails, once for all tests here."""
    folder = tmp_path_factory.mktemp("campaign") / "lake"
    shutil.copytree(empty_lake_folder, folder)
    heard: list[Progress] = []
    asked: dict[str, Any] = {"network": str(network_file), "scope": "a-b-c", "lake": str(folder), "name": "MCL-1 (new)"}
    report = flows.call("run-campaign", heard.append, **asked, workers=2)
    _flush_prefect()
    return Played(Lake.open(folder), report, heard)


def test_a_campaign_ends_with_estimates(played: Played) -> None:
    done = played.report.dispatched

    assert (played.report.n_created, done.report.completed, done.report.failed) == (4, 3, 1)
    assert not done.interrupted
    assert played.report.campaign.name == "MCL-1 (new)"
    last = played.heard[-1]
    assert (last.complete, last.waiting, last.running, last.error) == (3, 0, 0, 1)
    values = ask(connect(played.lake), "ligand_ranking")
    assert values["value_kcal_mol"].is_not_null().sum() == 3
    assert [c.finished for c in campaigns._records(played.lake)] == [True]


def test_every_task_is_a_task_run_with_its_science_name(api: Api, played: Played) -> None:
    names = played.lake.table("transformations").scan().collect()["name"].to_list()
    deadline = time.monotonic() + 30.0
    # the server stores states once a second
    while len((runs := read_runs(api, "run-MCL-1 (new)"))[1]) < len(names) and time.monotonic() < deadline:
        time.sleep(0.2)
    flow_run, task_runs, _ = runs

    # one failed, and the flow continued
    assert flow_run["state_name"] == "Completed"
    assert sorted(run["name"] for run in task_runs) == sorted(f"{name}-r0" for name in names)
    states = {run["name"]: run["state"] for run in task_runs}
    failed = states.pop("lig000_lig009-r0")
    assert failed["name"] == "Failed"
    assert "InjectedFailureError" in failed["message"]
    assert {state["name"] for state in states.values()} == {"Completed"}
    assert all("kcal/mol" in state["message"] for state in states.values())


def test_artifacts_show_progress_estimates_and_a_summary(api: Api, played: Played) -> None:
    _, _, artifacts = read_runs(api, "run-MCL-1 (new)")

    shown = ("estimates", "page", "progress", "summary")
    assert sorted(artifacts) == [f"mcl-1-new-{what}" for what in shown]
    assert artifacts["mcl-1-new-progress"]["data"] == 100.0
    assert "DG(MLE) (kcal/mol)" in artifacts["mcl-1-new-estimates"]["data"]
    summary = artifacts["mcl-1-new-summary"]["data"]
    assert "InjectedFailureError" in summary
    assert "alchemiscale-lake status" in summary
    (page,) = (played.lake.local_path / "plots" / "a-b-c").glob("*.html")  # type: ignore[operator]
    assert str(page) in summary
    assert str(page) in artifacts["mcl-1-new-page"]["data"]
    assert "Tasks complete" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("by_name", [False, True], ids=["file", "name"])
def test_running_it_again_does_nothing_twice(flows: Session, played: Played, network_file: Path, by_name: bool) -> None:
    before = len(played.lake.table("results").scan().collect())

    network = "MCL-1 (new)" if by_name else str(network_file)
    again = flows.call("run-campaign", network=network, scope="a-b-c", lake=played.lake.url, workers=1)

    assert (again.n_created, again.dispatched.report.claimed, again.gathered.new_round) == (0, 0, False)
    assert len(played.lake.table("results").scan().collect()) == before
    assert (again.campaign.name, again.campaign.scope) == ("MCL-1 (new)", "a-b-c")


def test_a_misspelt_network_is_refused_with_a_suggestion(flows: Session, played: Played) -> None:
    with pytest.raises(NotFoundError, match=r"no file or folder 'MCL-2 \(new\)', and .* did you mean 'MCL-1 \(new\)'"):
        flows.call("run-campaign", network="MCL-2 (new)", scope="a-b-c", lake=played.lake.url, workers=1)


def test_the_small_flows_find_everything_done(flows: Session, played: Played, network_file: Path) -> None:
    asked = {"network": str(network_file), "lake": played.lake.url}

    submission = flows.call("submit-network", **asked, scope="a-b-c", tasks_per_transformation=1)
    dispatched = flows.call("dispatch", lake=played.lake.url, scopes=["a-*-*"], workers=1)
    (gathered,) = flows.call("gather-network", network="MCL-1 (new)", lake=played.lake.url)
    (in_scope,) = flows.call("gather-network", scope="a-*-*", lake=played.lake.url)

    assert (submission.n_transformations, submission.new, submission.n_new_objects) == (4, False, 0)
    assert (dispatched.report.claimed, gathered.n_estimated, gathered.new_round) == (0, 3, False)
    assert in_scope == gathered


def test_an_api_that_is_gone_is_a_clear_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Session(Api("http://127.0.0.1:9/api", "http://127.0.0.1:9", ours=False), _hush)
    monkeypatch.setattr("prefect.flow_engine.run_flow", _refuse)

    with pytest.raises(StorageError, match=r"127\.0\.0\.1:9.*stopped responding.*run --resume"):
        gone.call("dispatch", lake=lake.url)


def test_an_api_that_goes_at_the_end_costs_no_report(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    gone = Session(Api("http://127.0.0.1:9/api", "http://127.0.0.1:9", ours=False), heard.append)
    monkeypatch.setattr("prefect.flow_engine.run_flow", lambda *_, **__: _refuse(reported("what was done")))

    assert gone.call("dispatch", lake=lake.url) == "what was done"
    assert "the lake has all results" in heard[0]


def _hush(said: str) -> None: ...


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise httpx.ConnectError("all connection attempts failed")


def test_runs_of_a_dead_process_are_closed(api: Api) -> None:
    from prefect import flow, get_client
    from prefect.states import Running

    from alchemiscale_lake.prefect_api.stale_runs import close_stale_runs

    @flow(name="died")
    def died() -> None: ...

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(died, name="died-here", state=Running())
        close_stale_runs()
        assert client.read_flow_run(run.id).state_name == "Crashed"


def test_an_error_of_a_flow_is_raised_as_it_is(flows: Session, lake: Lake, tmp_path: Path) -> None:
    pools = tmp_path / "pools.yaml"
    pools.write_text("pools: {here: {kind: local}}\n")
    with pytest.raises(SettingsError, match="has no pool 'there'; did you mean 'here'"):
        flows.call("dispatch", lake=lake.url, pool="there", pools_file=str(pools))


def test_a_strategy_asks_for_tasks_until_it_is_finished(
    flows: Session, empty_lake_folder: Path, tmp_path: Path
) -> None:
    folder, file = tmp_path / "lake", tmp_path / "triangle.json"
    shutil.copytree(empty_lake_folder, folder)
    dump_network(harmonic_network(3, 3, name="triangle", n_samples=20, n_windows=1), file)
    asked: dict[str, Any] = {"network": str(file), "scope": "a-b-c", "lake": str(folder), "workers": 2}
    strategy = {"strategy": "fixed-repeats", "strategy_settings": {"repeats": 2}}

    for _ in range(2):  # the second run finds nothing to do
        flows.call("run-campaign", lambda _: None, **asked, **strategy)

    lake = Lake.open(folder)
    results = lake.table("results").scan().collect()
    assert sorted(results.group_by("transformation").len()["len"].to_list()) == [2, 2, 2]
    rounds = lake.table("strategy_rounds").scan().collect()
    assert rounds.filter(round=1)["n_tasks"].sum() == 6
    last = rounds.filter(pl.col("round") == pl.col("round").max())
    assert (last["state"].unique().to_list(), last["n_tasks"].sum()) == (["finished"], 0)
