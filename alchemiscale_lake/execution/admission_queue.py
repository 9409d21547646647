"""The admission queue of a process: all attempts pass it, whoever started them.

Whatever a dispatcher does, and however many threads call, no more runs than the process has resources for. First come,
first served: a later attempt overtakes a waiting one only if it cannot delay it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from ..resources import Resources
from .capacity import Allocation, Capacity
from .gpus import visible_devices

__all__ = ["AdmissionLimits", "AdmissionQueue", "Ticket", "process_queue"]


class AdmissionLimits(Protocol):
    """Limits on starting something beside what is already running; see `monitors`."""

    def host(self) -> str | None:
        """Return why nothing more may be started on this host, None if it may."""

    def device(self, name: str, last_start: float) -> str | None:
        """Return why no more may be started on this device, None if it may; `last_start` as of `time.monotonic`.

        Parameters
        ----------
        name : str
            Index or UUID of the GPU.
        last_start : float
            Time at which something was last started, as of `time.monotonic`.
        """


@dataclass(eq=False, slots=True)
class Ticket:
    """A place in the queue, later an allocation. As a context manager, gives up either on exit.

    Attributes
    ----------
    needs : Resources
        Resources to wait for.
    allocation : Allocation or None
        The allocation, once admitted.
    held : str or None
        The limit that keeps it waiting although there is capacity.
    held_at : float or None
        Since when, as of `time.monotonic`.
    """

    needs: Resources
    _gate: AdmissionQueue
    _limits: AdmissionLimits | None = None
    allocation: Allocation | None = None
    held: str | None = None
    held_at: float | None = field(default=None, init=False)
    _admitted: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    @property
    def is_first(self) -> bool:
        """Return whether no other attempt waits before it."""
        return self._gate._is_first(self)

    def wait(self, timeout_s: float) -> Allocation | None:
        """Wait for the allocation, at most this long."""
        return self._gate._wait(self, timeout_s)

    def wake(self) -> None:
        """End the wait, and every later one: there is news for whoever waits."""
        self._admitted.set()

    def leave(self) -> None:
        """Release the allocation, or leave the queue; idempotent."""
        self._gate._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


class AdmissionQueue:
    """Capacity of one process, and its admission queue.

    Parameters
    ----------
    devices : callable
        Returns the names of the devices, None if unknown: then the declared number is used. Called once, when the
        first GPU is declared.
    """

    def __init__(self, devices: Callable[[], list[str] | None] = visible_devices) -> None:
        self._ask_devices = devices
        self._lock = threading.RLock()
        self._capacity: Resources | None = None
        self._devices: list[str] | None = None
        self._asked = False
        self._seated: set[Ticket] = set()
        self._queue: list[Ticket] = []
        self._started: dict[str, float] = {}

    def grow(self, resources: Resources) -> None:
        """Declare the resources of the process; if declared several times, the maximum counts."""
        with self._lock:
            if resources.gpus > 0 and not self._asked:
                self._devices, self._asked = self._ask_devices(), True
            self._capacity = resources if self._capacity is None else _largest(self._capacity, resources)
            self._admit()

    @property
    def capacity(self) -> Resources:
        """Return the total capacity."""
        with self._lock:
            return self._whole().resources

    @property
    def free(self) -> Resources:
        """Return the free capacity."""
        with self._lock:
            return self._room().resources

    def too_big(self, needs: Resources) -> str | None:
        """Return which of these needs exceed the total capacity, None if they fit."""
        with self._lock:
            whole = self._whole()
            lacks = whole.lacking(needs)
        if not lacks:
            return None
        return f"needs {_words(needs)}; this worker has {_words(whole.resources)}"

    def queue(self, needs: Resources, limits: AdmissionLimits | None = None) -> Ticket:
        """Join the end of the queue.

        Parameters
        ----------
        needs : Resources
            Resources to wait for.
        limits : AdmissionLimits, optional
            Further conditions for the start; by default, none.
        """
        ticket = Ticket(needs, self, limits)
        with self._lock:
            self._queue.append(ticket)
            self._admit()
        return ticket

    def _wait(self, ticket: Ticket, timeout_s: float) -> Allocation | None:
        with self._lock:
            if ticket.allocation is None and self._is_first(ticket):
                # limits change without notification; one of those who wait asks for all
                self._admit()
            if ticket.allocation is not None:
                return ticket.allocation
        # an event of its own: each of many waiting attempts would otherwise wake up for every one that starts
        ticket._admitted.wait(timeout_s)
        return ticket.allocation

    def _is_first(self, ticket: Ticket) -> bool:
        with self._lock:
            return bool(self._queue) and self._queue[0] is ticket

    def _leave(self, ticket: Ticket) -> None:
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._seated.discard(ticket)
            self._admit()

    def _whole(self) -> Capacity:
        return Capacity.of_worker(self._capacity or Resources(cores=0), self._devices)

    def _room(self) -> Capacity:
        room = self._whole()
        for ticket in self._seated:
            assert ticket.allocation is not None
            room.occupy(ticket.allocation)
        return room

    def _admit(self) -> None:
        """Admit attempts in order; the module docstring has the rule for overtaking."""
        whole, room, short = self._whole(), self._room(), frozenset[str]()
        for ticket in list(self._queue):
            if whole.lacking(ticket.needs):
                # it can never start: it must not block others until its owner notices
                continue
            lacks = room.lacking(ticket.needs)
            if lacks or _uses(ticket.needs) & short:
                # attempts behind it get neither what it waits for nor what is reserved for it
                short |= lacks
                room.reserve(ticket.needs)
                ticket.held = ticket.held_at = None
                continue
            if not self._allocate(ticket, room):
                # a limit that forbids this one forbids all
                return

    def _allocate(self, ticket: Ticket, room: Capacity) -> bool:
        limits = ticket._limits if self._seated else None
        reasons: list[str] = []

        def objects(name: str) -> bool:
            busy = any(name in other.allocation.devices for other in self._seated if other.allocation)
            reason = limits.device(name, self._started[name]) if limits is not None and busy else None
            reasons.extend([reason] if reason else [])
            return reason is not None

        reason = limits.host() if limits is not None else None
        allocation = room.take(ticket.needs, objects if ticket.needs.gpus else None) if reason is None else None
        if allocation is None:
            ticket.held = reason or (reasons[0] if reasons else None)
            ticket.held_at = ticket.held_at or time.monotonic()
            return False
        self._queue.remove(ticket)
        self._seated.add(ticket)
        ticket.allocation, ticket.held = allocation, None
        self._started |= dict.fromkeys(allocation.devices, time.monotonic())
        ticket._admitted.set()
        return True


def _largest(one: Resources, other: Resources) -> Resources:
    memory = [m for m in (one.memory_bytes, other.memory_bytes) if m is not None]
    return Resources(max(one.cores, other.cores), max(memory, default=None), max(one.gpus, other.gpus))


def _uses(needs: Resources) -> frozenset[str]:
    used = {"cores": needs.cores, "memory": needs.memory_bytes, "gpus": needs.gpus}
    return frozenset(name for name, amount in used.items() if amount)


def _words(resources: Resources) -> str:
    memory = "" if resources.memory_bytes is None else f", {resources.memory_bytes / 2**30:.3g} GiB"
    return f"{resources.cores} cores{memory}, {resources.gpus:g} GPUs"


_gates: dict[int, AdmissionQueue] = {}
_gates_lock = threading.Lock()


def process_queue() -> AdmissionQueue:
    """Return the admission queue of this process."""
    with _gates_lock:
        # by process id: a fork has its own work
        return _gates.setdefault(os.getpid(), AdmissionQueue())
