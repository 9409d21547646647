"""A lacking host is not a Task's fault; damage by a Protocol to itself is."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.execution import Assignment, execute_assignment, host_faults, unit_runs
from alchemiscale_lake.execution.processes import StepExit, StepServer
from alchemiscale_lake.execution.release import Release, read_release
from alchemiscale_lake.settings import Monitors
from tests.execution.bench import SCOPE, Bench, tries, wait_for
from tests.execution.scripted import scripted

FILL = "(shared / 'big').write_bytes(bytes(3 << 20))"


@pytest.fixture(autouse=True)
def _a_well_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_faults, "_health", {})
    monkeypatch.setenv("ALCHEMISCALE_LAKE_HOSTNAME", "node1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _on(disk: Path, bench: Bench) -> Bench:
    return replace(bench, work=disk / "work")


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError):
        (disk / "rest").write_bytes(bytes(16 << 20))


def _release(bench: Bench, attempt: str) -> Release | None:
    return read_release(bench.lake, SCOPE, attempt)


def test_a_full_disk_releases_the_task_and_pauses_the_host(bench: Bench, small_disk: Path) -> None:
    bench = _on(small_disk, bench)
    of_others = small_disk / "of-others"
    of_others.write_bytes(bytes(14 << 20))
    spec = bench.spec(scripted(FILL))
    assert execute_assignment(bench.assignment(spec)) == []
    release = _release(bench, spec.attempt)
    assert release is not None
    assert release.kind == "unreadable"
    assert release.reason.startswith("the host is paused: No space left on device in ")

    # nothing starts while it is full, and everything once it is not
    again = bench.spec(spec.transformation, like=spec)
    done: list[list[str]] = []
    _fill(small_disk)
    thread = threading.Thread(target=lambda: done.append(execute_assignment(bench.assignment(again))))
    thread.start()
    thread.join(2.0)
    assert thread.is_alive()
    assert not bench.folder(spec).exists()
    of_others.unlink()
    thread.join(120)
    assert done == [[again.attempt]]
    assert bench.receipt(again).result["ok"]


def test_a_host_paused_for_long_gives_its_tasks_to_others(bench: Bench, small_disk: Path) -> None:
    bench = _on(small_disk, bench)
    (small_disk / "of-others").write_bytes(bytes(14 << 20))
    one, other = bench.spec(scripted(FILL)), bench.spec(scripted("pass"))
    (small_disk / "work").mkdir()
    assert execute_assignment(bench.assignment(one)) == []
    _fill(small_disk)
    assert execute_assignment(bench.assignment(other, monitors=Monitors(requeue_after=0.5))) == []
    release = _release(bench, other.attempt)
    assert release is not None
    assert release.kind == "refused"
    assert release.reason.startswith("the host is paused: No space left on device in ")


def test_a_task_that_fills_the_disk_by_itself_fails(bench: Bench, small_disk: Path) -> None:
    bench = _on(small_disk, bench)
    text = "for n in range(100): (shared / str(n)).write_bytes(bytes(1 << 20))"
    receipt = bench.run(bench.spec(scripted(text)))
    assert not receipt.result["ok"]
    assert receipt.result["exception"].startswith("DiskFull: the Task's own files have filled the file system of ")
    assert not list((small_disk / "work" / SCOPE).glob("*/shared/*/*")), "nothing is left to fill the disk"


def test_a_unit_whose_disk_has_room_again_is_run_again(bench: Bench, tmp_path: Path) -> None:
    text = (
        f"import pathlib; note = pathlib.Path({str(tmp_path)!r}) / 'note'\n"
        "if not note.exists(): note.touch(); raise OSError(28, 'No space left on device')"
    )
    receipt = bench.run(bench.spec(scripted(text)))
    assert tries(receipt) == [("only", 1, False), ("only", 2, True)]


def test_a_unit_that_only_claims_a_host_fault_fails(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("raise OSError(28, 'No space left on device')")))
    assert [ok for _, _, ok in tries(receipt)] == [False] * 3
    assert not receipt.result["ok"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EROFS])
def test_what_the_worker_itself_lacks_releases_the_task(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def write_record(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(unit_runs, "write_record", write_record)
    # a good unit records itself
    spec = bench.spec(scripted("raise ValueError('a failure to be recorded')"))
    assert execute_assignment(bench.assignment(spec)) == []
    release = _release(bench, spec.attempt)
    assert release is not None
    assert release.kind == "unreadable"
    assert os.strerror(number) in release.reason


def test_a_host_without_processes_releases_the_task(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstarted:
        pid, fork_server = None, "none"
        ended: Future[StepExit] = Future()

        def signal(self, signum: int) -> None: ...

    Unstarted.ended.set_result(StepExit(None, problem="cannot start a process: EAGAIN", unstarted=True))
    monkeypatch.setattr(StepServer, "start", lambda *_: Unstarted())
    spec = bench.spec(scripted("pass"))
    assert execute_assignment(bench.assignment(spec)) == []
    release = _release(bench, spec.attempt)
    assert release is not None
    assert release.reason == "the host is paused: cannot start a process: EAGAIN; free processes or memory of the host"
    assert host_faults.host_health().trouble() == "cannot start a process: EAGAIN"


def test_a_work_folder_that_cannot_be_created_is_a_host_fault(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spec = bench.spec(scripted("pass"))
    assignment: Assignment = replace(bench.assignment(spec), work_root=str(tmp_path / "file" / "work"))
    assert execute_assignment(assignment) == []
    release = _release(bench, spec.attempt)
    assert release is not None
    assert release.kind == "unreadable"
    assert "cannot create a work folder in " in release.reason


@pytest.mark.parametrize(
    "text",
    [
        "import shutil; shutil.rmtree(shared.parents[1])",
        "import shutil; shutil.rmtree(shared.parents[1] / 'runs'); (shared.parents[1] / 'runs').touch()",
        "import shutil; shutil.rmtree(shared.parent); shared.parent.symlink_to('/tmp')",
        "import shutil; work = shared.parents[1]; shutil.rmtree(work); work.touch()",
        "import shutil; work = shared.parents[1]; shutil.rmtree(work); (work / 'lock').mkdir(parents=True)",
    ],
)
def test_a_protocol_that_removes_its_work_folder_fails(bench: Bench, text: str) -> None:
    spec = bench.spec(scripted(text))
    receipt = bench.run(spec)
    assert not receipt.result["ok"]
    assert "the Protocol removed its work folder" in receipt.result["exception"]
    # and the next attempt can work there, possibly with leftover results
    bench.run(bench.spec(spec.transformation, like=spec))


def test_a_unit_that_kills_the_fork_server_fails_no_neighbour(bench: Bench, tmp_path: Path) -> None:
    kill = (
        f"import os, pathlib, time; kills = pathlib.Path({str(tmp_path)!r}) / 'kills'; kills.mkdir(exist_ok=True)\n"
        "while not (kills.parent / 'ready-2').exists(): time.sleep(0.05)\n"
        "(kills / str(os.getpid())).touch(); os.kill(os.getppid(), 9); time.sleep(600)"
    )
    wait = (
        f"import pathlib, time; folder = pathlib.Path({str(tmp_path)!r}); (folder / 'ready-{{n}}').touch()\n"
        f"while not (folder / 'over').exists(): time.sleep(0.05)"
    )
    killer = bench.spec(scripted(kill))
    units = {f"innocent {n}": wait.format(n=n) for n in range(3)}
    innocent = bench.spec(scripted(units, chained=False))
    needs = {spec: replace(bench.assignment().resources, cores=cores) for spec, cores in ((killer, 1), (innocent, 3))}
    specs = [replace(spec, resources=needs[spec]) for spec in (innocent, killer)]
    done: list[list[str]] = []
    assignment = bench.assignment(*specs, cores=4)
    thread = threading.Thread(target=lambda: done.append(execute_assignment(assignment)))
    thread.start()
    wait_for(lambda: bench.lake.objects.exists(f"attempts/{SCOPE}/{killer.attempt}/receipt.arrow"), timeout_s=600)
    (tmp_path / "over").touch()
    thread.join(120)

    assert set(done[0]) == {killer.attempt, innocent.attempt}
    assert bench.receipt(innocent).result["ok"], bench.receipt(innocent).result["exception"]
    blamed = bench.receipt(killer)
    assert not blamed.result["ok"]
    assert len(list((tmp_path / "kills").iterdir())) == len(blamed.units) == 3
    assert "only this attempt" in blamed.result["exception"]
