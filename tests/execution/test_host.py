from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from alchemiscale_lake.execution import host
from alchemiscale_lake.schemas import TABLES

GPU = "0, GPU-a, NVIDIA L40S, 550.54.15, 46068, 1, 0\\n1, GPU-b, NVIDIA L40S, 550.54.15, 46068, 1, 0\\n"
QUEUES = ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "CONDOR_JOB_ID", "_CONDOR_JOB_ID"]
VARIABLES = [*QUEUES, "KUBERNETES_SERVICE_HOST"]
NAMES = ["ALCHEMISCALE_LAKE_HOSTNAME", "SLURMD_NODENAME", "ALCHEMISCALE_LAKE_NODE"]


@pytest.fixture(autouse=True)
def _ask_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    host._description.cache_clear()
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def _nvidia_smi(tools: Path, script: str) -> None:
    tool = tools / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_the_host_fits_its_table() -> None:
    row = host.describe_host()
    TABLES["hosts"].table([row])
    assert row["n_cores"] == os.cpu_count()
    assert row["memory_bytes"] > 2**28
    assert "numpy" in json.loads(row["packages_json"])
    assert "Linux" in row["os"]


def test_a_host_is_identified_by_its_properties_not_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first = host.describe_host()
    host._description.cache_clear()
    monkeypatch.setattr(host.socket, "gethostname", lambda: "another")
    second = host.describe_host()
    host._description.cache_clear()
    monkeypatch.setenv("ALCHEMISCALE_LAKE_IMAGE", "image:2")
    third = host.describe_host()
    assert second["hostname"] == "another"
    assert first["host"] == second["host"] != third["host"]
    assert third["image"] == "image:2"


def test_gpus_are_those_that_the_tool_names(tools: Path) -> None:
    _nvidia_smi(tools, f"printf '{GPU}'")
    row = host.describe_host()
    assert (row["gpu_model"], row["gpu_driver"]) == ("NVIDIA L40S", "550.54.15")
    assert (row["n_gpus"], row["gpu_memory_bytes"]) == (2, 46068 * 2**20)


@pytest.mark.parametrize("script", ["echo 'no devices were found'; exit 6", "echo 'No devices were found'"])
def test_a_gpu_tool_without_a_gpu_means_no_gpu(tools: Path, script: str) -> None:
    _nvidia_smi(tools, script)
    row = host.describe_host()
    assert (row["gpu_model"], row["n_gpus"]) == (None, 0)


def test_unified_memory_has_no_size(tools: Path) -> None:
    _nvidia_smi(tools, "echo '0, GPU-aa, NVIDIA GB10, 580.0, [N/A], 1, 0'")
    assert host.describe_host()["gpu_memory_bytes"] is None


@pytest.mark.parametrize("variable", QUEUES)
def test_the_queue_job_is_the_queues_name_for_it(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    assert host.queue_job() is None
    monkeypatch.setenv(variable, "1234.server")
    assert host.queue_job() == "1234.server"


def test_in_kubernetes_the_job_is_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("HOSTNAME", "worker-abc")
    assert host.queue_job() is None
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert host.queue_job() == "worker-abc"


def test_a_node_has_the_name_that_its_queue_or_cluster_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.socket, "gethostname", lambda: "machine")
    assert host.hostname() == "machine"
    for name in reversed(NAMES):
        monkeypatch.setenv(name, f"by {name}")
        assert host.hostname() == host.describe_host()["hostname"] == f"by {name}"
    monkeypatch.setenv(NAMES[0], "")
    assert host.hostname() == f"by {NAMES[1]}"
