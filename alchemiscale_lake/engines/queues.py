"""A batch queue: submit, list and cancel jobs, with time-outs. Other modules decide what to submit.

`job_script` returns the script of a job.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..directives import log_folder_mistake
from ..errors import SettingsError, TransientError
from ..settings import Pool
from ..store import Lake
from .job_scripts import JobRequest, cluster_class, job_of, job_script
from .queue_listings import QueueJob, list_jobs, list_nodes

__all__ = [
    "BackgroundListing",
    "Backoff",
    "Listed",
    "Queue",
    "QueueError",
    "QueueRefusal",
    "job_script",
    "log_folder_of",
]

_log = logging.getLogger(__name__)

#: Time-out of a queue command, in seconds.
_PATIENCE_S: Final = 60.0
_NODES_EVERY_S: Final = 600.0


class QueueError(TransientError):
    """A queue did not respond, or its output cannot be parsed; it may have executed the command."""


class QueueRefusal(QueueError):  # noqa: N818 - the queue's own response
    """A queue refused a job: nothing was submitted."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A queue's listing of this user's jobs.

    Attributes
    ----------
    asked_at : float
        Time of the request on the monotonic clock: jobs submitted later are not in it.
    jobs : mapping
        By id.
    """

    asked_at: float
    jobs: Mapping[str, QueueJob]

    def named(self, name: str) -> QueueJob | None:
        """Return the job with a name, if any."""
        return next((job for job in self.jobs.values() if job.name == name), None)


class Queue:
    """The queue of one pool.

    Parameters
    ----------
    pool : Pool
    log_folder : Path
        Folder for the output of its jobs.
    """

    def __init__(self, pool: Pool, log_folder: Path) -> None:
        self.pool, self.log_folder = pool, log_folder
        self._job_class = cluster_class(pool.kind).job_cls
        self._nodes: tuple[float, frozenset[str]] | None = None

    def request(self, barred: Collection[str] = ()) -> JobRequest:
        """Return the job request, excluding those of the given hosts that the queue knows."""
        excluded = tuple(sorted(self._known(barred))) if barred else ()
        return JobRequest(self.pool, self.log_folder, excluded)

    def submit(self, name: str, command: str, *, barred: Collection[str] = ()) -> str:
        """Submit a job that runs one command; return its id.

        Parameters
        ----------
        name : str
            Name of the job.
        command : str
            Shell command.
        barred : collection of str, default ()
            Names of nodes to exclude.

        Raises
        ------
        QueueRefusal
            If the queue refuses it.
        QueueError
            If the queue does not respond; the job may still appear under its name.
        """
        return self.submit_job(job_of(self.request(barred), name, command))

    def submit_job(self, job: Any) -> str:
        """Submit a dask-jobqueue job; return its id. Raises as `submit`."""
        # dask-jobqueue knows how to submit a script to each queue, but its own call has no time-out
        job._call = _call
        with job.job_file() as script:
            output = asyncio.run(job._submit_job(script))
        try:
            return str(job._job_id_from_submit_output(output))
        except ValueError as e:
            raise QueueError(f"{job.submit_command} returned no job id; its output: {output.strip()}") from e

    def list(self) -> Listed:
        """List this user's jobs.

        Raises
        ------
        QueueError
            If the queue does not respond.
        """
        asked_at = time.monotonic()
        try:
            return Listed(asked_at, list_jobs(self.pool.kind, run_command))
        except ValueError as e:
            raise QueueError(str(e), kind=self.pool.kind) from e

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs; ended jobs are not an error.

        Raises
        ------
        QueueError
            If the queue does not respond.
        """
        if job_ids:
            command = [*shlex.split(self._job_class.cancel_command), *job_ids]
            # queues report ended jobs in different ways; the next listing shows which have ended
            run_command(*command, unless="")

    def _known(self, hostnames: Collection[str]) -> frozenset[str]:
        """Return the hosts that are nodes of this queue: a job that excludes unknown hosts is refused."""
        if self._nodes is None or time.monotonic() - self._nodes[0] > _NODES_EVERY_S:
            try:
                self._nodes = time.monotonic(), list_nodes(self.pool.kind, run_command)
            except QueueError as e:
                _log.warning("cannot list the nodes of the queue: %s", e)
                return frozenset()
        return self._nodes[1] & frozenset(hostnames)


class BackgroundListing:
    """Lists a queue's jobs in a separate thread, so that a hanging queue blocks nothing.

    Parameters
    ----------
    queue : Queue
    every_s : float
        Interval between listings.
    """

    def __init__(self, queue: Queue, *, every_s: float = 2.0) -> None:
        self._queue, self._every_s = queue, every_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue-listing")
        self._under_way: Future[Listed] | None = None
        self._asked_at = float("-inf")
        self._last: Listed | None = None

    def look(self) -> Listed | None:
        """Return the last listing, None before the first; request another if it is old."""
        if self._under_way is not None and self._under_way.done():
            try:
                self._last = self._under_way.result()
            except QueueError as e:
                _log.warning("%s; using the last known state of jobs", e)
            self._under_way = None
        if self._under_way is None and time.monotonic() - self._asked_at >= self._every_s:
            self._asked_at = time.monotonic()
            self._under_way = self._thread.submit(self._queue.list)
        return self._last

    def close(self) -> None:
        """Stop listing."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Backoff:
    """Pause of submissions to a queue that refuses jobs, or whose jobs end at once; doubled each time.

    Parameters
    ----------
    first_s, longest_s : float
    clock : callable
        Monotonic, seconds.
    """

    def __init__(
        self, *, first_s: float = 15.0, longest_s: float = 600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self._next_s = first_s
        self._until = float("-inf")

    @property
    def is_over(self) -> bool:
        """Return whether the pause is over."""
        return self._clock() >= self._until

    def wait(self, reason: str) -> None:
        """Start a pause, and log the reason."""
        if self.is_over:
            _log.warning("%s; trying again in %.0f s", reason, self._next_s)
            self._until = self._clock() + self._next_s
            self._next_s = min(2 * self._next_s, self._longest_s)

    def forget(self) -> None:
        """It works."""
        self._next_s, self._until = self._first_s, float("-inf")


def log_folder_of(name: str, pool: Pool, lake: Lake) -> Path:
    """Return the folder that jobs of a pool write their output to; it exists.

    By default `work/logs/<pool>` in the folder of a lake, which compute nodes share; for a lake in a
    bucket, `alchemiscale-lake/logs/<pool>` in the user's folder for state.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    lake : Lake

    Raises
    ------
    SettingsError
        If it cannot be made, or its path cannot stand in a directive.
    """
    if pool.log_folder:
        folder = Path(pool.log_folder).expanduser()
    elif lake.local_path is not None:
        folder = lake.local_path / "work" / "logs" / name
    else:
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(state).expanduser() / "alchemiscale-lake" / "logs" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SettingsError(
            f"cannot make {folder} for the output of jobs ({e.strerror}); give pool {name} a log_folder", pool=name
        ) from e
    folder = folder.resolve()
    mistake = log_folder_mistake(pool.kind, str(folder))
    if mistake is not None:
        raise SettingsError(f"output of jobs of pool {name}: {mistake} as its log_folder", pool=name)
    return folder


def run_command(*command: str, unless: str | None = None) -> str:
    """Run a command of a queue; return its output.

    Parameters
    ----------
    *command : str
        Program and arguments.
    unless : str, optional
        Words on stderr with which a failure is accepted.

    Raises
    ------
    QueueError
        If it does not respond in time, does not exist, or fails, except with the words `unless` on stderr.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise QueueError(f"{command[0]} did not respond within {_PATIENCE_S:g} s", command=command[0]) from e
    except OSError as e:
        raise QueueError(f"{command[0]} cannot be run ({e.strerror}); is this a host of the queue?") from e
    if done.returncode != 0 and (unless is None or unless not in done.stderr):
        raise QueueError(f"{command[0]} failed: {done.stderr.strip()[-500:]}", command=command[0])
    return done.stdout


async def _call(command: Sequence[str], *, shell: bool = False) -> str:
    """Submit a job; return the output of the command."""
    # bsub reads the script through the shell, where dask-jobqueue would drop error messages
    line = command[0].removesuffix("2> /dev/null")
    name = shlex.split(line.partition("<")[0])[0]
    try:
        done = subprocess.run(
            line if shell else command,
            shell=shell,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise QueueError(f"{name} did not respond within {_PATIENCE_S:g} s", command=name) from e
    except OSError as e:
        raise QueueRefusal(f"{name} cannot be run ({e.strerror}); is this a host of the queue?", command=name) from e
    if done.returncode != 0:
        # a queue that is too busy to respond may still have accepted the job
        kind = QueueError if "timed out" in done.stderr.lower() else QueueRefusal
        raise kind(f"{name} failed: {done.stderr.strip()[-500:]}", command=name)
    return done.stdout
