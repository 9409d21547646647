"""Batch mode (`--once`): queue jobs that each run one stored assignment without a waiting process.

The queue knows submitted jobs by name, and the lake by file: `assignments/<id>.json` is the assignment,
`assignments/<id>.job.json` has the job id. If the process dies between the two, the job is found by its name.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shlex
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from ..dispatch.executor import Handle, Pending, Place
from ..errors import NotFoundError, NotStartedError, StorageError
from ..execution import Assignment
from ..execution.stop_requests import ask_to_stop
from ..execution.stored_assignment import load_assignment, store_assignment
from ..settings import Pool
from ..store import Lake, now_utc
from .job_scripts import python_of, queue_name
from .queue_listings import QueueJob
from .queues import Backoff, Listed, Queue, QueueError, QueueRefusal, log_folder_of

__all__ = ["QueueExecutor", "QueueHandle", "open_queue_executor"]

_log = logging.getLogger(__name__)

#: Maximum age of a listing.
_LISTED_S: Final = 2.0
#: Maximum delay until a queue lists a submitted job.
_LISTING_LAG_S: Final = 5.0
_NAME: Final = re.compile(r"lake-([0-9a-f]{10,32})")


@contextlib.contextmanager
def open_queue_executor(name: str, pool: Pool, lake: Lake) -> Iterator[QueueExecutor]:
    """Open the queue of a pool for jobs that outlive this process.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    lake : Lake

    Raises
    ------
    MissingDependencyError
        If dask-jobqueue is not installed.
    SettingsError
        If the pool has settings that its queue does not support.
    """
    yield QueueExecutor(name, Queue(pool, log_folder_of(name, pool, lake)), lake)


class QueueHandle:
    """One assignment in a queue job.

    Parameters
    ----------
    executor : QueueExecutor
    assignment : Assignment
    name : str
        Name of the job.
    job_id : str or None
        None if the queue did not respond when the job was submitted.
    submitted_at : float
        On the monotonic clock.
    """

    __slots__ = ("_assignment", "_executor", "_gone", "_job_id", "_name", "_submitted_at")

    def __init__(
        self, executor: QueueExecutor, assignment: Assignment, name: str, job_id: str | None, submitted_at: float
    ) -> None:
        self._executor, self._assignment = executor, assignment
        self._name, self._job_id, self._submitted_at = name, job_id, submitted_at
        self._gone = False

    def done(self) -> bool:
        """Return whether the queue no longer lists its job; False if the queue does not respond."""
        if self._gone:
            return True
        listed = self._executor.listed()
        if listed is None or listed.asked_at < self._submitted_at + _LISTING_LAG_S:
            return False
        job = self._find(listed)
        if job is not None:
            self._job_id = job.job_id
            return False
        if self._job_id is None:
            self._stop()  # if the job appears later, it must not run anything
        self._gone = True
        return True

    def exception(self) -> NotStartedError | None:
        """Return an error if the queue never had the job, else None: jobs report through the lake."""
        return None if self._job_id is not None else NotStartedError("its queue did not respond, and has no such job")

    def cancel(self) -> None:
        """Ask it to stop, and remove it from the queue."""
        self._stop()
        listed = self._executor.listed()
        job = None if listed is None else self._find(listed)
        job_id = self._job_id if job is None else job.job_id
        if job_id is not None:
            self._executor.cancel(job_id)

    def _find(self, listed: Listed) -> QueueJob | None:
        return listed.named(self._name) if self._job_id is None else listed.jobs.get(self._job_id)

    def _stop(self) -> None:
        for spec in self._assignment.attempts:
            ask_to_stop(self._executor.lake, spec)


class _Refused:
    """Handle of an assignment that the queue refused."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def done(self) -> bool:
        return True

    def exception(self) -> NotStartedError:
        return NotStartedError(self._reason)

    def cancel(self) -> None:
        return None


class QueueExecutor:
    """Runs each assignment in a separate queue job.

    Parameters
    ----------
    name : str
        Name of the pool.
    queue : Queue
    lake : Lake
    """

    durable = True
    whole_jobs = True

    def __init__(self, name: str, queue: Queue, lake: Lake) -> None:
        self.lake = lake
        self._name, self._queue = name, queue
        self._listed: Listed | None = None
        self._asked_at = float("-inf")
        self._ours: dict[str, str | None] = {}
        self._submitted: dict[str, float] = {}
        self._free: list[str] = []
        self._n_named = 0
        self._backoff = Backoff()
        self._barred: tuple[str, ...] = ()

    def places(self, workers: int) -> Sequence[Place]:
        """Return one empty place for each job that may still be submitted."""
        limits, pool = self._queue.pool.limits, self._queue.pool
        listed = self.listed()
        if listed is None or not self._backoff.is_over:
            return []
        n = min(limits.maximum - self._in_queue(listed), limits.submit_at_once)
        while len(self._free) < n:
            self._n_named += 1
            self._free.append(f"{self._name} job {self._n_named}")
        return [
            Place(name, pool.capacity, pool.capacity, pool.tasks_per_job, ends_in_s=pool.walltime_s)
            for name in self._free[: max(0, n)]
        ]

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Handle:
        """Store an assignment in the lake, and submit a job that runs it.

        Parameters
        ----------
        assignment : Assignment
            Attempts that one worker runs together, and their settings.
        name : str
            Readable name for logs.
        place : str
            As named by `Place`; here it is a job to come.
        """
        self._free = [free for free in self._free if free != place]
        if not self._backoff.is_over:
            return _Refused("submissions to its queue are paused")
        assignment_id = store_assignment(self.lake, assignment)
        job_name = queue_name(self._queue.pool.kind, f"lake-{assignment_id}")
        python, lake = shlex.quote(python_of(self._queue.pool)), shlex.quote(self.lake.url)
        command = f"{python} -m alchemiscale_lake.execution --lake {lake} --assignment {assignment_id}"
        job_id = None
        try:
            job_id = self._queue.submit(job_name, command, barred=self._barred)
        except QueueRefusal as e:
            self._backoff.wait(str(e))
            return _Refused(str(e))
        except QueueError as e:
            self._backoff.wait(str(e))
        now = time.monotonic()
        self._ours[job_name], self._submitted[job_name] = self._name, now
        if job_id is not None:
            self._backoff.forget()
            self._note(assignment_id, job_name, job_id)
        return QueueHandle(self, assignment, job_name, job_id, now)

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Handle]:
        """Find the jobs, of this process or an earlier one, that run the given attempts.

        Raises
        ------
        QueueError
            If the queue does not respond: then it is unknown whether a job continues.
        """
        self._asked_at, self._listed = time.monotonic(), self._queue.list()
        found: dict[str, Handle] = {}
        for job in self._listed.jobs.values():
            assignment = self._assignment_of(job)
            if assignment is None:
                continue
            handle = QueueHandle(self, assignment, job.name, job.job_id, float("-inf"))
            found |= {s.attempt: handle for s in assignment.attempts if s.attempt in attempts}
        return found

    def pending(self) -> Pending:
        """Return the number of this pool's pending jobs; the queue does not report since when they wait."""
        listed = self._listed
        jobs = () if listed is None else listed.jobs.values()
        return Pending(sum(job.state == "pending" and self._pool_of(job) == self._name for job in jobs))

    def retire(self, hostnames: Collection[str]) -> None:
        """Exclude these hosts from further jobs, if the queue supports it."""
        self._barred = tuple(sorted(hostnames))

    def listed(self) -> Listed | None:
        """Return the queue's listing of this user's jobs; if it does not respond, the previous one or None."""
        if time.monotonic() - self._asked_at >= _LISTED_S:
            self._asked_at = time.monotonic()
            try:
                self._listed = self._queue.list()
            except QueueError as e:
                _log.warning("%s; using the last known state of jobs", e)
        return self._listed

    def cancel(self, job_id: str) -> None:
        """Remove a job from the queue; if that fails, the stop request in the lake still stops it."""
        try:
            self._queue.cancel([job_id])
        except QueueError as e:
            _log.warning("job %s could not be cancelled: %s", job_id, e)

    # --- jobs of this pool --------------------------------------------------------------------------

    def _in_queue(self, listed: Listed) -> int:
        """Count this pool's jobs, including those too new to be listed."""
        named = {job.name for job in listed.jobs.values()}
        young = {
            name for name, at in self._submitted.items() if name not in named and listed.asked_at < at + _LISTING_LAG_S
        }
        return len(young) + sum(self._pool_of(job) == self._name for job in listed.jobs.values())

    def _pool_of(self, job: QueueJob) -> str | None:
        """Return the pool of a job; None if it is not of this lake."""
        if job.name not in self._ours:
            assignment = self._assignment_of(job)
            self._ours[job.name] = None if assignment is None else assignment.pool
        return self._ours[job.name]

    def _assignment_of(self, job: QueueJob) -> Assignment | None:
        match = _NAME.fullmatch(job.name)
        if match is None:
            return None
        try:
            return load_assignment(self.lake, self._whole_id(match[1]))
        except NotFoundError:
            return None  # a job of another lake of this user in the same queue

    def _whole_id(self, beginning: str) -> str:
        """Return the full id of an assignment, from the part that the queue lists."""
        if len(beginning) == 32:
            return beginning
        stored = (path.rpartition("/")[2].partition(".")[0] for path in self.lake.objects.list("assignments"))
        return next((whole for whole in stored if whole.startswith(beginning)), beginning)

    def _note(self, assignment_id: str, job_name: str, job_id: str) -> None:
        note = {"pool": self._name, "kind": self._queue.pool.kind, "job": job_id, "name": job_name}
        data = json.dumps({**note, "submitted_at": now_utc().isoformat()}).encode()
        try:
            self.lake.objects.put(f"assignments/{assignment_id}.job.json", data)
        except StorageError as e:
            _log.warning("job %s runs assignment %s, but its id could not be stored: %s", job_id, assignment_id, e)
