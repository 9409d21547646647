"""The units of one ProtocolDAG: which runs when, side by side within the cores, and again how often."""

from __future__ import annotations

import shutil
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ExecutionError
from .executions import Execution, Plan, PlannedUnit, write_record
from .launcher import Launched, Launcher, StepOutcome, end_all
from .steps import RESULT
from .watch import Cut, Watch

__all__ = ["Ending", "RetryRules", "UnitRuns"]

#: How often steps that ended as lost, because the zygote died, are run again at no charge.
_LOSSES_FORGIVEN: Final = 2


@dataclass(frozen=True, slots=True)
class RetryRules:
    """When a failed unit is run again; see `Assignment`."""

    unit_retries: int
    fail_fast_s: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How the units ended: all good, one `failed` for good, or `cut` short (`failed` then is a unit
    that was running). `fast` tells that the failed one failed fast.
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
    cores: int
    leftovers: bool


class UnitRuns:
    """Runs the units of a plan that have no result yet.

    Parameters
    ----------
    launcher : Launcher
    plan : Plan
    watch : Watch
    rules : RetryRules
    executions : list of Execution
        What was run; every execution is added to it.
    """

    def __init__(
        self, launcher: Launcher, plan: Plan, watch: Watch, rules: RetryRules, executions: list[Execution]
    ) -> None:
        self._launcher, self._watch, self._rules, self._executions = launcher, watch, rules, executions
        self._folder = launcher.folder.path
        self._done = {unit.key for unit in plan.units if self._result_of(unit).exists()}
        self._waiting = {unit.key: unit for unit in plan.units if unit.key not in self._done}
        self._running: dict[str, _Running] = {}
        self._retries: Counter[str] = Counter()
        self._cleaned: set[str] = set()
        self._losses = 0

    def run(self) -> Ending:
        """Run until all units are good, one has failed for good, or the attempt is cut short."""
        try:
            while self._waiting or self._running:
                if (cut := self._watch.cut()) is not None:
                    return Ending(failed=self._cut_short(self._watch.exception(cut)), cut=cut)
                self._launch_ready()
                futures = {running.launched.process.ended: running for running in self._running.values()}
                ended, _ = wait(futures, timeout=self._watch.pause_s(), return_when=FIRST_COMPLETED)
                for future in ended:
                    ending = self._settle(futures[future])
                    if ending is not None:
                        # what the others did goes into their folders; a later attempt can go on from there
                        self._cut_short(("Cancelled", f"unit {futures[future].unit.name} failed"))
                        return ending
        finally:
            end_all([running.launched for running in self._running.values()], self._launcher.grace_s)
        return Ending()

    # --- starting ---------------------------------------------------------------------------------

    def _launch_ready(self) -> None:
        ready = [unit for unit in self._waiting.values() if self._done.issuperset(unit.needs)]
        ready.sort(key=lambda unit: unit.index)
        if not ready and not self._running:
            left = ", ".join(unit.name for unit in self._waiting.values())
            raise ExecutionError(f"the units {left} depend on each other in a circle; check the Protocol's _create")
        free = self._launcher.resources.cores - sum(running.cores for running in self._running.values())
        if self._launcher.resources.gpus > 0:
            # units side by side would share the device
            ready = [] if self._running else ready[:1]
        for place, unit in enumerate(ready):
            if free < 1 and self._running:
                return
            cores = max(1, free // (len(ready) - place))
            free -= cores
            self._launch(unit, cores)

    def _launch(self, unit: PlannedUnit, cores: int) -> None:
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
            threads=cores,
            cwd=scratch,
            unit_key=unit.key,
            shared=str(shared),
            scratch=str(scratch),
        )
        del self._waiting[unit.key]
        self._running[unit.key] = _Running(unit, try_number, launched, scratch, cores, leftovers)

    # --- ending -----------------------------------------------------------------------------------

    def _settle(self, running: _Running) -> Ending | None:
        """Note how an execution ended; tell if that is the end of all."""
        outcome = running.launched.outcome()
        execution = self._note(running, outcome, outcome.exception)
        if outcome.ok:
            self._done.add(running.unit.key)
            return None
        if self._again(running, outcome):
            self._waiting[running.unit.key] = running.unit
            return None
        return Ending(failed=execution, fast=outcome.duration_s <= self._rules.fail_fast_s)

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
        write_record(run, execution)
        self._executions.append(execution)
        del self._running[unit.key]
        shutil.rmtree(running.scratch, ignore_errors=True)
        return execution

    def _again(self, running: _Running, outcome: StepOutcome) -> bool:
        """Whether a failed unit is to be run once more; prepares its folder."""
        key = running.unit.key
        if outcome.exit.problem is not None and self._losses < _LOSSES_FORGIVEN:
            self._losses += 1
            return True
        if running.leftovers and key not in self._cleaned and outcome.duration_s <= self._rules.fail_fast_s:
            # a broken checkpoint, say: that start does not count
            self._cleaned.add(key)
            shutil.rmtree(self._shared_of(running.unit))
            return True
        if self._retries[key] < self._rules.unit_retries:
            self._retries[key] += 1
            if self._retries[key] > 1:
                shutil.rmtree(self._shared_of(running.unit))
            return True
        return False

    def _cut_short(self, exception: tuple[str, str]) -> Execution | None:
        """End what runs; return the first execution that was lost by it."""
        end_all([running.launched for running in self._running.values()], self._launcher.grace_s)
        noted = []
        for running in list(self._running.values()):
            outcome = running.launched.outcome()
            noted.append(self._note(running, outcome, None if outcome.ok else exception))
        return next((execution for execution in noted if not execution.ok), None)

    def _result_of(self, unit: PlannedUnit) -> Path:
        return self._folder / "results" / f"{unit.key}.json"

    def _shared_of(self, unit: PlannedUnit) -> Path:
        return self._folder / "shared" / unit.label
