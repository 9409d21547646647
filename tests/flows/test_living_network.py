"""Nights of a living network as deployed: it grows, reports, goes on after a failure, and an automation alerts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import LakeError
from alchemiscale_lake.flows.advance_network import advance_network
from alchemiscale_lake.flows.living_network import living_network
from alchemiscale_lake.flows.raise_alert import WEBHOOK
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.prefect_api.local_server import LocalServer
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake
from tests.design_files import aged, design
from tests.engines.work_pools import wait_until, worker
from tests.flows.test_deployments import DEPLOYMENTS, bash
from tests.prefect_requests import post, post_to

SCOPE = "org-programme-designs"


def night(lake: Lake, folder: Path, name: str, **options: Any) -> Any:
    return living_network(source=str(folder), scope=SCOPE, name=name, lake=lake.url, **options)


def artifact(api: Api, key: str) -> str:
    newest: dict[str, Any] = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    (found,) = post(api, "artifacts/filter", **newest)
    return str(found["data"])


def test_nights_grow_a_network_and_report(api: Api, lake: Lake, tmp_path: Path) -> None:
    designs = tmp_path / "designs"
    design(designs, "week-1.json", "ab", "bc")
    (designs / "bad.json").write_text("{")
    aged(designs / "bad.json")
    chosen = {"strategy": "fixed-repeats", "strategy_settings": {"repeats": 2}}
    first = night(lake, designs, "grown", **chosen)
    design(designs, "week-2.json", "cd")
    second = night(lake, designs, "grown", **chosen)

    assert (first.n_tasks, second.n_tasks) == (4, 2)
    assert first.network != second.network == find_network(lake, "grown")
    told = artifact(api, "grown-growth")
    assert "`week-2.json` grew it" in told
    report = artifact(api, "grown-rounds")
    assert "round 1 of fixed-repeats" in report
    assert "| 2 |" in report
    assert "alchemiscale-lake strategy explain grown" in report
    page = tmp_path / "lake" / "plots" / SCOPE / "grown-rounds.html"
    assert str(page) in report, "where it was before the network grew"
    assert "bad.json" in page.read_text()
    assert "week-2.json" in page.read_text()


def test_a_failed_night_is_a_failed_run_that_did_what_it_could(api: Api, lake: Lake, tmp_path: Path) -> None:
    designs = tmp_path / "designs"
    design(designs, "a.json", "ab")
    night(lake, designs, "goes-on", tasks_per_transformation=1)
    with pytest.raises(LakeError, match="picking up design files: there is no folder"):
        night(lake, tmp_path / "gone", "goes-on", tasks_per_transformation=2)

    assert len(lake.task_log.states().with_status("waiting")) == 2, "what could be done is done"
    assert "**failed**" in artifact(api, "goes-on-growth")
    design(designs, "b.json", "bc")
    assert night(lake, designs, "goes-on", tasks_per_transformation=2).n_tasks == 2


def test_advancing_publishes_the_round(api: Api, lake: Lake, tmp_path: Path) -> None:
    design(tmp_path / "designs", "a.json", "ab")
    night(lake, tmp_path / "designs", "advanced", strategy="fixed-repeats")
    page = tmp_path / "lake" / "plots" / SCOPE / "advanced-rounds.html"
    page.unlink()
    advance_network(lake=lake.url)
    assert not page.exists(), "nothing has ended, so nothing is published"
    advance_network(network="advanced", lake=lake.url, now=True)
    assert "round 2 of fixed-repeats" in artifact(api, "advanced-rounds")
    assert page.exists()


# --- deployed -------------------------------------------------------------------------------------------


class _Receiver(BaseHTTPRequestHandler):
    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Do not log."""


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    heard: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Receiver", (_Receiver,), {"heard": heard}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def lasting(cache: Path, tmp_path: Path) -> Iterator[LocalServer]:
    """Return a server with the services for schedules and automations."""
    (tmp_path / "prefect").mkdir()
    server = LocalServer(tmp_path / "prefect", "127.0.0.1", 0, lasting=True, on_restart=None)
    server.start()
    try:
        server.wait_until_healthy()
        yield server
    finally:
        server.stop()


@pytest.mark.timeout(900)
def test_a_failed_night_alerts_through_an_automation(lasting: LocalServer, tmp_path: Path) -> None:
    user, _, password = lasting.login.partition(":")
    env = {"PREFECT_API_URL": lasting.api_url, "PREFECT_API_AUTH_STRING": lasting.login}

    def runs(name: str) -> list[dict[str, Any]]:
        wanted = {"deployments": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found = post_to(lasting.api_url, (user, password), "flow_runs/filter", **wanted)
        return [run for run in found if not run["auto_scheduled"]]

    def ended(name: str, n: int = 1) -> Any:
        states = [run["state"]["type"] for run in runs(name)]
        return len(states) >= n and all(state in ("COMPLETED", "FAILED", "CRASHED") for state in states) and states

    Lake.create(tmp_path / "lake")
    work_pool = "prefect work-pool create lake --type process"
    deploy = f"prefect --no-prompt deploy --prefect-file {DEPLOYMENTS / 'prefect.yaml'}"
    bash(f"{work_pool}; {deploy} -n living-network -n raise-alert", tmp_path, **env)
    with webhook() as (url, heard), worker("lake", tmp_path, **env, **{WEBHOOK: url}) as started:
        bash("prefect deployment run living-network/living-network", tmp_path, **env)
        assert wait_until(lambda: ended("living-network")) == ["FAILED"], started.log.read_text()[-3000:]
        assert wait_until(lambda: ended("raise-alert")) == ["COMPLETED"], started.log.read_text()[-3000:]

    (alert,) = heard
    assert alert["text"].startswith("grow-living failed: ")
    assert "there is no folder" in alert["text"]
