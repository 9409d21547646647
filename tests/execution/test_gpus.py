from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.execution.gpus import Gpu, list_gpus, visible_devices


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho '0, GPU-a, L40S, 550.1, 46068, 12, 5'\necho '1, GPU-b, GB10, 580, [N/A], [N/A], [N/A]'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    return tool


@pytest.mark.parametrize(
    ("told", "devices"),
    [
        ("2,3", ["2", "3"]),
        ("GPU-8932f937, MIG-1234", ["GPU-8932f937", "MIG-1234"]),
        ("0,-1,1", ["0"]),
        ("NoDevFiles", []),
        ("-1", []),
    ],
)
def test_devices_assigned_by_the_queue_are_used(
    nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch, told: str, devices: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert visible_devices() == devices


def test_without_a_word_all_that_the_tool_lists(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == ["0", "1"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_devices() == ["0", "1"]


def test_devices_may_be_unknown(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvidia_smi.write_text("#!/bin/sh\nexit 9\n")
    assert visible_devices() is None
    assert list_gpus() == []


def test_the_tool_is_read(nvidia_smi: Path) -> None:
    assert list_gpus() == [
        Gpu("0", "GPU-a", "L40S", "550.1", 46068 * 2**20, 12 * 2**20, 0.05),
        Gpu("1", "GPU-b", "GB10", "580"),
    ]


class FakeNvml:
    """NVML's calls, with the names and units of nvidia-ml-py: one GPU split by MIG, one whole one of unified memory."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, has_driver: bool = True) -> None:
        self.has_driver, self.open = has_driver, 0

    def nvmlInit(self) -> None:
        if not self.has_driver:
            raise self.NVMLError("driver not loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.1"

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        assert self.open
        return f"GPU-{index}"

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetName(self, handle: str) -> str:
        return "NVIDIA H100" if handle == "GPU-0" else "NVIDIA GB10"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        if handle != "GPU-0":
            raise self.NVMLError("not supported")
        return SimpleNamespace(total=80 * 2**30, used=20 * 2**30)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:
        if handle == "GPU-0":
            raise self.NVMLError("not supported")  # as with MIG
        return SimpleNamespace(gpu=50, memory=10)

    def nvmlDeviceGetMigMode(self, handle: str) -> list[int]:
        if handle != "GPU-0":
            raise self.NVMLError("not supported")
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: str) -> int:
        return 3

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: str, place: int) -> str:
        if place == 1:
            raise self.NVMLError("not found")  # a place without an instance
        return f"MIG-{place}"


def test_nvml_is_asked_first_and_knows_mig(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert list_gpus() == [
        Gpu("0", "GPU-0", "NVIDIA H100", "570.1", 80 * 2**30, 20 * 2**30, None, ("MIG-0", "MIG-2")),
        Gpu("1", "GPU-1", "NVIDIA GB10", "570.1", None, None, 0.5),
    ]
    assert visible_devices() == ["MIG-0", "MIG-2", "1"]
    assert nvml.open == 0


def test_nvml_without_a_driver_means_no_gpu(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(has_driver=False))  # type: ignore[arg-type]

    assert list_gpus() == []
