"""Processes of steps: shared between threads, ended with their parent, isolated from each other."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import TransientError
from alchemiscale_lake.execution import execute_assignment
from alchemiscale_lake.execution.process_tree import mark_of
from alchemiscale_lake.execution.processes import StepServer, close_step_server, import_path, step_server
from tests.execution.bench import Bench, alive, carrying, tries, wait_for
from tests.execution.scripted import scripted


@pytest.fixture
def server() -> Iterator[StepServer]:
    server = StepServer()
    yield server
    server.close()


def _request(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    return {
        "step": "unit",
        "arguments": {},
        "run": str(tmp_path),
        "cwd": str(tmp_path),
        "env": dict(os.environ),
        "path": import_path(),
        "lock": str(tmp_path / "lock"),
        "threads": 1,
        **changed,
    }


def test_a_step_that_cannot_run_states_the_reason(server: StepServer, tmp_path: Path) -> None:
    ended = server.start(_request(tmp_path, step="nonsense")).ended.result(60)
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert ended.exit_code == 1
    assert outcome["exception"] == ["KeyError", "'nonsense'"]


def test_two_threads_share_one_fork_server(bench: Bench) -> None:
    specs = [bench.spec(scripted({"a": "pass", "b": "pass"})) for _ in range(2)]
    stored = specs[0].transformation
    parts = [[specs[0], bench.spec(stored)], [specs[1], bench.spec(stored)]]
    pids: set[int | None] = set()
    done: list[str] = []

    def run(part: list[Any]) -> None:
        done.extend(execute_assignment(bench.assignment(*part)))
        pids.add(step_server().pid)

    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == sorted(spec.attempt for part in parts for spec in part)
    assert len(pids) == 1
    assert all(bench.receipt(spec).result["ok"] for part in parts for spec in part)


def test_a_unit_outlives_a_killed_fork_server_only_by_running_again(bench: Bench, tmp_path: Path) -> None:
    text = (
        f"import os, time, pathlib; note = pathlib.Path({str(tmp_path)!r}) / 'note'\n"
        "if not note.exists(): note.write_text(f'{os.getppid()} {os.getpid()}'); time.sleep(600)"
    )
    spec = bench.spec(scripted(text))
    receipts: list[Any] = []
    thread = threading.Thread(target=lambda: receipts.append(bench.run(spec)))
    thread.start()
    fork_server, child = wait_for(lambda: _numbers(tmp_path / "note"))
    os.kill(fork_server, signal.SIGKILL)
    thread.join()

    assert receipts[0].result["ok"]
    assert tries(receipts[0]) == [("only", 1, False), ("only", 2, True)]
    assert receipts[0].units[0]["exception"].startswith("ProcessDied: lost: ")
    assert not alive(child)


def test_what_a_unit_started_ends_with_it(bench: Bench, tmp_path: Path) -> None:
    # one in its process group, one in a session of its own, one that cleared its environment
    text = f"""
import os, subprocess, sys
folder = {str(tmp_path)!r}
first = subprocess.Popen(['sleep', '600'])
second = subprocess.Popen(['sleep', '600'], start_new_session=True)
third = subprocess.Popen(['sh', '-c', 'setsid sleep 600 & echo $! > ' + folder + '/third'])
third.wait()
import time; time.sleep(0.2)
open(folder + '/pids', 'w').write(f'{{first.pid}} {{second.pid}} ' + open(folder + '/third').read())
os.kill(os.getpid(), 9)
"""
    bench.run(bench.spec(scripted(text)))
    pids = _numbers(tmp_path / "pids")
    assert len(pids) == 3
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_helpers_of_a_running_unit_are_left_alone_when_another_ends(bench: Bench, tmp_path: Path) -> None:
    text = f"""
import os, subprocess, time
subprocess.run(['sh', '-c', 'setsid sleep 600 & echo $! > {tmp_path}/pid'])
time.sleep(1.2)
pid = int(open('{tmp_path}/pid').read())
os.kill(pid, 0)
"""
    units = {"helped": text, "quick": "import time; time.sleep(0.4)"}
    receipt = bench.run(bench.spec(scripted(units, chained=False)), cores=2)
    assert receipt.result["ok"], receipt.result
    wait_for(lambda: not alive(_numbers(tmp_path / "pid")[0]))


def test_units_do_not_share_random_numbers(bench: Bench) -> None:
    text = "import numpy, random; outputs['x'] = [float(numpy.random.random()), random.random()]"
    receipt = bench.run(bench.spec(scripted({"a": text, "b": text})))
    drawn = [r.outputs["x"] for r in bench.result(receipt).protocol_unit_results]
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_openmm_has_its_plugins_in_units_and_not_before(bench: Bench) -> None:
    text = """
import openmm
names = [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]
outputs['names'] = names
outputs['threads'] = openmm.Platform.getPlatformByName('CPU').getPropertyDefaultValue('Threads')
"""
    receipt = bench.run(bench.spec(scripted(text)), cores=3)
    outputs = bench.result(receipt).protocol_unit_results[0].outputs
    assert "CPU" in outputs["names"]
    assert outputs["threads"] == "3"
    pid = step_server().pid
    assert pid is not None
    loaded = Path(f"/proc/{pid}/maps").read_text()
    assert "libOpenMM" in loaded
    assert "plugins/libOpenMM" not in loaded


def test_the_fork_server_has_one_thread(bench: Bench) -> None:
    bench.run(bench.spec(scripted("pass")))
    assert len(list(Path(f"/proc/{step_server().pid}/task").iterdir())) == 1


def test_what_a_step_imported_is_there_for_the_next(bench: Bench) -> None:
    close_step_server()
    text = "import sys; outputs['had'] = 'scipy.stats' in sys.modules; import scipy.stats"
    had = []
    for _ in range(2):
        receipt = bench.run(bench.spec(scripted(text)))
        had.append(bench.result(receipt).protocol_unit_results[0].outputs["had"])
    assert had == [False, True]
    assert len(list(Path(f"/proc/{step_server().pid}/task").iterdir())) == 1


def test_the_environment_of_the_worker_is_that_of_its_units(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "module_of_the_worker.py").write_text("answer = 42")
    monkeypatch.setenv("SOME_VARIABLE", "some value")
    monkeypatch.syspath_prepend(tmp_path)
    text = "import os, module_of_the_worker as m; outputs['x'] = [os.environ['SOME_VARIABLE'], m.answer]"
    receipt = bench.run(bench.spec(scripted(text)))
    assert bench.result(receipt).protocol_unit_results[0].outputs["x"] == ["some value", 42]


def test_a_server_apart_ends_with_the_one_it_is_apart_from() -> None:
    server = StepServer()
    apart = server.apart()

    server.close()

    for closed in (apart, server.apart()):
        with pytest.raises(TransientError, match="shutting down"):
            closed.start({})


def test_a_worker_going_down_ends_everything_and_reports_nothing(bench: Bench, tmp_path: Path) -> None:
    text = f"import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(600)"
    assignment = bench.assignment(bench.spec(scripted(text)))
    done: list[list[str]] = []
    thread = threading.Thread(target=lambda: done.append(execute_assignment(assignment)))
    thread.start()
    mark = mark_of(wait_for(lambda: _numbers(tmp_path / "pid"))[0])
    assert mark is not None
    close_step_server()
    thread.join(30)
    assert done == [[]]
    assert not carrying(mark)


def test_a_fork_server_that_dies_importing_is_tried_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: StepServer
) -> None:
    poison = tmp_path / "path"
    poison.mkdir()
    (poison / "gufe.py").write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.syspath_prepend(poison)
    first = server.start(_request(tmp_path)).ended.result(60)
    second = server.start(_request(tmp_path, step="nonsense")).ended.result(60)
    assert first.problem is not None
    assert second.exit_code == 1


def test_a_fork_server_that_dies_importing_what_a_step_needs_is_tried_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: StepServer
) -> None:
    poison = tmp_path / "path" / "scipy"
    poison.mkdir(parents=True)
    (poison / "__init__.py").touch()
    (poison / "stats.py").write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.syspath_prepend(poison.parent)
    asked = _request(tmp_path, step="nonsense", needs=["scipy.stats"])
    first, second = (server.start(asked).ended.result(60) for _ in range(2))
    assert first.problem is not None
    assert second.exit_code == 1


def test_without_a_fork_server_an_attempt_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    close_step_server()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    receipt = bench.run(bench.spec(scripted("pass")))
    close_step_server()
    assert receipt.result["failed_unit"] in ("create", "prepare")
    assert "start" in receipt.result["exception"]


def _numbers(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split()]
    except FileNotFoundError:
        return []
