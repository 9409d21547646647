"""The units of one ProtocolDAG: order, concurrency within the attempt's allocation, retries."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..errors import ExecutionError
from ..resources import Resources
from ..settings import FileRules
from .capacity import Allocation, Capacity
from .executions import Execution, PlannedUnit, UnitPlan, has_record, write_record
from .host_faults import says_full
from .launcher import HEAR_S, Launched, Launcher, StepOutcome, end_all
from .scratch_files import set_aside
from .steps import RESULT, task_token
from .watch import Cut, Watch

__all__ = ["UnitRules", "UnitRuns", "UnitsEnding"]

#: Number of free reruns of steps lost because the fork server died: the first time other attempts may have ended it,
#: later ones served only this attempt.
_LOSSES_FORGIVEN: Final = 2


@dataclass(frozen=True, slots=True)
class UnitRules:
    """Needs of units by class, and when a failed one is retried; see `Assignment`.

    Attributes
    ----------
    unit_retries : int
        Retries of a failed unit within an attempt.
    fail_fast_s : float
        A failure within this time from the start of the unit is fast, s.
    needs : mapping of str to Resources
        By class of the unit.
    process_per_unit : mapping of str to bool
        Whether each unit has its own process from the start, by class of Protocol; `*`: any other class.
    files : FileRules
        Which files of scratch folders are kept.
    """

    unit_retries: int
    fail_fast_s: float
    needs: Mapping[str, Resources] = field(default_factory=dict)
    process_per_unit: Mapping[str, bool] = field(default_factory=dict)
    files: FileRules = field(default_factory=FileRules)


@dataclass(frozen=True, slots=True)
class UnitsEnding:
    """Outcome of the units: all good, one `failed` after all retries, or `cut` short (`failed` then is a unit
    that was running). `fast` is true if the failed one failed fast.

    Attributes
    ----------
    failed : Execution, optional
        Last execution of the unit that failed or was running; None if all succeeded.
    fast : bool, default False
        The unit failed fast.
    cut : Cut, optional
        Why the units were stopped; None if they were not.
    """  # noqa: D205

    failed: Execution | None = None
    fast: bool = False
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class _Running:
    unit: PlannedUnit
    try_number: int
    launched: Launched
    scratch: Path
    allocation: Allocation
    leftovers: bool


class UnitRuns:
    """Runner of the units of a plan that have no result yet.

    Parameters
    ----------
    launcher : Launcher
    plan : UnitPlan
    watch : Watch
    rules : UnitRules
    executions : list of Execution
        Earlier executions; every execution is appended.
    """

    def __init__(
        self, launcher: Launcher, plan: UnitPlan, watch: Watch, rules: UnitRules, executions: list[Execution]
    ) -> None:
        self._launcher, self._watch, self._rules, self._executions = launcher, watch, rules, executions
        self._folder = launcher.folder.path
        self._from_scratch = rules.files.patterns_for(plan.protocol).scratch
        self._room = Capacity.of_allocation(launcher.allocation)
        self._done = {unit.key for unit in plan.units if self._result_of(unit).exists()}
        self._waiting = {unit.key: unit for unit in plan.units if unit.key not in self._done}
        self._running: dict[str, _Running] = {}
        self._retries: Counter[str] = Counter()
        self._cleaned: set[str] = set()
        self._lost_fork_servers: set[str] = set()
        self._squeezed = 0
        launcher.vitals.units_total = len(plan.units)

    def run(self) -> UnitsEnding:
        """Run until all units are good, one has finally failed, or the attempt is stopped."""
        try:
            while self._waiting or self._running:
                if (cut := self._watch.cut()) is not None:
                    return UnitsEnding(failed=self._cut_short(self._watch.exception(cut)), cut=cut)
                self._launch_ready()
                self._launcher.vitals.units_done = len(self._done)
                futures = {running.launched.process.ended: running for running in self._running.values()}
                ended = [(futures[future], None) for future in self._watch.wait(futures)]
                for running, stuck in ended or self._end_stuck():
                    ending = self._settle(running, stuck)
                    if ending is not None:
                        # the progress of the others is in their folders; a later attempt can continue from there
                        self._cut_short(("Cancelled", f"unit {running.unit.name} failed"))
                        return ending
        finally:
            end_all([running.launched for running in self._running.values()], self._launcher.grace_s)
        return UnitsEnding()

    # --- units in a process that others share -----------------------------------------------------

    def settle(self, unit: PlannedUnit, launched: Launched, stuck: tuple[str, str] | None) -> UnitsEnding | None:
        """Record an execution that was not started here; return an `UnitsEnding` if it ends all.

        Parameters
        ----------
        unit : PlannedUnit
        launched : Launched
            Its first execution; it has ended, or will not fail any more.
        stuck : tuple of str or None
            Exception of an execution that was terminated because it made no progress.
        """
        self._take_over(unit, launched)
        ending = self._settle(self._running[unit.key], stuck)
        self._launcher.vitals.units_done = len(self._done)
        return ending

    def cut_short(self, unit: PlannedUnit, launched: Launched, exception: tuple[str, str]) -> Execution | None:
        """Record an execution that was not started here and was stopped; return it unless it had succeeded.

        Parameters
        ----------
        unit : PlannedUnit
        launched : Launched
            Its first execution, which has ended.
        exception : tuple of str
            Why it was stopped: type and message.
        """
        self._take_over(unit, launched)
        return self._cut_short(exception)

    def _take_over(self, unit: PlannedUnit, launched: Launched) -> None:
        allocation = self._room.take(self._launcher.allocation.resources)
        assert allocation is not None, "units that share a process run alone"
        self._waiting.pop(unit.key, None)
        scratch = self._folder / "scratch" / launched.run.name
        self._running[unit.key] = _Running(unit, 1, launched, scratch, allocation, leftovers=False)

    # --- starting ---------------------------------------------------------------------------------

    def _launch_ready(self) -> None:
        ready = [unit for unit in self._waiting.values() if self._done.issuperset(unit.needs)]
        ready.sort(key=lambda unit: unit.index)
        if not ready and not self._running:
            left = ", ".join(unit.name for unit in self._waiting.values())
            raise ExecutionError(f"the units {left} depend on each other in a cycle; check the Protocol's _create")
        while ready:
            needs = self._needs_of(ready)
            unit = ready.pop(0)
            if (allocation := self._room.take(needs)) is not None:
                self._launch(unit, allocation)

    def _needs_of(self, ready: Sequence[PlannedUnit]) -> Resources:
        """Return the needs of the first unit, at most the allocation of its attempt.

        Units without declared needs share the free cores among themselves, and each has the attempt's GPUs for itself.
        """
        whole, declared = self._launcher.allocation.resources, self._rules.needs
        needs = declared.get(ready[0].qualname)
        if needs is not None:
            memory = needs.memory_bytes
            if memory is not None and whole.memory_bytes is not None:
                memory = min(memory, whole.memory_bytes)
            return Resources(min(needs.cores, whole.cores), memory, min(needs.gpus, whole.gpus))
        others = [declared[unit.qualname].cores for unit in ready if unit.qualname in declared]
        # a unit with the GPUs is the only one that starts
        like = len(ready) - len(others) if whole.gpus == 0 else 1
        return Resources(max(1, (self._room.cores - sum(others)) // like), None, whole.gpus)

    def _launch(self, unit: PlannedUnit, allocation: Allocation) -> None:
        try_number = 1 + max(
            (e.try_number for e in self._executions if e.label.rpartition("-")[0] == unit.label), default=0
        )
        label = f"{unit.label}-{try_number}"
        shared, scratch = self._shared_of(unit), self._folder / "scratch" / label
        leftovers = shared.exists() and any(shared.iterdir())
        shared.mkdir(exist_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        launched = self._launcher.start(
            "unit",
            label,
            allocation=allocation,
            cwd=scratch,
            folders=(shared, scratch, self._folder / "permanent"),
            unit_key=unit.key,
            shared=str(shared),
            scratch=str(scratch),
        )
        del self._waiting[unit.key]
        self._running[unit.key] = _Running(unit, try_number, launched, scratch, allocation, leftovers)

    # --- ending -----------------------------------------------------------------------------------

    def _end_stuck(self) -> list[tuple[_Running, tuple[str, str] | None]]:
        """Terminate steps without progress; return them with their exceptions."""
        looked = [(running, self._launcher.end_if_stuck(running.launched)) for running in self._running.values()]
        return [(running, stuck) for running, stuck in looked if stuck is not None]

    def _settle(self, running: _Running, stuck: tuple[str, str] | None) -> UnitsEnding | None:
        """Record how an execution ended; return a `UnitsEnding` if that ends all."""
        outcome = running.launched.outcome()
        if stuck is not None and not outcome.ok:
            outcome = replace(outcome, exception=stuck)
        if self._launcher.examine(outcome):
            outcome = replace(
                outcome, exception=("DiskFull", f"the Task's own files have filled the file system of {self._folder}")
            )
            # otherwise nothing could be written about it, and it cannot continue from there
            shutil.rmtree(running.scratch, ignore_errors=True)
            self._empty(running.unit)
        execution = self._note(running, outcome, outcome.exception)
        if outcome.ok:
            self._done.add(running.unit.key)
            return None
        if outcome.exit.is_from_outside:
            time.sleep(HEAR_S)
            if (cut := self._watch.cut()) is not None and cut.releases:
                return UnitsEnding(failed=execution, cut=cut)
        if self._again(running, outcome):
            self._waiting[running.unit.key] = running.unit
            return None
        return UnitsEnding(failed=execution, fast=outcome.duration_s <= self._rules.fail_fast_s)

    def _note(self, running: _Running, outcome: StepOutcome, exception: tuple[str, ...] | None) -> Execution:
        unit, run = running.unit, running.launched.run
        result = self._result_of(unit) if outcome.ok else run / RESULT
        execution = Execution(
            unit=unit.key,
            try_number=running.try_number,
            name=unit.name,
            qualname=unit.qualname,
            label=run.name,
            ok=outcome.ok,
            exception=exception,
            traceback=outcome.traceback,
            started_at=outcome.started_at.isoformat(),
            ended_at=outcome.ended_at.isoformat(),
            exit_code=outcome.exit.exit_code,
            cpu_time_s=outcome.exit.cpu_time_s,
            peak_memory_bytes=outcome.exit.peak_memory_bytes,
            result=str(result.relative_to(self._folder)) if result.exists() else None,
        )
        if not (outcome.ok and has_record(run)):
            write_record(run, execution)
        self._executions.append(execution)
        del self._running[unit.key]
        self._room.release(running.allocation)
        set_aside(running.scratch, self._from_scratch, self._folder / "kept" / run.name)
        shutil.rmtree(running.scratch, ignore_errors=True)
        return execution

    def _again(self, running: _Running, outcome: StepOutcome) -> bool:
        """Return whether a failed unit is to be retried; prepares its folder."""
        key = running.unit.key
        if not running.launched.process.ended.done():
            # it would share its folder with a process that cannot be terminated
            return False
        if outcome.exit.problem is not None and self._is_excused(running.launched.process.fork_server):
            return True
        if says_full(outcome.exception, outcome.traceback) and self._squeezed < _LOSSES_FORGIVEN:
            # there is space again: whatever used it, maybe another Task, is gone
            self._squeezed += 1
            return True
        if running.leftovers and key not in self._cleaned and outcome.duration_s <= self._rules.fail_fast_s:
            # a broken checkpoint, for example: that start does not count as a retry
            self._cleaned.add(key)
            self._empty(running.unit)
            return True
        if self._retries[key] < self._rules.unit_retries:
            self._retries[key] += 1
            if self._retries[key] > 1:
                self._empty(running.unit)
            return True
        return False

    def _is_excused(self, fork_server: str) -> bool:
        """Return whether steps lost with this fork server are rerun for free; all of them count as one loss."""
        if len(self._lost_fork_servers) < _LOSSES_FORGIVEN:
            self._lost_fork_servers.add(fork_server)
        return fork_server in self._lost_fork_servers

    def _cut_short(self, exception: tuple[str, str]) -> Execution | None:
        """Terminate running units; return the first execution that was lost by it."""
        end_all([running.launched for running in self._running.values()], self._launcher.grace_s)
        noted = []
        for running in list(self._running.values()):
            outcome = running.launched.outcome()
            noted.append(self._note(running, outcome, None if outcome.ok else exception))
        return next((execution for execution in noted if not execution.ok), None)

    def _result_of(self, unit: PlannedUnit) -> Path:
        return self._folder / "results" / f"{unit.key}.json"

    def _empty(self, unit: PlannedUnit) -> None:
        """Remove what a unit has left for its next execution."""
        shutil.rmtree(self._shared_of(unit), ignore_errors=True)
        shutil.rmtree(self._folder / "permanent" / task_token(self._folder) / unit.label, ignore_errors=True)

    def _shared_of(self, unit: PlannedUnit) -> Path:
        return self._folder / "shared" / unit.label
