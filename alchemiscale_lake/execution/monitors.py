"""Live measurements of this host, and their limits.

`admission_queue` accounts for declared resources; this module measures actual use. It measures the whole host, so
other users' processes count. It measures only while a limit is being watched.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil

from ..settings import Monitors
from .gpus import list_gpus

__all__ = ["GpuUse", "MonitoredLimits", "Sample", "Sampler", "is_set", "process_sampler"]

#: Interval of measurements, unless a window is too short for it.
_PERIOD_S: Final = 5.0
_PER_WINDOW: Final = 4


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Fractions in use of one GPU, None if the driver does not report them.

    Attributes
    ----------
    utilisation : float or None
        Fraction of time in use, within [0, 1].
    memory : float or None
        Fraction of the memory in use, within [0, 1].
    """

    utilisation: float | None
    memory: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Fractions in use at one moment (`at` as of `time.monotonic`); GPUs by index and by UUID.

    Attributes
    ----------
    at : float
        Time, as of `time.monotonic`.
    cpu : float
        Fraction of the CPU time in use, within [0, 1].
    memory : float
        Fraction of the memory in use, within [0, 1].
    gpus : mapping of str to GpuUse
        By index and by UUID.
    """

    at: float
    cpu: float
    memory: float
    gpus: Mapping[str, GpuUse] = field(default_factory=dict)


def measure() -> Sample:
    """Measure now; CPU use since the last call in this thread."""
    gpus: dict[str, GpuUse] = {}
    for gpu in list_gpus():
        used, whole = gpu.used_bytes, gpu.memory_bytes
        use = GpuUse(gpu.utilisation, None if used is None or not whole else used / whole)
        gpus |= dict.fromkeys((gpu.index, gpu.uuid, *gpu.instances), use)
    cpu = psutil.cpu_percent(interval=None) / 100
    return Sample(time.monotonic(), cpu, psutil.virtual_memory().percent / 100, gpus)


class Sampler:
    """Measures every few seconds, in a thread of its own, while it is watched."""

    def __init__(self, measure: Callable[[], Sample] = measure) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._samples: deque[Sample] = deque()
        self._windows: list[float] = []
        self._end = threading.Event()

    @contextmanager
    def watching(self, window_s: float) -> Iterator[None]:
        """Measure within the block, and keep the last `window_s` seconds."""
        with self._lock:
            if not self._windows:
                self._samples.clear()
                self._end = threading.Event()
                thread = threading.Thread(target=self._run, args=(self._end,), name="monitors", daemon=True)
                thread.start()
            self._windows.append(window_s)
        try:
            yield
        finally:
            with self._lock:
                self._windows.remove(window_s)
                if not self._windows:
                    self._end.set()

    def since(self, at: float) -> list[Sample]:
        """Return the samples from this time on."""
        with self._lock:
            return [sample for sample in self._samples if sample.at >= at]

    def _run(self, end: threading.Event) -> None:
        psutil.cpu_percent(interval=None)  # the first of a thread is always 0
        pause_s = 0.1
        while not end.wait(pause_s):
            sample = self._measure()
            with self._lock:
                if end.is_set():
                    return
                self._samples.append(sample)
                longest = max(self._windows)
                while self._samples[0].at < sample.at - longest:
                    self._samples.popleft()
                pause_s = min(_PERIOD_S, *(window / _PER_WINDOW for window in self._windows))


class MonitoredLimits:
    """Limits of one pool, compared with the averages of a sampler.

    A fraction of a GPU is allocated beside another only after a whole window since the last start on that device, so
    that the needs of the former are visible. A device without measurements has no limits.

    Parameters
    ----------
    monitors : Monitors
    sampler : Sampler
    """

    def __init__(self, monitors: Monitors, sampler: Sampler) -> None:
        self._monitors, self._sampler = monitors, sampler

    def host(self) -> str | None:
        """Return why nothing more may be started on this host, None if it may."""
        limits = {"memory": self._monitors.memory, "cpu": self._monitors.cpu}
        if not any(limits.values()):
            return None
        samples = self._sampler.since(time.monotonic() - self._monitors.window_s)
        if not samples:
            return "memory and CPU of this host are not measured yet"
        return self._over({name: _mean([getattr(s, name) for s in samples]) for name in limits}, limits)

    def device(self, name: str, last_start: float) -> str | None:
        """Return why nothing more may be started on this device, None if it may.

        Parameters
        ----------
        name : str
            Index or UUID of the GPU.
        last_start : float
            Time at which something was last started, as of `time.monotonic`.
        """
        monitors, now = self._monitors, time.monotonic()
        limits = {"GPU utilisation": monitors.gpu_utilisation, "GPU memory": monitors.gpu_memory}
        if not any(limits.values()):
            return None
        samples = self._sampler.since(now - monitors.window_s)
        uses = [use for s in samples if s.at >= last_start and (use := _use_of(name, s.gpus)) is not None]
        if now - last_start < monitors.window_s or not uses:
            if samples and _use_of(name, samples[-1].gpus) is None:
                return None
            return f"GPU {name} has not been measured long enough to know what its last attempt needs"
        means = {
            "GPU utilisation": _mean([use.utilisation for use in uses]),
            "GPU memory": _mean([use.memory for use in uses]),
        }
        return self._over(means, limits)

    def _over(self, means: Mapping[str, float | None], limits: Mapping[str, float | None]) -> str | None:
        for name, limit in limits.items():
            mean = means[name]
            if limit is not None and mean is not None and mean > limit:
                window_s = self._monitors.window_s
                return f"{name} {mean:.0%} in use over the last {window_s:g} s; the pool's limit is {limit:.0%}"
        return None


def is_set(monitors: Monitors) -> bool:
    """Return whether any limit is set."""
    return any((monitors.gpu_utilisation, monitors.gpu_memory, monitors.memory, monitors.cpu))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _use_of(name: str, gpus: Mapping[str, GpuUse]) -> GpuUse | None:
    if name in gpus:
        return gpus[name]
    # CUDA accepts a prefix of a UUID
    found = [use for full, use in gpus.items() if name.startswith("GPU-") and full.startswith(name)]
    return found[0] if len(found) == 1 else None


_sampler = Sampler()


def process_sampler() -> Sampler:
    """Return the sampler of this process."""
    return _sampler
