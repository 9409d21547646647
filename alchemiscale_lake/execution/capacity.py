"""Capacity of a worker or an attempt: cores, memory and named devices, allocated and released.

A fraction of a GPU is on one device, packed as tightly as possible; whole GPUs are whole devices. `admission_queue` and
`unit_runs` decide the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..resources import Resources

__all__ = ["Allocation", "Capacity"]

#: A whole device. An integer, since fractions are added and subtracted thousands of times.
_WHOLE: Final = 1_000_000
#: Compensates for the rounding of floats, and no more.
_SLACK: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Allocation:
    """An allocation: resources, and fractions of devices.

    Attributes
    ----------
    resources : Resources
        Cores, memory and GPUs.
    parts : tuple of tuple of str, int, default ()
        Index or UUID of each device, and the share taken of it in the unit of `Capacity.parts`.
    """

    resources: Resources
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the names of its devices."""
        return tuple(name for name, _ in self.parts)


@dataclass(slots=True)
class Capacity:
    """Free capacity. `memory_bytes` None: not counted.

    Attributes
    ----------
    cores : int
        Free cores.
    memory_bytes : int or None
        Free memory; None if it is not counted.
    parts : dict of str to int
        Free share of each device.
    """

    cores: int
    memory_bytes: int | None
    parts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_worker(cls, resources: Resources, devices: Sequence[str] | None) -> Capacity:
        """Return the capacity of a worker with these resources and devices.

        Without a list of devices, its GPUs are numbered from 0.

        Parameters
        ----------
        resources : Resources
            Resources of the worker.
        devices : sequence of str or None
            Indices or UUIDs of its GPUs; None numbers them from 0.
        """
        names = [str(n) for n in range(math.ceil(resources.gpus))] if devices is None else list(devices)
        left, parts = _micro(resources.gpus), {}
        for name in names:
            part = min(left, _WHOLE)
            if part > 0:
                parts[name] = part
            left -= part
        return cls(resources.cores, resources.memory_bytes, parts)

    @classmethod
    def of_allocation(cls, allocation: Allocation) -> Capacity:
        """Return the capacity within an allocation."""
        return cls(allocation.resources.cores, allocation.resources.memory_bytes, dict(allocation.parts))

    @property
    def resources(self) -> Resources:
        """Return the free capacity as resources."""
        return Resources(self.cores, self.memory_bytes, sum(self.parts.values()) / _WHOLE)

    def copy(self) -> Capacity:
        """Return a copy for trial allocations."""
        return Capacity(self.cores, self.memory_bytes, dict(self.parts))

    def lacking(self, needs: Resources, avoid: Callable[[str], bool] | None = None) -> frozenset[str]:
        """Return which of cores, memory and gpus do not suffice.

        Parameters
        ----------
        needs : Resources
            Resources to allocate.
        avoid : callable, optional
            Whether a device must not be used.
        """
        lacks = set()
        if needs.cores > self.cores:
            lacks.add("cores")
        if self.memory_bytes is not None and (needs.memory_bytes or 0) > self.memory_bytes:
            lacks.add("memory")
        if self._place(needs.gpus, avoid) is None:
            lacks.add("gpus")
        return frozenset(lacks)

    def take(self, needs: Resources, avoid: Callable[[str], bool] | None = None) -> Allocation | None:
        """Allocate, on none of the devices to `avoid`; return None if there is not enough.

        Parameters
        ----------
        needs : Resources
            Resources to allocate.
        avoid : callable, optional
            Whether a device must not be used.
        """
        parts = self._place(needs.gpus, avoid)
        if parts is None or self.lacking(needs, avoid):
            return None
        self._add(needs, parts, -1)
        return Allocation(needs, tuple(parts.items()))

    def occupy(self, allocation: Allocation) -> None:
        """Allocate exactly this allocation unconditionally, since it exists already."""
        self._add(allocation.resources, dict(allocation.parts), -1)

    def release(self, allocation: Allocation) -> None:
        """Release an allocation."""
        self._add(allocation.resources, dict(allocation.parts), 1)

    def reserve(self, needs: Resources) -> None:
        """Reserve what is available of this for an attempt that waits for the rest."""
        lacks = self.lacking(needs)
        gpus = 0.0 if "gpus" in lacks else needs.gpus
        cores = 0 if "cores" in lacks else needs.cores
        memory = None if "memory" in lacks else needs.memory_bytes
        self.take(Resources(cores, memory, gpus))

    def _add(self, needs: Resources, parts: dict[str, int], sign: int) -> None:
        self.cores += sign * needs.cores
        if self.memory_bytes is not None:
            self.memory_bytes += sign * (needs.memory_bytes or 0)
        for name, part in parts.items():
            self.parts[name] += sign * part

    def _place(self, gpus: float, avoid: Callable[[str], bool] | None) -> dict[str, int] | None:
        whole, rest = divmod(_micro(gpus), _WHOLE)
        free = {name: part for name, part in self.parts.items() if avoid is None or not avoid(name)}
        placed = {}
        for name in [name for name, part in free.items() if part == _WHOLE][:whole]:
            placed[name] = free.pop(name)
        if len(placed) < whole:
            return None
        if rest:
            # the fullest device with room: whole devices stay for those who need them
            best = min((name for name, part in free.items() if part >= rest), key=free.__getitem__, default=None)
            if best is None:
                return None
            placed[best] = rest
        return placed


def _micro(gpus: float) -> int:
    # round down: six sixths are one device, not more
    return math.floor(gpus * _WHOLE + _SLACK)
