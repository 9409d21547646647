"""Work pools and workers for tests: real ones, and flow runs that only exist in a list."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.store import now_utc

SILENT = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO", "PREFECT_LOGGING_LEVEL": "INFO"}
#: Prefect's own default is ten seconds.
QUICK = {"PREFECT_WORKER_QUERY_SECONDS": "0.5", "PREFECT_WORKER_HEARTBEAT_SECONDS": "2"}


def make_work_pool(name: str, kind: str = "process", template: Mapping[str, Any] | None = None) -> None:
    """Create a work pool as `prefect work-pool create` does."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = template or ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=dict(template)))


@dataclass
class Worker:
    """A running `prefect worker start`."""

    process: psutil.Popen
    log: Path

    def tree(self) -> list[psutil.Process]:
        """Return it and all its descendants that are still running."""
        return [self.process, *self.process.children(recursive=True)]

    def kill(self, *, with_runs: bool = False) -> None:
        """Kill it, by default alone: its children continue."""
        for process in self.tree() if with_runs else [self.process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@contextlib.contextmanager
def worker(work_pool: str, folder: Path, *arguments: str, kind: str = "process", **env: str) -> Iterator[Worker]:
    """Run a worker; on exit nothing of it remains."""
    name = f"worker-{uuid.uuid4().hex[:6]}"
    command = [str(Path(sys.executable).with_name("prefect")), "worker", "start", "--pool", work_pool]
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = psutil.Popen(
            [*command, "--type", kind, "--name", name, *arguments],
            env={**os.environ, **SILENT, **QUICK, **env},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    started = Worker(process, log)
    seen: list[psutil.Process] = []
    try:
        yield started
        seen = started.tree() if process.is_running() else []
    finally:
        # a worker with a busy server may hang on SIGTERM, and would take flow runs of later tests
        for each in seen or [process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def wait_until(what: Any, *, patience_s: float = 600.0, pause_s: float = 0.1) -> Any:
    """Return the first true result of `what`."""
    deadline = time.monotonic() + patience_s
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {patience_s} s"
        time.sleep(pause_s)


@dataclass
class FakeRuns:
    """Flow runs without a worker: a list that a test changes as Prefect would."""

    work_pool: str = "pods"
    job_variables: frozenset[str] = frozenset()
    runs: dict[uuid.UUID, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[uuid.UUID] = field(default_factory=list)
    dropped: list[uuid.UUID] = field(default_factory=list)
    given_up: list[uuid.UUID] = field(default_factory=list)
    hindrance: str | None = None
    down: bool = False
    #: The next creation succeeds, but its answer is lost.
    loses_answer: bool = False
    refuses: Exception | None = None

    def live(self) -> list[Any]:
        self._answer()
        return [run for run in self.runs.values() if run.live]

    def read(self, ids: Collection[uuid.UUID]) -> list[Any]:
        self._answer()
        return [self.runs[each] for each in ids if each in self.runs]

    def create(self, assignment: str, attempts: Sequence[str], **asked: Any) -> Any:
        from alchemiscale_lake.engines.flow_runs import SeenRun

        self._answer()
        if self.refuses is not None:
            raise self.refuses
        known = [run for run in self.runs.values() if run.assignment == assignment]
        if known:
            return known[0]
        self.asked.append(asked)
        lake = asked["parameters"]["lake"]
        run = SeenRun(uuid.uuid4(), lake, assignment, tuple(attempts), "SCHEDULED", "Scheduled", "", now_utc(), 0)
        self.runs[run.id] = run
        if self.loses_answer:
            self.loses_answer = False
            raise StorageError("the connection broke")
        return run

    def cancel(self, run: uuid.UUID) -> None:
        self._answer()
        self.cancelled.append(run)
        state = "CANCELLING" if self.runs[run].state == "RUNNING" else "CANCELLED"
        self.becomes(run, state)

    def drop(self, run: uuid.UUID, reason: str) -> None:
        self._answer()
        self.dropped.append(run)
        self.becomes(run, "CANCELLED", message=reason)

    def give_up(self, run: uuid.UUID, reason: str) -> None:
        self._answer()
        self.given_up.append(run)
        self.becomes(run, "CRASHED", message=reason)

    def obstacle(self) -> str | None:
        self._answer()
        return self.hindrance

    def becomes(self, run: uuid.UUID, state: str, name: str | None = None, **columns: Any) -> None:
        """Change the state of a flow run."""
        before = self.runs[run]
        columns = {"since": now_utc(), "n_starts": before.n_starts + (state == "RUNNING"), **columns}
        self.runs[run] = replace(before, state=state, state_name=name or state.capitalize(), **columns)

    @property
    def only(self) -> uuid.UUID:
        (run,) = self.runs
        return run

    def _answer(self) -> None:
        if self.down:
            raise StorageError("the Prefect API does not answer")
