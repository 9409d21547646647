"""Scaling of a pool's queue jobs: as many as there is work for, within its limits.

Decides which jobs are submitted and stopped. A worker that runs something is never stopped; stopped are pending
jobs that are not needed, workers that have been idle for long, and workers near the end of their job.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from ..dispatch.executor import Pending
from ..settings import Pool
from .dask_executor import Worker
from .queues import Backoff, Listed, QueueError, QueueRefusal

__all__ = ["JobPool", "WorkerJobs"]

_log = logging.getLogger(__name__)

#: Pending jobs are kept this long after they are no longer needed: their place in the queue is valuable.
_SURPLUS_S: Final = 30.0
#: A dismissed job that is still listed after this time is cancelled.
_GOODBYE_S: Final = 60.0
#: Maximum delay until a queue lists a submitted job.
_LISTING_LAG_S: Final = 5.0


class WorkerJobs(Protocol):
    """The queue jobs that run workers."""

    def submit(self, name: str, barred: Collection[str]) -> str:
        """Submit a job; return its id. May raise QueueError.

        Parameters
        ----------
        name : str
            Name of the job.
        barred : collection of str
            Names of nodes to exclude.
        """

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs. May raise QueueError."""

    def look(self) -> Listed | None:
        """Return the last listing of this user's jobs, without waiting for the queue."""

    def dismiss(self, address: str) -> None:
        """Stop an idle worker, and thereby its job."""


@dataclass(slots=True)
class _Job:
    name: str
    submission: Future[str]
    submitted_at: float | None = None
    connected: bool = False
    idle_since: float | None = None
    let_go_at: float | None = None
    job_id: str | None = None


class JobPool:
    """The worker jobs of one pool.

    Parameters
    ----------
    pool : Pool
    jobs : WorkerJobs
    prefix : str
        Prefix of its job names, unique to this dispatcher.
    clock : callable
        Monotonic, seconds.
    """

    def __init__(
        self, pool: Pool, jobs: WorkerJobs, prefix: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._queue, self._prefix, self._clock = pool, jobs, prefix, clock
        self._jobs: dict[str, _Job] = {}
        self._n_named = 0
        self._surplus_since: float | None = None
        self._backoff = Backoff(clock=clock)
        # one command at a time, outside the dispatcher's thread: a busy queue takes seconds for each
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue-commands")

    def adjust(self, workers: Sequence[Worker], wanted: int, barred: Collection[str]) -> Collection[str]:
        """Submit or stop jobs. Return the addresses of workers that take attempts.

        Parameters
        ----------
        workers : sequence of Worker
            Workers that are connected.
        wanted : int
            Number of workers that the work would occupy.
        barred : collection of str
            Names of hosts that get no Tasks.
        """
        present = {worker.name: worker for worker in workers if worker.name in self._jobs}
        self._settle(present)
        self._note(present)
        usable = {name: job for name, job in self._jobs.items() if self._is_usable(job, present.get(name), barred)}
        for name, worker in present.items():
            if name not in usable and worker.attempts == 0:
                self._let_go(self._jobs[name], worker)
        limits = self._pool.limits
        need = min(max(wanted, limits.minimum), limits.maximum)
        self._submit(need - len(usable), barred)
        self._thin(usable, present, need)
        return [worker.address for name, worker in present.items() if name in usable and self._stays(self._jobs[name])]

    def pending(self) -> Pending:
        """Return the jobs whose worker has not started."""
        waiting = [job for job in self._jobs.values() if not job.connected and job.let_go_at is None]
        since = [job.submitted_at for job in waiting if job.submitted_at is not None]
        return Pending(len(waiting), self._clock() - min(since) if since else None)

    def close(self) -> None:
        """Cancel all remaining jobs, including running ones: their work is no longer needed."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        for job in self._jobs.values():
            # jobs submitted since the last turn
            if job.job_id is None and not job.submission.cancelled() and job.submission.exception() is None:
                job.job_id = job.submission.result()
        left = [job.job_id for job in self._jobs.values() if job.job_id is not None]
        try:
            self._queue.cancel(left)
        except QueueError as e:
            _log.warning("jobs %s could not be cancelled (%s); they will end on their own", ", ".join(left), e)

    # --- status of jobs -----------------------------------------------------------------------------

    def _settle(self, present: Mapping[str, Worker]) -> None:
        """Remove jobs that were refused or have ended."""
        listed = self._queue.look()
        for job in list(self._jobs.values()):
            if not job.submission.done():
                continue
            if job.submitted_at is None:
                job.submitted_at = self._clock()
            if self._was_refused(job, listed):
                continue
            if job.name not in present and listed is not None and self._is_gone(job, listed):
                if not job.connected and job.let_go_at is None:
                    # a wrong path, a missing module: the next job would fail too
                    self._backoff.wait(f"job {job.job_id or job.name} ended before its worker started; see its output")
                del self._jobs[job.name]

    def _was_refused(self, job: _Job, listed: Listed | None) -> bool:
        """Set the id of a submitted job; remove the job if the queue refused it."""
        if job.job_id is not None:
            return False
        error = job.submission.exception()
        if error is None:
            job.job_id = job.submission.result()
        elif isinstance(error, QueueRefusal):
            self._backoff.wait(str(error))
            del self._jobs[job.name]
            return True
        elif isinstance(error, QueueError):
            # the queue may have accepted it; then it is listed under its name
            self._backoff.wait(str(error))
            turned_up = None if listed is None else listed.named(job.name)
            job.job_id = None if turned_up is None else turned_up.job_id
        else:
            raise error
        return False

    def _is_gone(self, job: _Job, listed: Listed) -> bool:
        listable = job.submitted_at is not None and listed.asked_at >= job.submitted_at + _LISTING_LAG_S
        return listable and job.job_id not in listed.jobs

    def _note(self, present: Mapping[str, Worker]) -> None:
        now = self._clock()
        for name, worker in present.items():
            job = self._jobs[name]
            if not job.connected:
                job.connected = True
                self._backoff.forget()
            if worker.attempts > 0:
                job.idle_since = None
            elif job.idle_since is None:
                job.idle_since = now

    def _is_usable(self, job: _Job, worker: Worker | None, barred: Collection[str]) -> bool:
        if not self._stays(job):
            return False
        if worker is None:
            return not job.connected  # otherwise its worker is lost, and the queue does not know yet
        near_its_end = worker.ends_in_s is not None and worker.ends_in_s <= self._pool.retire_before_s
        return not near_its_end and worker.hostname not in barred

    # --- submitting and stopping --------------------------------------------------------------------

    def _submit(self, n: int, barred: Collection[str]) -> None:
        limits = self._pool.limits
        n = min(n, limits.maximum - len(self._jobs), limits.submit_at_once)
        if n < 1 or not self._backoff.is_over or any(not job.submission.done() for job in self._jobs.values()):
            return
        for _ in range(n):
            self._n_named += 1
            name = f"{self._prefix}-{self._n_named}"
            submission = self._thread.submit(self._queue.submit, name, tuple(barred))
            self._jobs[name] = _Job(name, submission)

    def _thin(self, usable: Mapping[str, _Job], present: Mapping[str, Worker], need: int) -> None:
        now = self._clock()
        surplus = len(usable) - need
        if surplus < 1:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = now
        pending = [job for name, job in usable.items() if name not in present and job.job_id is not None]
        if self._surplus_since is not None and now - self._surplus_since >= min(_SURPLUS_S, self._pool.idle_s):
            dispensable = pending[::-1][:surplus]  # the newest have waited least
            for job in dispensable:
                job.let_go_at = now
            self._cancel(dispensable)
        spare = len(usable) - self._pool.limits.minimum
        idle = [
            (job.idle_since, name) for name, job in usable.items() if name in present and job.idle_since is not None
        ]
        for since, name in sorted(idle)[: max(0, spare)]:
            if now - since >= self._pool.idle_s:
                self._let_go(usable[name], present[name])
        late = [job for job in self._jobs.values() if job.let_go_at is not None and now - job.let_go_at >= _GOODBYE_S]
        for job in late:
            job.let_go_at = now
        self._cancel(late)

    def _let_go(self, job: _Job, worker: Worker) -> None:
        if self._stays(job):
            _log.info("stopping worker %s on %s", job.name, worker.hostname)
            job.let_go_at = self._clock()
            self._queue.dismiss(worker.address)

    def _stays(self, job: _Job) -> bool:
        return job.let_go_at is None

    def _cancel(self, jobs: Sequence[_Job]) -> None:
        job_ids = [job.job_id for job in jobs if job.job_id is not None]
        if job_ids:
            self._thread.submit(self._try_to_cancel, job_ids)

    def _try_to_cancel(self, job_ids: Sequence[str]) -> None:
        try:
            self._queue.cancel(job_ids)
        except QueueError as e:
            _log.warning("jobs %s could not be cancelled: %s", ", ".join(job_ids), e)
