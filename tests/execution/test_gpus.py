from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemiscale_lake.execution.gpus import ask_nvidia, visible_devices


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
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
    assert ask_nvidia("name", "index") == []
