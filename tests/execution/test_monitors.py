"""Limits and measurements, with a tool whose output the test defines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake.execution.monitors import GpuUse, MonitoredLimits, Sample, Sampler, measure
from alchemiscale_lake.settings import Monitors
from tests.execution.bench import wait_for

Tell = Callable[[str], None]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Replace `nvidia-smi`; it records each call."""
    tool, said = tmp_path / "nvidia-smi", tmp_path / "said"
    tool.write_text(f"#!/bin/sh\necho x >> {tmp_path}/calls\ncat {said}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(text: str) -> None:
        partial = said.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(said)

    return write


def test_the_tool_is_understood(tell: Tell) -> None:
    tell("0, GPU-aa11, L40S, 550, 8192, 4096, 87\n1, GPU-bb22, GB10, 580, [N/A], 10, [N/A]\n")
    sample = measure()
    assert sample.gpus["0"] == sample.gpus["GPU-aa11"] == GpuUse(0.87, 0.5)
    assert sample.gpus["1"] == GpuUse(None, None)
    assert 0 < sample.memory < 1


def _watched(monitors: Monitors, samples: list[Sample]) -> MonitoredLimits:
    sampler = Sampler()
    sampler._samples.extend(samples)
    return MonitoredLimits(monitors, sampler)


def _samples(n: int, period_s: float = 1.0, **use: float) -> list[Sample]:
    now = time.monotonic()
    gpu = GpuUse(use.get("utilisation", 0.0), use.get("gpu_memory", 0.0))
    return [
        Sample(now - period_s * (n - i), use.get("cpu", 0.1), use.get("memory", 0.1), {"0": gpu, "GPU-aa11": gpu})
        for i in range(n)
    ]


def test_averages_are_held_against_the_limits() -> None:
    monitors = Monitors(cpu=0.8, memory=0.8, gpu_utilisation=0.8, gpu_memory=0.8, window_s=10.0)
    long_ago = time.monotonic() - 100.0
    calm = _watched(monitors, _samples(5))
    assert (calm.host(), calm.device("0", long_ago)) == (None, None)
    assert _watched(monitors, _samples(5, cpu=0.9)).host() == (
        "cpu 90% in use over the last 10 s; the pool's limit is 80%"
    )
    assert "memory 95%" in str(_watched(monitors, _samples(5, memory=0.95)).host())
    assert "GPU utilisation 99%" in str(_watched(monitors, _samples(5, utilisation=0.99)).device("0", long_ago))
    assert "GPU memory 85%" in str(_watched(monitors, _samples(5, gpu_memory=0.85)).device("GPU-aa", long_ago))


def test_a_single_sample_is_not_an_average() -> None:
    monitors = Monitors(cpu=0.8, window_s=10.0)
    assert _watched(monitors, [*_samples(9, cpu=0.3), Sample(time.monotonic(), 1.0, 0.1)]).host() is None
    assert _watched(monitors, [*_samples(9, 10.0, cpu=1.0)][:-2]).host() is not None


def test_what_a_device_needs_must_have_shown_since_the_last_start() -> None:
    limits = _watched(Monitors(gpu_utilisation=0.8, window_s=10.0), _samples(8))
    assert "not been measured long enough" in str(limits.device("0", time.monotonic() - 1.0))
    assert limits.device("0", time.monotonic() - 11.0) is None


def test_an_unmeasured_device_has_no_limit() -> None:
    limits = _watched(Monitors(gpu_utilisation=0.8, window_s=10.0), _samples(8))
    assert limits.device("MIG-77", time.monotonic()) is None


def test_the_tool_is_asked_once_for_all_who_watch(tell: Tell, tmp_path: Path) -> None:
    tell("0, GPU-aa11, 50, 1, 2\n")
    sampler, began = Sampler(), time.monotonic()
    with sampler.watching(1.0), sampler.watching(1.0), sampler.watching(20.0):
        wait_for(lambda: len(sampler.since(began)) >= 3)
        asked = len((tmp_path / "calls").read_text().splitlines())
        assert asked <= len(sampler.since(began)) + 1
    time.sleep(0.6)
    after = len((tmp_path / "calls").read_text().splitlines())
    time.sleep(0.6)
    assert len((tmp_path / "calls").read_text().splitlines()) == after
