"""CPU time of the processes below a command, by part of the system, sampled while it runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["PARTS", "Accounting", "Sample"]

#: Parts by a word in the command line of their process; the first that matches counts.
_WORDS: Final = {
    "execution.fork_server": "fork_server",
    "prefect": "prefect",
    "spawn_main": "worker",
    "alchemiscale_lake dispatch": "dispatcher",
}
#: `steps` are the processes of Protocol code, below the fork server.
PARTS: Final = (*sorted({*_WORDS.values()}), "steps", "other")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU time so far.

    Attributes
    ----------
    at_s : float
        Time, as of `time.monotonic`.
    done : int
        Number of Tasks done by then.
    cpu_s : dict of str to float
        CPU time by part, s.
    """

    at_s: float
    done: int
    cpu_s: dict[str, float]


class Accounting:
    """Samples the processes below `root` in a thread of its own, within its block.

    Parameters
    ----------
    root : int
        Process id of the command.
    count : callable
        Returns the number of Tasks done so far.
    every_s : float, default 0.5
        Interval, s.

    Attributes
    ----------
    samples : list of Sample
    """

    def __init__(self, root: int, count: Callable[[], int], every_s: float = 0.5) -> None:
        self.samples: list[Sample] = []
        self._root, self._count, self._every_s = root, count, every_s
        # a process that has ended keeps what it had used; `steps` are counted by their parent
        self._seen: dict[int, tuple[str, float, float]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def per_task(self, skip: int) -> dict[str, float]:
        """Return the wall and CPU time per Task, ms, from the Task after `skip` to the last: without start and end.

        Parameters
        ----------
        skip : int
            Number of Tasks whose time is not counted.
        """
        first = next(sample for sample in self.samples if sample.done >= skip)
        last = next(sample for sample in self.samples if sample.done == self.samples[-1].done)
        n = last.done - first.done
        cpu = {part: 1000 * (last.cpu_s[part] - first.cpu_s[part]) / n for part in PARTS}
        return {"wall": 1000 * (last.at_s - first.at_s) / n, "cpu": sum(cpu.values()), **cpu}

    def _run(self) -> None:
        while not self._end.wait(self._every_s):
            self._look()
            parts = dict.fromkeys(PARTS, 0.0)
            for part, own_s, waited_s in self._seen.values():
                parts[part] += own_s
                parts["steps"] += waited_s
            self.samples.append(Sample(time.monotonic(), self._count(), parts))

    def _look(self) -> None:
        processes = {int(entry.name): _read(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        parents = {pid: found[0] for pid, found in processes.items() if found is not None}
        for pid, found in processes.items():
            if found is None or not _is_below(pid, self._root, parents):
                continue
            part = _part_of(found[3])
            if _part_of((processes.get(found[0]) or (0, 0, 0, ""))[3]) == "fork_server":
                continue  # a step, which its parent counts at its end
            waited_s = found[2] if part == "fork_server" else 0.0
            self._seen[pid] = (part, found[1], waited_s)


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid > 1 and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


def _part_of(command: str) -> str:
    return next((part for word, part in _WORDS.items() if word in command), "other")


def _read(entry: Path) -> tuple[int, float, float, str] | None:
    """Return parent, own CPU time, that of children it waited for, and command line of a process."""
    try:
        fields: list[Any] = (entry / "stat").read_text().rpartition(")")[2].split()
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return int(fields[1]), own / _TICKS_PER_S, waited / _TICKS_PER_S, command
