"""Repeated attempts: leftovers of a killed or failed one are continued, or removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.execution import AttemptSpec, execute_assignment
from alchemiscale_lake.execution.folder import WorkFolder, sweep
from alchemiscale_lake.execution.process_tree import mark_of
from alchemiscale_lake.execution.steps import PLAN
from tests.example_networks import harmonic_transformation
from tests.execution.bench import SCOPE, Bench, alive, carrying, tries, wait_for
from tests.execution.scripted import scripted

SUPERVISOR = """
import json, sys
from alchemiscale_lake.execution import Assignment, AttemptSpec, execute_assignment
lake, work, spec, settings = json.loads(sys.argv[1])
execute_assignment(Assignment(lake, "pool", (AttemptSpec(**spec),), work_root=work, **settings))
"""
ROOT = Path(__file__).parents[2]


@contextmanager
def supervisor(bench: Bench, spec: AttemptSpec, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run an attempt in its own worker process."""
    told = json.dumps([bench.lake.url, str(bench.work), asdict(spec), settings])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, told], env=env, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_nothing_survives_a_killed_worker_and_the_next_attempt_goes_on(bench: Bench, tmp_path: Path) -> None:
    note, go = tmp_path / "note", tmp_path / "go"
    sleep = f"""
import os, subprocess, time, pathlib
if not pathlib.Path({str(go)!r}).exists():
    (shared / 'checkpoint').write_text('half')
    print('now')
    stray = subprocess.Popen(['sleep', '600'], start_new_session=True)
    pathlib.Path({str(note)!r}).write_text(f'{{os.getpid()}} {{stray.pid}}')
    time.sleep(600)
outputs['checkpoint'] = (shared / 'checkpoint').read_text()
"""
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('.')"
    spec = bench.spec(scripted({"first": f"{count}; print('hello')", "second": sleep}))
    with supervisor(bench, spec) as process:
        unit, stray = wait_for(lambda: note.exists() and note.read_text().split(), timeout_s=300)
        mark = mark_of(int(unit))
        assert mark is not None
        process.kill()
        process.wait()
    wait_for(lambda: not alive(int(unit)) and not alive(int(stray)) and not carrying(mark))
    go.touch()

    receipt = bench.run(bench.spec(spec.transformation, like=spec))

    assert receipt.result["ok"]
    assert (tmp_path / "count").read_text() == "."
    # the worker that observed the first unit's execution never reported it, and it died with the second
    assert tries(receipt) == [("first", 1, True), ("second", 1, False), ("second", 2, True)]
    assert receipt.units[1]["exception"] == "WorkerLost: its worker ended while it ran"
    assert receipt.units[1]["started_at"] <= receipt.units[1]["ended_at"] <= receipt.units[2]["started_at"]
    assert receipt.result["units_total"] == 2
    assert bench.text(receipt.units[0]["stdout_path"]) == "hello\n"
    assert bench.text(receipt.units[1]["stdout_path"]) == "now\n"
    outputs = {r.name: r.outputs for r in bench.result(receipt).protocol_unit_results}
    assert outputs["second"] == {"checkpoint": "half"}
    assert not bench.folder(spec).exists()


@pytest.mark.parametrize("place", ["execution:before-result", "execution:before-receipt", "execution:after-receipt"])
def test_a_worker_killed_at_the_end_loses_nothing(
    bench: Bench, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    spec = bench.spec(scripted(f"open({str(count)!r}, 'a').write('.')"))
    monkeypatch.setenv("ALCHEMISCALE_LAKE_FAULT", place)
    with supervisor(bench, spec) as process:
        assert process.wait(60) == -signal.SIGKILL
    monkeypatch.delenv("ALCHEMISCALE_LAKE_FAULT")

    receipt = bench.run(spec)

    assert receipt.result["ok"]
    assert count.read_text() == "."
    assert gufe_adapter.dag_ok(bench.result(receipt))


def test_after_a_failure_only_what_is_unfinished_runs(bench: Bench, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    units = {"first": "pass", "second": f"import os; assert os.path.exists({str(fixed)!r})", "third": "pass"}
    spec = bench.spec(scripted(units))
    failed = bench.run(spec, fail_fast_s=0.0)
    fixed.touch()

    receipt = bench.run(bench.spec(spec.transformation, like=spec))

    assert tries(failed) == [("first", 1, True), ("second", 1, False)]
    assert tries(receipt) == [("second", 1, True), ("third", 1, True)]
    results = bench.result(receipt).protocol_unit_results
    assert [r.name for r in results] == ["first", "second", "third"]
    assert gufe_adapter.dag_ok(bench.result(receipt))


def test_a_broken_checkpoint_is_cleared_away_and_the_unit_run_again(bench: Bench, tmp_path: Path) -> None:
    units = {
        "first": f"open({str(tmp_path / 'count')!r}, 'a').write('.')",
        "second": "mark = shared / 'checkpoint'; assert not mark.exists(), 'broken'; mark.touch()\n"
        f"import os; assert os.path.exists({str(tmp_path / 'fixed')!r}), 'not yet'",
    }
    spec = bench.spec(scripted(units))
    first = bench.run(spec)
    (tmp_path / "fixed").touch()

    receipt = bench.run(bench.spec(spec.transformation, like=spec))

    assert "not yet" in first.result["exception"]
    assert receipt.result["ok"]
    assert tries(receipt) == [("second", 1, False), ("second", 2, True)]
    assert "broken" in receipt.units[0]["exception"]
    assert (tmp_path / "count").read_text() == "."


def test_if_that_does_not_help_all_is_started_clean(bench: Bench, tmp_path: Path) -> None:
    # leftovers of the first unit break the second
    units = {
        "first": "import time; outputs['file'] = str(shared / 'data'); (shared / 'data').touch()",
        "second": "import pathlib; before = inputs['before'][0]; data = pathlib.Path(before.outputs['file'])\n"
        "assert data.exists(), 'data is gone'\n"
        f"import os; assert os.path.exists({str(tmp_path / 'fixed')!r}), 'not yet'",
    }
    spec = bench.spec(scripted(units))
    first = bench.run(spec)
    (tmp_path / "fixed").touch()
    next(bench.folder(spec).glob("shared/00-first/data")).unlink()

    receipt = bench.run(bench.spec(spec.transformation, like=spec))

    assert "not yet" in first.result["exception"]
    assert receipt.result["ok"]
    assert tries(receipt) == [("second", 1, False), ("first", 1, True), ("second", 2, True)]
    assert len({unit["unit"] for unit in receipt.units if unit["name"] == "second"}) == 2
    assert len(bench.result(receipt).protocol_unit_results) == 2


def test_an_attempt_that_failed_slowly_is_not_started_clean(bench: Bench) -> None:
    spec = bench.spec(scripted({"first": "pass", "second": "raise ValueError"}))
    bench.run(spec)
    receipt = bench.run(bench.spec(spec.transformation, like=spec), fail_fast_s=0.0)
    assert tries(receipt) == [("second", 1, False)]


@pytest.mark.parametrize(("fail_times", "ok"), [(1, True), (2, True), (3, False)])
def test_units_are_retried_as_often_as_asked(bench: Bench, tmp_path: Path, fail_times: int, ok: bool) -> None:
    transformation = harmonic_transformation(
        n_windows=1, n_samples=5, fail="segfault", fail_times=fail_times, fail_folder=str(tmp_path)
    )
    receipt = bench.run(bench.spec(transformation), unit_retries=2)
    assert receipt.result["ok"] is ok
    numbers = [(unit["try_number"], unit["ok"]) for unit in receipt.units if unit["name"] == "sample-000"]
    assert numbers == [(n, False) for n in range(1, min(fail_times, 3) + 1)] + ([(fail_times + 1, True)] if ok else [])


@pytest.mark.parametrize("step", ["in_create", "in_gather"])
def test_planning_and_gathering_that_are_killed_are_done_again(bench: Bench, tmp_path: Path, step: str) -> None:
    text = f"""
import os, pathlib, signal
killed = pathlib.Path({str(tmp_path / "killed")!r})
if len(killed.read_text() if killed.exists() else '') < 2:
    killed.open('a').write('x')
    os.kill(os.getpid(), signal.SIGKILL)
"""
    receipt = bench.run(bench.spec(scripted("pass", **{step: text})))
    assert (tmp_path / "killed").read_text() == "xx"
    assert receipt.result["ok"]
    assert receipt.result["estimate_kcal_mol"] == pytest.approx(1.5)
    assert tries(receipt) == [("only", 1, True)]


def test_planning_that_is_killed_every_time_is_a_failed_result(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("pass", in_create="import os; os.kill(os.getpid(), 9)")))
    assert receipt.result["failed_unit"] == "create"
    assert receipt.result["exception"].startswith("ProcessDied: killed by signal 9 (SIGKILL)")


def test_a_retry_finds_its_folder_first_as_it_was_then_empty(bench: Bench, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    text = f"open({str(seen)!r}, 'a').write(str(len(list(shared.iterdir()))))\n(shared / 'x').touch()\nraise ValueError"
    receipt = bench.run(bench.spec(scripted(text)), unit_retries=2, fail_fast_s=0.0)
    assert seen.read_text() == "010"
    assert len(receipt.units) == 3


def test_a_folder_of_other_package_versions_is_not_gone_on_with(bench: Bench, tmp_path: Path) -> None:
    count = tmp_path / "count"
    units = {"first": f"open({str(count)!r}, 'a').write('.')", "second": "raise ValueError"}
    spec = bench.spec(scripted(units))
    bench.run(spec)
    plan = bench.folder(spec) / PLAN
    content = json.loads(plan.read_text())
    content["provenance"]["openmm"] = "0.1"
    plan.write_text(json.dumps(content))

    bench.run(bench.spec(spec.transformation, like=spec))

    assert count.read_text() == ".."


def test_a_folder_in_use_is_left_to_its_attempt(bench: Bench) -> None:
    spec = bench.spec(scripted("raise ValueError"))
    with WorkFolder.acquire(bench.work, SCOPE, spec.task, "other") as held:
        with WorkFolder.acquire(bench.work, SCOPE, spec.task, "mine", wait_s=0.0) as beside:
            assert beside.path == held.path.with_name(f"{held.path.name}.mine")
        assert not beside.path.exists()
    with WorkFolder.acquire(bench.work, SCOPE, spec.task, "mine", wait_s=0.0) as again:
        assert again.path == held.path


def test_an_attempt_beside_another_ends_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = bench.spec(scripted("pass"))
    acquire = WorkFolder.acquire
    monkeypatch.setattr(WorkFolder, "acquire", lambda *a: acquire(*a, wait_s=0.0))
    with acquire(bench.work, SCOPE, spec.task, "other") as held:
        assert execute_assignment(bench.assignment(spec)) == [spec.attempt]
        assert held.path.is_dir()
    assert [path.name for path in held.path.parent.iterdir()] == [held.path.name]


def test_a_step_that_outlives_its_worker_holds_the_folder(bench: Bench) -> None:
    spec = bench.spec(scripted("pass"))
    with WorkFolder.acquire(bench.work, SCOPE, spec.task, "dead") as held:
        path = held.steps_lock
        path.touch()
        command = ["flock", "--shared", str(path), "-c", "echo held; sleep 600"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
    try:
        with WorkFolder.acquire(bench.work, SCOPE, spec.task, "mine", wait_s=0.0) as beside:
            assert beside.path != held.path
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()


def test_forgotten_folders_are_swept_away(bench: Bench) -> None:
    paths = []
    for age_s in (0.0, 1000.0):
        spec = bench.spec(f"Transformation-0-{SCOPE}")
        with WorkFolder.acquire(bench.work, SCOPE, spec.task, "x") as folder:
            paths.append(folder.path)
        then = time.time() - age_s
        os.utime(folder.path / "lock", (then, then))
    assert sweep(bench.work, older_than_s=500.0) == [paths[1]]
    assert [path.exists() for path in paths] == [True, False]


def test_a_folder_in_use_is_not_swept_away(bench: Bench) -> None:
    spec = bench.spec(f"Transformation-0-{SCOPE}")
    with WorkFolder.acquire(bench.work, SCOPE, spec.task, "x") as folder:
        os.utime(folder.path / "lock", (0.0, 0.0))
        assert sweep(bench.work) == []
