"""Assignments as futures of a Dask client, each pinned to the worker that the dispatcher chose.

Tracks workers and the assignments placed on them; `local_pool` and `jobqueue_pool` start the workers. The
worker itself, in `execution`, decides how many attempts it runs at a time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..dispatch.executor import Handle, Pending, Place
from ..errors import NotStartedError
from ..execution import Assignment, execute_assignment
from ..execution.host import hostname
from ..execution.stop_requests import ask_to_stop
from ..resources import Resources
from ..store import Lake

__all__ = ["DASK_SETTINGS", "DaskExecutor", "DaskHandle", "Scaling", "Worker", "threads_of"]

#: Attempts queued on a worker in addition to one per core, so that short ones leave no gaps.
_AHEAD = 32

#: Dask settings of our schedulers and workers.
DASK_SETTINGS: Mapping[str, Any] = {
    # a pinned assignment cannot move to another worker; the dispatcher decides who runs it next
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    # a ProtocolDAG runs in a separate process, so the worker has nothing to spill or to pause for
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.tick.limit": "1h",
    # fifty times a second, each scheduler, nanny and worker would measure how late it is
    "distributed.admin.tick.interval": "1s",
    # nobody looks at these profiles and charts, which cost a tenth of a worker's time
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    # these routes have no authentication
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@dataclass(frozen=True, slots=True)
class Worker:
    """A connected worker process.

    Attributes
    ----------
    address, name : str
        Address it listens on, and the name given when it was started.
    identity : str
        Distinguishes it from a later worker at the same address.
    hostname : str
    ends_in_s : float or None
        Time until the end of its job.
    attempts : int
        Number of unfinished attempts placed on it.
    """

    address: str
    name: str
    identity: str
    hostname: str
    ends_in_s: float | None
    attempts: int


class Scaling(Protocol):
    """Starts workers when there is work, and stops them when there is none."""

    def adjust(self, workers: Sequence[Worker], wanted: int, barred: Collection[str]) -> Collection[str]:
        """Start or stop workers. Return the addresses of workers that take attempts.

        Parameters
        ----------
        workers : sequence of Worker
            Workers that are connected.
        wanted : int
            Number of workers that the work would occupy.
        barred : collection of str
            Names of hosts that get no Tasks.
        """

    def pending(self) -> Pending:
        """Return the requested workers that have not started."""


def threads_of(capacity: Resources) -> int:
    """Return the number of threads of a worker: one per attempt that may run or wait there."""
    return capacity.cores + _AHEAD


class DaskHandle:
    """A dispatched assignment.

    Parameters
    ----------
    future : distributed.Future
    assignment : Assignment
    executor : DaskExecutor
    address, identity : str
        The worker it is pinned to.

    Attributes
    ----------
    takes : Resources
        Resources of the worker that its attempts use.
    n_attempts : int
    """

    __slots__ = ("_address", "_assignment", "_executor", "_future", "_identity", "n_attempts", "takes")

    def __init__(
        self, future: Any, assignment: Assignment, executor: DaskExecutor, *, address: str, identity: str
    ) -> None:
        self._future, self._assignment, self._executor = future, assignment, executor
        self._address, self._identity = address, identity
        self.n_attempts = len(assignment.attempts)
        self.takes = _sum(spec.resources or assignment.resources for spec in assignment.attempts)

    def done(self) -> bool:
        """Return whether it has run, or its worker is lost."""
        if not self._future.done() and not self._executor.is_connected(self._address, self._identity):
            # pinned to a worker that is gone, it would wait forever
            self._future.cancel()
        return bool(self._future.done())

    def exception(self) -> BaseException | None:
        """Return why it could not be run; None if it ran or its worker was lost, which is not the Task's fault."""
        if self._future.status != "error":
            return None
        error: BaseException | None = self._future.exception()
        return None if type(error).__name__ == "KilledWorker" else error

    def cancel(self) -> None:
        """Ask the worker to stop it; it is done once it has stopped."""
        for spec in self._assignment.attempts:
            # through the lake: there is no other way to reach a worker's thread
            ask_to_stop(self._executor.lake, spec)


class _Nowhere:
    """Handle of an assignment whose worker disappeared before it arrived."""

    def done(self) -> bool:
        return True

    def exception(self) -> NotStartedError:
        return NotStartedError("its worker disappeared before it arrived")

    def cancel(self) -> None:
        return None


class DaskExecutor:
    """Runs assignments on the workers of a Dask scheduler in this process.

    Parameters
    ----------
    client : distributed.Client
        Connected to a cluster whose scheduler runs in this process.
    lake : Lake
        Lake of the assignments; cancellation requests go through it.
    capacity : Resources
        Capacity of one worker.
    scaling : Scaling, optional
        Starts and stops workers; by default the set of workers is fixed.
    """

    durable = False
    whole_jobs = False

    def __init__(self, client: Any, lake: Lake, capacity: Resources, *, scaling: Scaling | None = None) -> None:
        self.lake = lake
        self._client, self._capacity, self._scaling = client, capacity, scaling
        self._scheduler = client.cluster.scheduler
        self._threads = threads_of(capacity)
        self._handles: dict[str, list[DaskHandle]] = defaultdict(list)
        self._first_seen: dict[str, float] = {}
        self._barred: frozenset[str] = frozenset()

    def places(self, workers: int) -> Sequence[Place]:
        """Return where attempts can start now: one place per connected worker that takes attempts."""
        self._forget_done()
        connected = self._connected()
        taking = {w.address for w in connected}
        if self._scaling is not None:
            taking = set(self._scaling.adjust(connected, workers, self._barred))
        return [self._place(w) for w in connected if w.address in taking and w.hostname not in self._barred]

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Handle:
        """Submit an assignment to one worker.

        Parameters
        ----------
        assignment : Assignment
            Attempts that one worker runs together, and their settings.
        name : str
            Readable name for logs.
        place : str
            Worker, as named by `Place`.
        """
        state = self._scheduler.workers.get(place)
        if state is None:
            return _Nowhere()
        key = f"assignment-{assignment.attempts[0].attempt}"
        future = self._client.submit(
            execute_assignment, assignment, key=key, pure=False, workers=[place], allow_other_workers=False
        )
        handle = DaskHandle(future, assignment, self, address=place, identity=str(state.server_id))
        self._handles[place].append(handle)
        return handle

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Handle]:
        """Return nothing: assignments of this engine end with their dispatcher."""
        return {}

    def pending(self) -> Pending:
        """Return the requested workers that have not started."""
        return Pending() if self._scaling is None else self._scaling.pending()

    def retire(self, hostnames: Collection[str]) -> None:
        """Exclude these hosts."""
        self._barred = frozenset(hostnames)

    def is_connected(self, address: str, identity: str) -> bool:
        """Return whether this worker, and not another at the same address, is connected.

        Parameters
        ----------
        address : str
            Address of the worker.
        identity : str
            Identifier of its process.
        """
        # the scheduler is in this process, and one dict look-up needs no lock
        state = self._scheduler.workers.get(address)
        return state is not None and state.server_id == identity

    def _forget_done(self) -> None:
        for address in list(self._handles):
            self._handles[address] = [handle for handle in self._handles[address] if not handle.done()]
            if not self._handles[address]:
                del self._handles[address]

    def _connected(self) -> list[Worker]:
        states = self._client.sync(self._states)
        here, now = hostname(), time.monotonic()
        self._first_seen = {str(s.server_id): self._first_seen.get(str(s.server_id), now) for s in states}
        found = []
        for state in states:
            # a worker that does not report its host was started by this process, on this machine
            ends_in_s = state.extra.get("job_ends_in_s")
            seen_s = now - self._first_seen[str(state.server_id)]
            worker = Worker(
                address=state.address,
                name=str(state.name),
                identity=str(state.server_id),
                hostname=state.extra.get("hostname") or here,
                ends_in_s=None if ends_in_s is None else ends_in_s - seen_s,
                attempts=sum(handle.n_attempts for handle in self._handles.get(state.address, ())),
            )
            found.append(worker)
        return sorted(found, key=lambda w: w.name)

    async def _states(self) -> list[Any]:
        # in the scheduler's own thread, which changes its collections
        return [state for state in self._scheduler.workers.values() if state.status.name == "running"]

    def _place(self, worker: Worker) -> Place:
        free = self._capacity.minus(_sum(handle.takes for handle in self._handles.get(worker.address, ())))
        memory = None if free.memory_bytes is None else max(0, free.memory_bytes)
        return Place(
            name=worker.address,
            capacity=self._capacity,
            free=Resources(max(0, free.cores), memory, free.gpus),
            slots=max(0, self._threads - worker.attempts),
            hostname=worker.hostname,
            ends_in_s=worker.ends_in_s,
        )


def _sum(needs: Iterable[Resources]) -> Resources:
    cores, memory, gpus = 0, 0, 0.0
    for each in needs:
        cores, memory, gpus = cores + each.cores, memory + (each.memory_bytes or 0), gpus + each.gpus
    return Resources(cores, memory, gpus)
