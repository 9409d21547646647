"""`up`, `run` and `dispatch` as processes: interrupted, killed, resumed, without leftovers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.errors import NotALakeError
from alchemiscale_lake.flow_steps.serve import DEPLOYMENTS
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network
from tests.plain import plain_chain
from tests.prefect_requests import post_to

#: The console script, independent of PATH.
MAIN = [sys.executable, "-c", "from alchemiscale_lake.cli import main; main(prog_name='alchemiscale-lake')"]
#: Proxy variables of httpx, websockets and urllib.
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy")


def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    cache = tmp_path_factory.getbasetemp() / "user-cache"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    # a proxy that does not respond must not affect our own servers
    return kept | {"XDG_CACHE_HOME": str(cache)} | dict.fromkeys(PROXIES, "http://127.0.0.1:9")


def start(arguments: list[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command in its own process group, as a shell does."""
    return subprocess.Popen(
        [*MAIN, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600.0
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_gone(processes: list[psutil.Process], within_s: float = 60.0) -> None:
    assert processes
    deadline = time.monotonic() + within_s
    while left := [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def statuses(lake: Path) -> list[str]:
    try:
        return list(Lake.open(lake).task_log.states().tasks["status"])
    except NotALakeError:
        return []


def n_results(lake: Path) -> int:
    try:
        return len(Lake.open(lake).table("results").scan().collect())
    except NotALakeError:
        return 0


@dataclass
class Up:
    process: subprocess.Popen[str]
    ui_url: str
    lake: Path

    @property
    def login(self) -> str:
        return (self.lake / "prefect" / "login").read_text().strip()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    lake = tmp_path_factory.mktemp("up") / "lake"
    process = start(["up", "--port", "0", "--lake", str(lake)], environment(tmp_path_factory))
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("http://127.0.0.1:"), process.communicate()
    yield Up(process, said.strip(), lake)
    if process.poll() is None:
        process.kill()
    process.communicate()


def ask(up: Up, path: str) -> Any:
    user, _, password = up.login.partition(":")
    return post_to(f"{up.ui_url}/api", (user, password), path)


def test_up_serves_the_deployments(up: Up) -> None:
    deployments = {d["name"]: d for d in ask(up, "deployments/filter")}

    assert sorted(deployments) == sorted(DEPLOYMENTS)
    assert all(d["parameters"]["lake"].startswith("file:///") for d in deployments.values())
    assert deployments["run-campaign"]["entrypoint"] == "alchemiscale_lake.flows.run_campaign.run_campaign"


def test_killed_interrupted_resumed(up: Up, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file, lake = tmp_path / "slow.json", tmp_path / "lake"
    dump_network(harmonic_network(4, 5, name="slow", duration_s=1.0, n_windows=1, n_samples=20), file)
    own = environment(tmp_path_factory)
    shared = own | {"PREFECT_API_URL": f"{up.ui_url}/api", "PREFECT_API_AUTH_STRING": up.login}

    # kill -9 of the command, with its server and workers
    first = start(["run", str(file), "--scope", "a-b-c", "--lake", str(lake), "--workers", "2"], own)
    wait_for(lambda: "running" in statuses(lake), first)
    family = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    assert_gone(family)
    _, said = first.communicate()
    assert len(family) >= 3  # server, worker process, its fork server
    assert f"continue with: alchemiscale-lake run --resume --lake {lake}" in said
    kept = n_results(lake)

    # Ctrl-C in the terminal
    second = start(["run", "--resume", "--lake", str(lake), "--workers", "2"], shared)
    wait_for(lambda: n_results(lake) > kept and "running" in statuses(lake), second)
    family = psutil.Process(second.pid).children(recursive=True)
    os.killpg(second.pid, signal.SIGINT)
    out, said = second.communicate(timeout=300)
    assert second.returncode == 130
    assert out == ""
    assert "releasing running Tasks" in said
    assert f"stopped; to continue: alchemiscale-lake run --resume --lake {lake}" in said
    assert "Traceback" not in said
    assert_gone(family)
    assert "running" not in statuses(lake)

    # to the end, in the pool of `dispatch` alone, then the table
    third = subprocess.run(
        [*MAIN, "dispatch", "--lake", str(lake)], env=shared, capture_output=True, text=True, check=False
    )
    assert third.returncode == 0, third.stderr
    fourth = subprocess.run(
        [*MAIN, "run", "--resume", "--lake", str(lake)], env=shared, capture_output=True, text=True, check=False
    )
    assert fourth.returncode == 0, fourth.stderr
    assert statuses(lake) == ["complete"] * 5
    results = Lake.open(lake).table("results").scan().collect()
    assert (len(results), results["task"].n_unique(), results["ok"].all()) == (5, 5, True)
    lines = fourth.stdout.splitlines()
    assert lines[0].startswith("ligand\tDG(MLE) (kcal/mol)\tuncertainty (kcal/mol)")
    assert len(lines) == 5
    # messages through a command's websocket arrive, too
    assert ask(up, "events/filter")["total"] > 0
    assert "lake:" not in said, "the login is shown on a terminal, and goes into no log"


def test_failed_tasks_are_reported_retried_and_listed_later(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, lake, own = tmp_path / "bad.json", tmp_path / "lake", environment(tmp_path_factory)
    dump_network(harmonic_network(3, 2, name="bad", fail="raise", n_windows=1, n_samples=20), file)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*MAIN, *arguments, "--lake", str(lake)], env=own, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return done

    ran = call("run", str(file), "--scope", "a-b-c", "--workers", "2", "--unit-retries", "0")
    idle = call("dispatch")
    retried = call("tasks", "retry")
    again = call("dispatch", "--unit-retries", "0", "--workers", "2")

    assert ran.returncode == 1
    assert "2 Tasks are in error" in ran.stderr
    assert f"to run them again: `alchemiscale-lake tasks retry --network bad --lake {lake}`" in ran.stderr
    assert f"to see it later: alchemiscale-lake up --lake {lake}" in ran.stderr
    assert idle.returncode == 0, "what failed before is not this command's"
    assert (retried.returncode, retried.stderr.splitlines()[-1]) == (0, "2 of 2 Tasks set waiting")
    assert again.returncode == 1
    assert "2 Tasks ended in error; see `alchemiscale-lake failures" in again.stderr
    # the page that `run` showed, on the recommended server
    process = start(["up", "--port", "0", "--lake", str(lake)], own)
    assert process.stdout is not None
    shown = Up(process, process.stdout.readline().strip(), lake)
    runs = {run["name"] for run in ask(shown, "flow_runs/filter")}
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=300)
    assert {"run-bad", "dispatch-local"} <= runs


def test_a_protocol_that_is_missing_ends_run_with_1(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file, lake = tmp_path / "elsewhere.json", tmp_path / "lake"
    file.write_text(json.dumps(plain_chain([("a", "b")])))

    done = subprocess.run(
        [*MAIN, "run", str(file), "--scope", "a-b-c", "--lake", str(lake)],
        env=environment(tmp_path_factory),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "1 Task cannot run here and stays waiting" in done.stderr
    assert "Traceback" not in done.stderr
    assert statuses(lake) == ["waiting"]


def test_up_stops_and_leaves_nothing(up: Up) -> None:
    family = psutil.Process(up.process.pid).children(recursive=True)

    os.killpg(up.process.pid, signal.SIGINT)
    _, said = up.process.communicate(timeout=300)

    assert up.process.returncode == 0
    assert "stopped" in said
    assert "Traceback" not in said
    assert_gone(family)
