"""Execution of an assignment: its attempts run concurrently as far as they fit, the rest afterwards."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..resources import Resources
from ..store import Lake
from .admission_queue import AdmissionQueue, Ticket, process_queue
from .assignment import Assignment, AttemptSpec
from .attempt import AttemptRun
from .folder import default_work_root, sweep
from .kept_lake import kept_lake
from .monitors import MonitoredLimits, is_set, process_sampler
from .stop_requests import is_asked_to_stop

__all__ = ["execute_assignment"]

_SWEEP_EVERY_S: Final = 3600.0


def execute_assignment(assignment: Assignment, *, stop: Callable[[str], bool] | None = None) -> list[str]:
    """Run the attempts of an assignment on this host.

    Attempts start in order, each as soon as its resources are free; the total never exceeds the resources of the
    process, however many threads call this. A Task that fails, crashes, hangs or cannot be imported leaves a failed
    receipt.

    Parameters
    ----------
    assignment : Assignment
    stop : callable, optional
        Called about once a second with the id of a running or waiting attempt. True stops it at once, without a
        receipt: it was cancelled, or its lease is lost. Default: `stopping.is_asked_to_stop`.

    Returns
    -------
    list of str
        Ids of the attempts that now have a receipt, in order. A missing attempt was stopped or refused, or could not
        read or write the lake; it left a `release.Release` if the lake accepted it, and its work folder is kept.

    Raises
    ------
    LakeError
        If the lake cannot be opened.
    """
    lake = kept_lake(assignment.lake)
    root = Path(assignment.work_root) if assignment.work_root else default_work_root(lake.local_path)
    _sweep_now_and_then(root)
    gate = process_queue()
    gate.grow(assignment.resources)
    with _measured(assignment) as limits:
        run = _Run(lake, assignment, root, gate, limits, stop)
        return run.all()


@dataclass(slots=True)
class _Run:
    lake: Lake
    assignment: Assignment
    root: Path
    gate: AdmissionQueue
    limits: MonitoredLimits | None
    stop: Callable[[str], bool] | None
    _finished: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _left: list[AttemptSpec] = field(default_factory=list)
    _abandoned: bool = False

    def all(self) -> list[str]:
        """Run all attempts; return those with a receipt."""
        self._left = list(self.assignment.attempts)
        # an attempt takes at least one core, so more could not run; one more thread keeps the next attempt ready
        threads = min(len(self._left), self.gate.capacity.cores + 1)
        if threads <= 1:
            self._work()
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="attempt") as pool:
                workers = [pool.submit(self._work) for _ in range(threads)]
                try:
                    for worker in workers:
                        worker.result()
                except BaseException:  # for example an interrupt: the pool would wait for the Tasks to finish
                    self._abandoned = True
                    raise
        return [spec.attempt for spec in self.assignment.attempts if spec.attempt in self._finished]

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            spec, ticket = turn
            with ticket:
                run = AttemptRun(self.lake, self.assignment, spec, self.root, self.gate, ticket, self._stop_of(spec))
                if run.run():
                    self._finished.add(spec.attempt)

    def _next(self) -> tuple[AttemptSpec, Ticket] | None:
        # take the next and queue it under one lock, so that they enter the queue in order
        with self._lock:
            if not self._left or self._abandoned:
                return None
            spec = self._left.pop(0)
            return spec, self.gate.queue(self._needs_of(spec), self.limits)

    def _needs_of(self, spec: AttemptSpec) -> Resources:
        if spec.resources is not None:
            return spec.resources
        given = self.assignment.resources
        # all GPUs means those that exist
        return Resources(given.cores, given.memory_bytes, min(given.gpus, self.gate.capacity.gpus))

    def _stop_of(self, spec: AttemptSpec) -> Callable[[str], bool]:
        def asked(attempt: str) -> bool:
            if self._abandoned:
                return True
            return self.stop(attempt) if self.stop is not None else is_asked_to_stop(self.lake, spec)

        return asked


@contextlib.contextmanager
def _measured(assignment: Assignment) -> Iterator[MonitoredLimits | None]:
    if not is_set(assignment.monitors):
        yield None
        return
    sampler = process_sampler()
    with sampler.watching(assignment.monitors.window_s):
        yield MonitoredLimits(assignment.monitors, sampler)


_swept: dict[Path, float] = {}


def _sweep_now_and_then(root: Path) -> None:
    now = time.monotonic()
    if now - _swept.get(root, -_SWEEP_EVERY_S) >= _SWEEP_EVERY_S:
        _swept[root] = now
        sweep(root)
