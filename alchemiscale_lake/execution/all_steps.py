"""All steps of a ProtocolDAG in one process: plan, units one after the other, finish.

Forking costs more than a short unit, so an attempt starts like this where its units would run one at a time anyway.
Every unit still has its own run folder, output, outcome and resource use. The process ends early, and `unit_runs`
gives every further unit a process of its own, if a unit fails, or leaves behind what could affect the next one.
`shared_process` supervises it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from . import child
from .executions import Execution, PlannedUnit, write_record
from .process_tree import children_of
from .scratch_files import set_aside
from .steps import assemble, create_plan, execute

__all__ = ["ALL", "STARTED", "may_share", "perform_all"]

#: Name of the step.
ALL: Final = "all"
#: File in the run folder of a unit with the time of its start.
STARTED: Final = "started.txt"
#: A unit that leaves the process larger by more than this ends it, bytes.
_GROWTH_BYTES: Final = 256 * 2**20
_PR_SET_CHILD_SUBREAPER: Final = 36
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
#: Files of GPU drivers: whoever has one open may hold memory of the device.
_DEVICES: Final = ("/dev/nvidia", "/dev/kfd", "/dev/dri")


def perform_all(request: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Perform the steps as far as they may share this process; return outcome and exit code.

    A unit's own outcome is in its run folder, with `duration_s`, `cpu_time_s` and `peak_memory_bytes`.

    Parameters
    ----------
    request : dict
        See `child.run`. Its arguments are `folder`, `provenance`, `finish` (name of the run folder of the last step),
        `serial`, `unit_classes` and `protocols` (see `may_share`), and `scratch_patterns` (files of scratch folders to
        keep, by class of Protocol; `*`: any other class).
    """
    arguments = request["arguments"]
    work = Path(arguments["folder"])
    transformation, dag, rows = create_plan(work, arguments["provenance"])
    plan = [PlannedUnit(**{**row, "needs": tuple(row["needs"])}) for row in rows]
    if not may_share(
        plan,
        type(transformation.protocol).__qualname__,
        serial=arguments["serial"],
        unit_classes=arguments["unit_classes"],
        protocols=arguments["protocols"],
    ):
        return {"ok": True}, 0
    if sys.platform == "linux":
        # what a unit leaves running becomes a child of this process, which then notices it
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    units = {str(unit.key): unit for unit in dag.protocol_units}
    results: dict[str, Any] = {}
    before = _Traces.now()
    keep, protocol = arguments["scratch_patterns"], type(transformation.protocol).__qualname__
    keep = keep.get(protocol, keep.get("*", []))
    for planned in plan:
        result, code = _unit(request, work, planned, units[planned.key], results, keep)
        if result is None:
            return {"ok": True}, code
        results[planned.key] = result
        if len(results) < len(plan) and _Traces.now().exceed(before):
            return {"ok": True}, 0
    run = work / "runs" / arguments["finish"]
    run.mkdir()
    child.restore(request)
    child.enter(run, run)
    ordered = [results[planned.key] for planned in plan]
    return {"ok": True}, child.perform(lambda: assemble(transformation, dag, ordered, run), run)


def may_share(
    plan: Sequence[PlannedUnit],
    protocol: str,
    *,
    serial: bool,
    unit_classes: Sequence[str],
    protocols: Mapping[str, bool],
) -> bool:
    """Return whether the units of a plan may run in one process.

    Parameters
    ----------
    plan : sequence of PlannedUnit
    protocol : str
        Class of the Protocol.
    serial : bool
        Whether the resources allow only one unit at a time.
    unit_classes : sequence of str
        Classes of units with declared needs, which get a process with these resources.
    protocols : mapping of str to bool
        Whether each unit requires its own process, by class of Protocol; `*`: any other class.
    """
    if protocols.get(protocol, protocols.get("*", False)):
        return False
    if not {unit.qualname for unit in plan}.isdisjoint(unit_classes):
        return False
    return serial or _is_chain(plan)


def _is_chain(plan: Sequence[PlannedUnit]) -> bool:
    """Return whether never more than one unit is ready."""
    done: set[str] = set()
    while len(done) < len(plan):
        ready = [unit.key for unit in plan if unit.key not in done and done.issuperset(unit.needs)]
        if len(ready) != 1:
            return False
        done.update(ready)
    return True


def _unit(
    request: dict[str, Any],
    work: Path,
    planned: PlannedUnit,
    unit: Any,
    results: Mapping[str, Any],
    keep: Sequence[str],
) -> tuple[Any, int]:
    """Execute a unit in its own folders; return its good result, or None, and the exit code."""
    label = f"{planned.label}-1"
    run, shared, scratch = work / "runs" / label, work / "shared" / planned.label, work / "scratch" / label
    for folder in (run, shared, scratch):
        folder.mkdir()
    started_at = datetime.now(UTC)
    (run / STARTED).write_text(started_at.isoformat())
    child.restore(request)
    child.enter(run, scratch)
    good = None
    use = _Use.now()

    def step() -> dict[str, Any]:
        nonlocal good
        result, outcome = execute(unit, results, run, work, shared=shared, scratch=scratch)
        good = result if outcome["ok"] else None
        return outcome

    def used() -> dict[str, Any]:
        spent = use.until_now()
        if good is not None:
            # before the outcome: once the supervisor sees that, it may die
            write_record(run, _record(planned, label, started_at, **spent))
        return spent

    code = child.perform(step, run, used=used)
    os.chdir(run)
    set_aside(scratch, keep, work / "kept" / label)
    shutil.rmtree(scratch, ignore_errors=True)
    return good, code


def _record(
    planned: PlannedUnit,
    label: str,
    started_at: datetime,
    *,
    duration_s: float,
    cpu_time_s: float,
    peak_memory_bytes: int,
) -> Execution:
    return Execution(
        unit=planned.key,
        try_number=1,
        name=planned.name,
        qualname=planned.qualname,
        label=label,
        ok=True,
        exception=None,
        traceback=None,
        started_at=started_at.isoformat(),
        ended_at=(started_at + timedelta(seconds=duration_s)).isoformat(),
        exit_code=0,
        cpu_time_s=cpu_time_s,
        peak_memory_bytes=peak_memory_bytes,
        result=f"results/{planned.key}.json",
    )


@dataclass(frozen=True, slots=True)
class _Use:
    """Resources used by this process and its children so far."""

    at_s: float
    cpu_time_s: float
    children_bytes: int

    @classmethod
    def now(cls) -> _Use:
        with contextlib.suppress(OSError):
            # forget the peak of earlier units
            Path("/proc/self/clear_refs").write_text("5")
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(time.monotonic(), _cpu_time_s(), children.ru_maxrss)

    def until_now(self) -> dict[str, Any]:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "duration_s": time.monotonic() - self.at_s,
            "cpu_time_s": _cpu_time_s() - self.cpu_time_s,
            # of children, only the largest so far is known
            "peak_memory_bytes": 1024 * max(own, children if children > self.children_bytes else 0),
        }


def _cpu_time_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@dataclass(frozen=True, slots=True)
class _Traces:
    """State that a unit may leave behind in its process."""

    memory_bytes: int
    threads: int
    unusable: bool

    @classmethod
    def now(cls) -> _Traces:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        closed = any(stream is None or stream.closed for stream in (sys.__stdout__, sys.__stderr__))
        return cls(pages * _PAGE_BYTES, threading.active_count(), closed or bool(_children()) or _uses_gpu())

    def exceed(self, before: _Traces) -> bool:
        grown = self.memory_bytes - before.memory_bytes > _GROWTH_BYTES
        return grown or self.threads > before.threads or self.unusable


def _children() -> list[int]:
    found = children_of(os.getpid())
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in path.read_text().split()]
    return found


def _uses_gpu() -> bool:
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            targets.append(str(descriptor.readlink()))
    return any(target.startswith(_DEVICES) for target in targets)
