"""Resources needed by a Task or provided by a worker: cores, memory, GPUs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Resources"]

#: Tolerance for fractions of a GPU that add up to one.
_GPU_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Resources:
    """Cores, memory and GPUs, needed or available.

    Parameters
    ----------
    cores : int
        Units run concurrently within these; each gets its share in `OMP_NUM_THREADS` and the like.
    memory_bytes : int or None
        None: not counted.
    gpus : float
        GPUs; below one, a fraction of a GPU.
    """

    cores: int = 1
    memory_bytes: int | None = None
    gpus: float = 0.0

    def fits_in(self, free: Resources) -> bool:
        """Return whether this fits into `free`. Memory is ignored if either is not counted."""
        memory = self.memory_bytes is None or free.memory_bytes is None or self.memory_bytes <= free.memory_bytes
        return memory and self.cores <= free.cores and self.gpus <= free.gpus + _GPU_SLACK

    def minus(self, used: Resources) -> Resources:
        """Return the remainder after subtracting `used`."""
        memory = None if self.memory_bytes is None else self.memory_bytes - (used.memory_bytes or 0)
        return Resources(self.cores - used.cores, memory, max(0.0, self.gpus - used.gpus))

    def share_of(self, whole: Resources) -> float:
        """Return the largest fraction of `whole` that this takes; infinite if it does not fit."""
        if not self.fits_in(whole):
            return float("inf")
        shares = [self.cores / max(whole.cores, 1)]
        if whole.gpus > 0:
            shares.append(self.gpus / whole.gpus)
        if self.memory_bytes is not None and whole.memory_bytes:
            shares.append(self.memory_bytes / whole.memory_bytes)
        return max(shares)
