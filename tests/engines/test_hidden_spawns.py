"""Dask workers and commands do not expose the operator's credentials to units."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import gufe
import pytest

from alchemiscale_lake.engines.hidden_spawns import hidden_spawns
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.gufe_adapter import dumps_chain
from alchemiscale_lake.secrecy import is_secret
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, attempt_folder
from tests.execution.scripted import scripted
from tests.prying import PRYING, found_in, planted, without_capabilities

ROOT = Path(__file__).parents[2]
SCOPE = "org-campaign-project"


def _environment(report: Path, **more: str) -> dict[str, str]:
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PREFECT_API_KEY", "MY_LICENCE_PASSWORD")
    secret = {name: planted(name.lower()) for name in names}
    return {**os.environ, **secret, "PYTHONPATH": str(ROOT), "PRYING_REPORT": str(report), **more}


def _network() -> Any:
    return gufe.AlchemicalNetwork([scripted(PRYING)], name="prying")


def test_units_of_run_find_no_credentials(tmp_path: Path) -> None:
    network, report = tmp_path / "network.json", tmp_path / "report"
    network.write_bytes(dumps_chain(_network()))
    command = [sys.executable, "-m", "alchemiscale_lake", "run", str(network), "--scope", SCOPE]
    done = subprocess.run(
        [*command, "--lake", str(tmp_path / "lake"), "--workers", "1"],
        env=_environment(report),
        cwd=ROOT,
        preexec_fn=without_capabilities,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr
    assert found_in(report) == []


def test_units_of_a_dask_worker_in_a_job_find_no_credentials(tmp_path: Path) -> None:
    distributed: Any = pytest.importorskip("distributed")
    lake, report = Lake.create(tmp_path / "lake"), tmp_path / "report"
    network = _network()
    submit_network(lake, network, SCOPE)
    (transformation,) = network.edges
    spec = AttemptSpec(uuid.uuid4().hex, f"Task-{uuid.uuid4().hex}-{SCOPE}", f"{transformation.key}-{SCOPE}", SCOPE)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as cluster:
        arguments = [cluster.scheduler_address, "--nthreads", "2", "--no-nanny", "--no-dashboard"]
        worker = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "alchemiscale_lake.engines.dask_job",
                *arguments,
                "--preload",
                "alchemiscale_lake.engines.dask_worker",
            ],
            env=_environment(report),
            cwd=tmp_path,
            preexec_fn=without_capabilities,
        )
        try:
            with distributed.Client(cluster) as client:
                assignment = Assignment(lake.url, "pool", (spec,), Resources(cores=1))
                assert client.submit(execute_assignment, assignment, pure=False).result() == [spec.attempt]
        finally:
            worker.kill()
            worker.wait()
    assert lake.objects.list(attempt_folder(SCOPE, spec.attempt))
    assert found_in(report) == []


def test_what_multiprocessing_spawns_is_started_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", planted("key"))
    monkeypatch.setenv("HARMLESS", "yes")
    with hidden_spawns():
        process = multiprocessing.get_context("spawn").Process(target=_wait_for_end, args=())
        process.start()
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        finally:
            process.kill()
            process.join()
    assert process.exitcode == -9
    names = [entry.partition(b"=")[0].decode() for entry in environment if entry]
    assert "HARMLESS" in names
    assert not [name for name in names if is_secret(name)]


def _wait_for_end() -> None:
    multiprocessing.Event().wait()
