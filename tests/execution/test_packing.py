"""Concurrent attempts on one worker, and concurrent units of an attempt: the resources of each."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.execution import AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.execution import admission_queue as gate
from alchemiscale_lake.execution.release import Release, read_release
from alchemiscale_lake.settings import Monitors
from tests.execution.bench import SCOPE, Bench
from tests.execution.scripted import scripted

SLEEP = "import time; time.sleep(0.5)"
LOOK = "import os; outputs['sees'] = [os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS']]\n" + SLEEP


@pytest.fixture(autouse=True)
def _own_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_gates", {})
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def _specs(bench: Bench, n: int, text: str = SLEEP, **needs: Any) -> list[AttemptSpec]:
    stored = bench.store(scripted(text))
    return [replace(bench.spec(stored), resources=Resources(**needs)) for _ in range(n)]


def _most_at_once(bench: Bench, specs: list[AttemptSpec]) -> int:
    moments: list[tuple[datetime, int]] = []
    for spec in specs:
        row = bench.receipt(spec).result
        moments += [(row["started_at"], 1), (row["ended_at"], -1)]
    running = most = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return most


def _sees(bench: Bench, spec: AttemptSpec) -> list[list[str]]:
    return [r.outputs["sees"] for r in bench.result(bench.receipt(spec)).protocol_unit_results]


def _release(bench: Bench, spec: AttemptSpec) -> Release:
    release = read_release(bench.lake, SCOPE, spec.attempt)
    assert release is not None
    return release


def test_attempts_of_one_assignment_run_side_by_side_in_their_order(bench: Bench) -> None:
    specs = _specs(bench, 5)
    assert execute_assignment(bench.assignment(*specs, cores=2)) == [spec.attempt for spec in specs]
    assert _most_at_once(bench, specs) == 2
    began = [bench.receipt(spec).result["started_at"] for spec in specs]
    assert max(began[:2]) < min(began[2:4])
    assert max(began[2:4]) < began[4]


def test_calls_from_several_threads_share_what_the_process_has(bench: Bench) -> None:
    specs = _specs(bench, 4, gpus=0.5)
    threads = [
        threading.Thread(target=execute_assignment, args=(bench.assignment(spec, cores=8, gpus=1.0),)) for spec in specs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _most_at_once(bench, specs) == 2
    row = bench.receipt(specs[0]).result
    assert row["gpu_time_s"] == pytest.approx(0.5 * row["wall_time_s"])


def test_shares_see_their_device_and_whole_gpus_theirs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a1,3,MIG-9")
    shares, whole, without = _specs(bench, 2, LOOK, gpus=0.5), *(_specs(bench, 1, LOOK, gpus=g) for g in (2.0, 0.0))
    specs = [*shares, *whole, *without]
    execute_assignment(bench.assignment(*specs, cores=8, gpus=3.0))
    assert [_sees(bench, spec) for spec in specs] == [
        [["GPU-a1", "1"]],
        [["GPU-a1", "1"]],
        [["3,MIG-9", "1"]],
        [["", "1"]],
    ]


def test_undetected_gpus_are_numbered(bench: Bench) -> None:
    specs = _specs(bench, 2, LOOK, gpus=1.0)
    execute_assignment(bench.assignment(*specs, cores=8, gpus=2.0))
    assert sorted(_sees(bench, spec)[0][0] for spec in specs) == ["0", "1"]


def test_missing_devices_are_refused_immediately(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    big, fits = _specs(bench, 1, gpus=2.0)[0], _specs(bench, 1, gpus=1.0)[0]
    assert execute_assignment(bench.assignment(big, fits, cores=2, gpus=2.0)) == [fits.attempt]
    assert _release(bench, big).kind == "refused"
    assert _release(bench, big).reason == "the attempt needs 1 cores, 2 GPUs; this worker has 2 cores, 1 GPUs"
    assert not bench.folder(big).exists()


def test_an_attempt_without_needs_takes_all_that_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    spec = bench.spec(scripted(LOOK))
    bench.run(spec, cores=3, gpus=4.0)
    assert _sees(bench, spec) == [["5", "3"]]


def test_units_are_packed_by_what_their_class_needs(bench: Bench) -> None:
    units = dict.fromkeys("abcd", LOOK)
    needs = {"ScriptedUnit": Resources(1, None, 0.25)}
    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=4, gpus=0.5, unit_needs=needs)
    assert _units_at_once(receipt.units) == 2
    assert {tuple(r.outputs["sees"]) for r in bench.result(receipt).protocol_unit_results} == {("0", "1")}


def test_units_that_need_no_gpu_see_none_and_do_not_wait_for_it(bench: Bench) -> None:
    units = dict.fromkeys("abc", LOOK)
    needs = {"ScriptedUnit": Resources(2)}
    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=5, gpus=1.0, unit_needs=needs)
    assert _units_at_once(receipt.units) == 2
    assert {tuple(r.outputs["sees"]) for r in bench.result(receipt).protocol_unit_results} == {("", "2")}


def test_units_keep_within_the_memory(bench: Bench) -> None:
    units = dict.fromkeys("abc", SLEEP)
    spec = replace(bench.spec(scripted(units, chained=False)), resources=Resources(8, 5000, 0.0))
    receipt = bench.run(spec, cores=8, unit_needs={"ScriptedUnit": Resources(1, 2500)})
    assert _units_at_once(receipt.units) == 2


def test_a_class_that_asks_for_more_than_its_attempt_has_gets_that(bench: Bench) -> None:
    needs = {"ScriptedUnit": Resources(64, 2**50, 8.0)}
    spec = replace(bench.spec(scripted(LOOK)), resources=Resources(2, 1000, 0.5))
    receipt = bench.run(spec, cores=4, gpus=1.0, unit_needs=needs)
    assert receipt.result["ok"]
    assert _sees(bench, spec) == [["0", "2"]]


def test_past_a_limit_nothing_starts_beside_and_goes_back_in_the_end(bench: Bench) -> None:
    # no machine uses less than a hundredth of a percent of its memory
    monitors = Monitors(memory=1e-4, window_s=0.4, requeue_after_s=1.0)
    specs = _specs(bench, 2, "import time; time.sleep(3)")
    assert execute_assignment(bench.assignment(*specs, cores=2, monitors=monitors)) == [specs[0].attempt]
    release = _release(bench, specs[1])
    assert release.kind == "refused"
    assert "the pool's limit is 0%" in release.reason


def test_past_a_limit_those_who_wait_run_afterwards(bench: Bench) -> None:
    monitors = Monitors(memory=1e-4, window_s=0.4, requeue_after_s=60.0)
    specs = _specs(bench, 3)
    assert len(execute_assignment(bench.assignment(*specs, cores=3, monitors=monitors))) == 3
    assert _most_at_once(bench, specs) == 1


def test_a_busy_gpu_takes_no_second(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "0, GPU-aa, L40S, 550, 2, 1, 99"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monitors = Monitors(gpu_utilisation=0.9, window_s=0.4)
    specs = _specs(bench, 2, "import time; time.sleep(1.2)", gpus=0.5)
    assert len(execute_assignment(bench.assignment(*specs, cores=2, gpus=1.0, monitors=monitors))) == 2
    assert _most_at_once(bench, specs) == 1


def test_one_that_waits_can_be_stopped(bench: Bench) -> None:
    first, second = _specs(bench, 2, "import time; time.sleep(2)")
    began = time.monotonic()
    done = execute_assignment(
        bench.assignment(first, second),
        stop=lambda attempt: attempt == second.attempt and time.monotonic() - began > 0.5,
    )
    assert done == [first.attempt]
    assert _release(bench, second).kind == "stopped"


def test_an_interrupt_ends_all_side_by_side(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from alchemiscale_lake.execution.attempt import AttemptRun

    specs = _specs(bench, 2, "import time; time.sleep(600)")
    run = AttemptRun.run

    def interrupted(self: AttemptRun) -> bool:
        if self.spec is specs[0]:
            time.sleep(1.5)
            raise KeyboardInterrupt
        return run(self)

    monkeypatch.setattr(AttemptRun, "run", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        execute_assignment(bench.assignment(*specs, cores=2))
    assert time.monotonic() - began < 120.0
    assert _release(bench, specs[1]).kind == "stopped"


def _units_at_once(units: Any) -> int:
    moments = sorted([(u["started_at"], 1) for u in units] + [(u["ended_at"], -1) for u in units])
    counts = [sum(step for _, step in moments[: n + 1]) for n in range(len(moments))]
    return max(counts)
