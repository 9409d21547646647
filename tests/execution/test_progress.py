from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from alchemiscale_lake.execution import progress
from alchemiscale_lake.execution.progress import StepProgress, Vitals


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the CPU time used by the step so far."""
    used = [0.0]
    monkeypatch.setattr(progress, "_cpu_time_s", lambda pid: used[0])
    return used


def _stuck_at(look: StepProgress, clock: _Clock, *, until: float, step_s: float = 10.0) -> float | None:
    began = clock.now
    while clock.now < began + until:
        clock.now += step_s
        if look.is_stuck(1):
            return clock.now - began
    return None


def test_nothing_for_so_long_is_stuck(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    assert _stuck_at(StepProgress([tmp_path], Vitals(), 7200.0), clock, until=10_000.0) == pytest.approx(
        7200.0, abs=70.0
    )


def test_without_a_limit_nothing_is_stuck(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    assert _stuck_at(StepProgress([tmp_path], Vitals(), None), clock, until=100_000.0) is None


def test_a_process_that_only_wakes_up_now_and_then_is_stuck(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    look = StepProgress([tmp_path], Vitals(), 3600.0)
    stuck = False
    for _ in range(800):
        clock.now += 10.0
        cpu[0] += 10.0 * 5e-4
        stuck = stuck or look.is_stuck(1)
    assert stuck


def test_a_little_work_is_work(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    look = StepProgress([tmp_path], Vitals(), 3600.0)
    for _ in range(800):
        clock.now += 10.0
        cpu[0] += 0.1
        assert not look.is_stuck(1)


def test_what_is_written_counts_and_is_noted(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    vitals = Vitals()
    before, look = vitals.progress_at, StepProgress([tmp_path], vitals, 100.0)
    for n in range(50):
        clock.now += 10.0
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / "log").write_text("x" * n)
        assert not look.is_stuck(1)
    assert vitals.progress_at > before


def test_a_job_that_its_queue_suspended_gets_its_time_again(clock: _Clock, cpu: list[float], tmp_path: Path) -> None:
    look = StepProgress([tmp_path], Vitals(), 600.0)
    clock.now += 36_000.0
    assert not look.is_stuck(1)
    assert _stuck_at(look, clock, until=1000.0) == pytest.approx(600.0, abs=80.0)


def test_cpu_time_is_that_of_the_whole_tree() -> None:
    spin = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    tree = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {spin!r}]); print(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-u", "-c", tree], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert progress._cpu_time_s(process.pid) >= 0.3
    finally:
        process.kill()
        process.communicate()
    assert progress._cpu_time_s(process.pid) == 0.0
    assert progress._cpu_time_s(None) == 0.0


def test_the_real_clock_is_looked_at_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(progress, "_cpu_time_s", lambda pid: float(looks.append(1) or len(looks)))
    look = StepProgress([tmp_path], Vitals(), 0.8)
    end = time.monotonic() + 0.55
    while time.monotonic() < end:
        look.is_stuck(1)
        time.sleep(0.01)
    assert 2 <= len(looks) <= 6
