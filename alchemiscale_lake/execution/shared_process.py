"""Supervision of the process in which an attempt performs all its steps; the steps are in `all_steps`.

Whatever ends the process early, the units that it finished count, the one that it was at is settled like any other
execution, and `unit_runs` continues with a process for each unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from .all_steps import ALL, STARTED
from .child import OUTCOME
from .executions import Execution, PlannedUnit, UnitPlan, read_plan
from .launcher import Launched, Launcher, StepOutcome, end_all, read_left
from .processes import StepExit
from .unit_runs import UnitRules, UnitRuns, UnitsEnding
from .watch import Watch

__all__ = ["SharedOutcome", "SharedProcess"]


@dataclass(frozen=True, slots=True)
class SharedOutcome:
    """Progress of the process when it ended.

    Attributes
    ----------
    process : StepOutcome
        Outcome of the process as a whole.
    plan : UnitPlan or None
        None if it died or failed before it had one.
    units : UnitRuns or None
        The units of the plan, of which it finished some.
    ending : UnitsEnding or None
        Set if that ends the attempt's units.
    finished : StepOutcome or None
        Outcome of the last step; None if it must be performed again.
    """

    process: StepOutcome
    plan: UnitPlan | None = None
    units: UnitRuns | None = None
    ending: UnitsEnding | None = None
    finished: StepOutcome | None = None


class SharedProcess:
    """The process of one attempt.

    Parameters
    ----------
    launcher : Launcher
    watch : Watch
    rules : UnitRules
    executions : list of Execution
        Every execution of a unit is appended.
    """

    def __init__(self, launcher: Launcher, watch: Watch, rules: UnitRules, executions: list[Execution]) -> None:
        self._launcher, self._watch, self._rules, self._executions = launcher, watch, rules, executions
        self._folder = launcher.folder.path
        self._plan: UnitPlan | None = None
        self._units: UnitRuns | None = None
        self._cpu_time_s = 0.0

    def run(self, *, plan: str, finish: str, provenance: Mapping[str, str]) -> SharedOutcome:
        """Run the process to its end, or until the watch stops it.

        Parameters
        ----------
        plan, finish : str
            Names of the run folders of the first and the last step.
        provenance : mapping of str to str
            Version by package.

        Raises
        ------
        HostFaultError
            If the host ended it.
        """
        launched = self._launcher.start(
            ALL,
            plan,
            folders=[self._folder / part for part in ("results", "runs", "scratch", "shared", "permanent")],
            provenance=dict(provenance),
            finish=finish,
            serial=self._launcher.allocation.resources.cores == 1,
            unit_classes=sorted(self._rules.needs),
            protocols=dict(self._rules.process_per_unit),
            scratch_patterns=self._rules.files.scratch_patterns(),
        )
        cut = stuck = None
        try:
            while not launched.process.ended.done() and cut is None and stuck is None:
                self._watch.wait([launched.process.ended])
                self._settle_good(launched)
                cut = None if launched.process.ended.done() else self._watch.cut()
                stuck = self._launcher.end_if_stuck(launched)
        finally:
            end_all([launched], self._launcher.grace_s)
        self._settle_good(launched)
        process = launched.outcome()
        if cut is not None and not process.ok:
            process = replace(process, exception=self._watch.exception(cut), cut=cut)
        elif stuck is not None and not process.ok:
            process = replace(process, exception=stuck)
        return self._outcome(launched, process, stuck, self._folder / "runs" / finish)

    def _outcome(
        self, launched: Launched, process: StepOutcome, stuck: tuple[str, str] | None, finish: Path
    ) -> SharedOutcome:
        if self._plan is None or self._units is None:
            self._launcher.examine(process)
            return SharedOutcome(process)
        ending, last = None, self._at(launched)
        if process.cut is not None:
            failed = None if last is None else self._units.cut_short(*last, self._watch.exception(process.cut))
            ending = UnitsEnding(failed=failed, cut=process.cut) if process.cut.releases or failed is not None else None
        elif last is not None:
            ending = self._units.settle(*last, stuck)
        else:
            self._launcher.examine(process)
        finished = None
        if ending is None and process.ok and (finish / OUTCOME).exists():
            finished = replace(launched, run=finish).outcome()
        return SharedOutcome(process, self._plan, self._units, ending, finished)

    def _settle_good(self, launched: Launched) -> None:
        """Record units that have finished well since the last look."""
        if self._units is None:
            self._plan = read_plan(self._folder)
            if self._plan is None:
                return
            self._units = UnitRuns(self._launcher, self._plan, self._watch, self._rules, self._executions)
        while (last := self._at(launched)) is not None:
            unit, shared = last
            content = read_left(shared.run / OUTCOME)
            if content is None or content.get("ok") is not True:
                return
            self._units.settle(unit, shared, None)
            self._cpu_time_s += self._executions[-1].cpu_time_s or 0.0

    def _at(self, launched: Launched) -> tuple[PlannedUnit, Launched] | None:
        """Return the unit that started last and is not recorded yet."""
        assert self._plan is not None
        known = {execution.unit for execution in self._executions}
        unit = next((unit for unit in self._plan.units if unit.key not in known), None)
        if unit is None or not (run := self._folder / "runs" / f"{unit.label}-1").exists():
            return None
        started_at = _started_at(run, launched.started_at)
        started = launched.started + (started_at - launched.started_at).total_seconds()
        return unit, _SharedUnit(
            launched.process,
            run,
            started_at,
            started,
            launched.memory_bytes,
            launched.progress,
            launched.alone,
            self._cpu_time_s,
        )


@dataclass(frozen=True, slots=True)
class _SharedUnit(Launched):
    """A unit in the process; `earlier_cpu_time_s` is that of the units before it."""

    earlier_cpu_time_s: float = 0.0

    def outcome(self) -> StepOutcome:
        """Return its outcome: its own, or that of the process if it died with it."""
        outcome = Launched.outcome(self)
        content = read_left(self.run / OUTCOME)
        if content is None or not isinstance(content.get("ok"), bool):
            used = outcome.exit.cpu_time_s
            own_s = None if used is None else max(0.0, used - self.earlier_cpu_time_s)
            return replace(outcome, exit=replace(outcome.exit, cpu_time_s=own_s))
        duration_s = min(_number(content.get("duration_s")) or 0.0, outcome.duration_s)
        peak = _number(content.get("peak_memory_bytes"))
        exit_code = 0 if outcome.ok else outcome.exit.exit_code
        return replace(
            outcome,
            ended_at=self.started_at + timedelta(seconds=duration_s),
            duration_s=duration_s,
            exit=StepExit(exit_code, _number(content.get("cpu_time_s")), None if peak is None else int(peak)),
        )


def _number(value: object) -> float | None:
    """Return a number that a step left, None if it is not one: Protocol code may write anything there."""
    return float(value) if isinstance(value, int | float) and 0.0 <= value < 2**53 else None


def _started_at(run: Path, earliest: datetime) -> datetime:
    try:
        return max(datetime.fromisoformat((run / STARTED).read_text()), earliest)
    except (OSError, ValueError, TypeError):
        return earliest
