"""Launching of steps by a fork server that starts no process: outcomes, reruns, and who is blamed."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.errors import HostFaultError
from alchemiscale_lake.execution import launcher as module
from alchemiscale_lake.execution.capacity import Allocation
from alchemiscale_lake.execution.child import OUTCOME
from alchemiscale_lake.execution.launcher import Launcher, end_all, read_left
from alchemiscale_lake.execution.processes import StepExit
from alchemiscale_lake.execution.watch import Cut
from alchemiscale_lake.resources import Resources

GOOD = StepExit(0)
KILLED = StepExit(-signal.SIGKILL, peak_memory_bytes=2**30)
SERVER_DIED = StepExit(None, problem="the fork server died")


@dataclass(eq=False)
class Process:
    """A step that is ended by signals it does not ignore."""

    ignores: tuple[int, ...] = ()
    ended: Future[StepExit] = field(default_factory=Future)
    pid: int | None = None
    signals: list[int] = field(default_factory=list)

    def signal(self, signum: int) -> None:
        self.signals.append(signum)
        if signum not in self.ignores and not self.ended.done():
            self.ended.set_result(StepExit(-signum))


@dataclass(eq=False)
class Server:
    """Ends each step at once with the next exit, after writing its outcome (None: it leaves none)."""

    steps: list[tuple[StepExit, Any]]
    requests: list[dict[str, Any]] = field(default_factory=list)
    apart_of: Server | None = None
    closed: bool = False

    def start(self, request: dict[str, Any]) -> Process:
        self.requests.append(request)
        ended, content = self.steps.pop(0)
        if content is not None:
            Path(request["run"], OUTCOME).write_text(json.dumps(content))
        process = Process()
        process.ended.set_result(ended)
        return process

    def apart(self) -> Server:
        return Server(self.steps, self.requests, apart_of=self)

    def close(self) -> None:
        self.closed = True


@dataclass
class NoHurry:
    """A watch that stops nothing until told to."""

    why: Cut | None = None

    def cut(self) -> Cut | None:
        return self.why

    def wait(self, futures: Iterable[Any]) -> Iterable[Any]:
        return futures

    def exception(self, cut: Cut) -> tuple[str, str]:
        return ("Cut", cut.name)


@pytest.fixture
def launcher_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Launcher, Server]]:
    monkeypatch.setattr(module, "HEAR_S", 0.0)
    monkeypatch.setattr(module, "full_file_system", lambda needed: None)
    path = tmp_path / "work" / "scope" / "attempt"
    (path / "runs").mkdir(parents=True)

    def make(*steps: tuple[StepExit, Any], **resources: Any) -> tuple[Launcher, Server]:
        server = Server(list(steps))
        folder: Any = SimpleNamespace(path=path, steps_lock=path / "steps.lock")
        allocation = Allocation(Resources(**resources), (("GPU-1", 1_000_000), ("GPU-7", 1_000_000)))
        return Launcher(server, folder, allocation, grace_s=0.01), server  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (StepExit(3), "the process exited with code 3 before it reported"),
        (StepExit(0), "the process exited with code 0 before it reported"),
        (StepExit(-signal.SIGSEGV), "killed by signal 11 (SIGSEGV)"),
        (KILLED, "killed by signal 9 (SIGKILL): by the system or the queue for lack of memory, or by a user; peak "
         "memory 1.00 GiB of 4.00 GiB"),
        (SERVER_DIED, "lost: the fork server died"),
    ],
)  # fmt: skip
def test_a_death_without_report_is_described(launcher_of: Any, ended: StepExit, said: str) -> None:
    launcher, _ = launcher_of((ended, None), memory_bytes=4 * 2**30)

    outcome = launcher.start("unit", "unit-1").outcome()

    assert not outcome.ok
    assert outcome.exception == ("ProcessDied", said)
    assert outcome.traceback == "no traceback: the process died without output on stderr"
    assert outcome.ended_at >= outcome.started_at


def test_the_last_words_of_a_process_are_its_traceback(launcher_of: Any) -> None:
    launcher, _ = launcher_of((StepExit(1), None))
    launched = launcher.start("unit", "unit-1")
    (launched.run / "stderr.txt").write_bytes(b"cannot open \xff")

    assert launched.outcome().traceback == "stderr of the process:\ncannot open \ufffd"


@pytest.mark.parametrize(
    ("content", "ok", "exception"),
    [
        ({"ok": True}, True, None),
        ({"ok": True, "exception": ["Odd", "1"]}, True, None),
        ({"ok": False, "exception": ["ValueError", "wrong"]}, False, ("ValueError", "wrong")),
        ({"ok": False, "exception": ["ValueError", 7]}, False, ("ValueError", "7")),
        ({"ok": False, "exception": "text"}, False, ("ExecutionError", "the step failed without a reason")),
        ({"ok": "yes"}, False, ("ProcessDied", "the process exited with code 0 before it reported")),
    ],
)
def test_only_a_sound_report_counts(launcher_of: Any, content: Any, ok: bool, exception: Any) -> None:
    launcher, _ = launcher_of((GOOD, content))

    outcome = launcher.start("unit", "unit-1").outcome()

    assert (outcome.ok, outcome.exception) == (ok, exception)


def test_what_a_step_left_is_read_only_if_it_is_a_small_object(tmp_path: Path) -> None:
    left = tmp_path / "left.json"
    assert read_left(left) is None
    for text in ("[1]", "{", "[" * 100_000, '{"a": 1}\0'):
        left.write_text(text)
        assert read_left(left) is None
    left.write_text('{"a": 1}')
    assert read_left(left) == {"a": 1}
    with left.open("r+b") as file:
        file.seek(2**24)
        file.write(b" ")
    assert read_left(left) is None


def test_a_step_gets_its_share_and_no_secrets(launcher_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HARMLESS", "kept")
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    launcher, server = launcher_of((GOOD, {"ok": True}), cores=3)

    launcher.start("unit", "unit-1", unit_key="key")

    request = server.requests[0]
    environment = request["env"]
    assert request["threads"] == 3
    assert {environment[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS")} == {"3"}
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-7"
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment["HARMLESS"] == "kept"
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert request["arguments"] == {"folder": str(launcher.folder.path), "unit_key": "key"}
    assert request["cwd"] == request["run"]


def test_a_run_folder_is_new(launcher_of: Any) -> None:
    launcher, _ = launcher_of((GOOD, {"ok": True}))
    old = launcher.folder.path / "runs" / "unit-1"
    old.mkdir()
    (old / OUTCOME).write_text('{"ok": false}')
    (old / "trajectory").touch()

    assert launcher.start("unit", "unit-1").outcome().ok
    assert [path.name for path in old.iterdir()] == [OUTCOME]


@pytest.mark.parametrize("lost", [KILLED, SERVER_DIED, StepExit(-signal.SIGTERM)])
def test_a_step_ended_from_outside_runs_again_twice(launcher_of: Any, lost: StepExit) -> None:
    launcher, server = launcher_of((lost, None), (lost, None), (GOOD, {"ok": True}))
    assert launcher.run("plan", "create-1", NoHurry()).ok
    assert [Path(request["run"]).name for request in server.requests] == ["create-1"] * 3

    launcher, server = launcher_of((lost, None), (lost, None), (lost, None), (GOOD, {"ok": True}))
    assert not launcher.run("plan", "create-1", NoHurry()).ok
    assert len(server.requests) == 3


@pytest.mark.parametrize("failed", [(GOOD, {"ok": False}), (StepExit(1), None), (StepExit(-signal.SIGSEGV), None)])
def test_a_step_that_failed_itself_does_not_run_again(launcher_of: Any, failed: tuple[StepExit, Any]) -> None:
    launcher, server = launcher_of(failed)

    assert not launcher.run("plan", "create-1", NoHurry()).ok
    assert len(server.requests) == 1


def test_a_signal_to_the_whole_job_stops_the_attempt(launcher_of: Any) -> None:
    launcher, server = launcher_of((StepExit(-signal.SIGTERM), None))

    outcome = launcher.run("plan", "create-1", NoHurry(Cut.STOPPED))

    assert outcome.cut is Cut.STOPPED
    assert outcome.exception == ("Cut", "STOPPED")
    assert len(server.requests) == 1


def test_the_second_fork_server_serves_this_attempt_alone(launcher_of: Any) -> None:
    launcher, server = launcher_of((SERVER_DIED, None), (SERVER_DIED, None), (SERVER_DIED, None))

    outcome = launcher.run("plan", "create-1", NoHurry())

    assert outcome.exception == (
        "ProcessDied",
        "lost: the fork server died; it served only this attempt, so a unit may have killed it",
    )
    own = launcher._own_server
    assert own is not None
    assert own.apart_of is server
    launcher.close()
    assert (own.closed, server.closed) == (True, False)


def test_a_host_without_processes_is_at_fault(launcher_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[str] = []
    monkeypatch.setattr(module, "host_health", lambda: SimpleNamespace(pause=lambda why, *_: paused.append(why)))
    launcher, _ = launcher_of((StepExit(None, problem="fork: no memory", unstarted=True), None))

    with pytest.raises(HostFaultError, match="fork: no memory; free processes or memory of the host"):
        launcher.run("plan", "create-1", NoHurry())
    assert paused == ["fork: no memory"]


@pytest.mark.parametrize("own_files", [True, False])
def test_a_full_disk_is_the_fault_of_whose_files_fill_it(
    launcher_of: Any, monkeypatch: pytest.MonkeyPatch, own_files: bool
) -> None:
    monkeypatch.setattr(module, "full_file_system", lambda needed: (Path("/scratch"), "/scratch is full"))
    monkeypatch.setattr(module, "fills", lambda folder, system: own_files)
    monkeypatch.setattr(module, "host_health", lambda: SimpleNamespace(pause=lambda *_: None))
    launcher, _ = launcher_of((GOOD, {"ok": False}), (GOOD, {"ok": True}))
    failed, good = (launcher.start("unit", f"unit-{n}").outcome() for n in (1, 2))

    assert not launcher.examine(good)
    if own_files:
        assert launcher.examine(failed)
    else:
        with pytest.raises(HostFaultError, match="/scratch is full; free space there"):
            launcher.examine(failed)


def test_steps_are_asked_to_end_before_they_are_killed() -> None:
    obedient, stubborn, finished = Process(), Process(ignores=(signal.SIGTERM,)), Process()
    finished.ended.set_result(GOOD)

    end_all([SimpleNamespace(process=process) for process in (obedient, stubborn, finished)], 0.01)  # type: ignore[misc]

    assert obedient.signals == [signal.SIGTERM]
    assert stubborn.signals == [signal.SIGTERM, signal.SIGKILL]
    assert finished.signals == []
