"""Execution of one ProtocolDAG in its work folder, from the Transformation's text to the result's.

Creates the plan or continues an earlier attempt's, runs its units, assembles the result, and starts clean, once, if
continuing failed fast. `receipt` stores the result.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..durable import replace_file
from .executions import Execution, UnitPlan, read_plan, read_records
from .host import package_versions
from .launcher import HEAR_S, Launcher, StepOutcome, read_left
from .preloads import known_needs
from .shared_process import SharedProcess
from .steps import ESTIMATE, EXTENDS, RESULT, TRANSFORMATION
from .unit_runs import UnitRules, UnitRuns, UnitsEnding
from .watch import Watch

__all__ = ["DagOutcome", "DagRun", "Inputs"]

#: Minimum time to assemble a result, seconds, even after the deadline.
_FINISH_S = 120.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """Keyed chains, as JSON text, of the Transformation and of the result to continue.

    Attributes
    ----------
    transformation : bytes
        Keyed chain of the Transformation.
    extends : bytes, optional
        Keyed chain of the ProtocolDAGResult to continue; None to start afresh.
    """

    transformation: bytes
    extends: bytes | None = None


@dataclass(frozen=True, slots=True)
class DagOutcome:
    """Outcome of a ProtocolDAG.

    Parameters
    ----------
    ok : bool
        Whether every unit succeeded and the ProtocolDAGResult is written.
    exception, failed_unit : str or None
        The failure; or that of `gather`, if the result is good but its estimate could not be computed.
    executions : list of Execution
    result : Path or None
        Path of the ProtocolDAGResult's keyed chain.
    estimate_kcal_mol, uncertainty_kcal_mol : float or None
    replicates : list of [float, float or None]
        Value and uncertainty of each repeat within the result, kcal/mol; empty if it holds only one.
    """

    ok: bool
    exception: str | None
    failed_unit: str | None
    executions: list[Execution]
    result: Path | None = None
    estimate_kcal_mol: float | None = None
    uncertainty_kcal_mol: float | None = None
    replicates: Sequence[Any] = ()


class DagRun:
    """Runner of the ProtocolDAG of one attempt.

    Parameters
    ----------
    launcher : Launcher
    watch : Watch
    rules : UnitRules
    inputs : callable
        Returns the `Inputs`; called only if the folder does not contain them already.
    """

    def __init__(self, launcher: Launcher, watch: Watch, rules: UnitRules, inputs: Callable[[], Inputs]) -> None:
        self._launcher, self._watch, self._rules, self._inputs = launcher, watch, rules, inputs
        self._folder = launcher.folder.path
        self._executions = read_records(self._folder)

    def run(self) -> DagOutcome | None:
        """Run to the end; return None if the Task is requeued, with nothing to report."""
        plan = read_plan(self._folder)
        if plan is not None and plan.provenance == package_versions():
            outcome, fast = self._go_on(plan)
            if outcome is None or outcome.ok or not fast:
                return outcome
        return self._start_clean()

    def _start_clean(self) -> DagOutcome | None:
        self._launcher.folder.clear()
        inputs = self._inputs()
        self._launcher.needs = known_needs(inputs.transformation)
        # the plan comes after them and makes their names durable too
        replace_file(self._folder / TRANSFORMATION, inputs.transformation, lasting=False)
        if inputs.extends is not None:
            replace_file(self._folder / EXTENDS, inputs.extends, lasting=False)
        label = self._label("create")
        if inputs.extends is None and not self._executions and self._launcher.allocation.resources.gpus == 0:
            return self._start_in_one_process(label)
        return self._start_with_plan(label)

    def _start_in_one_process(self, label: str) -> DagOutcome | None:
        """Let one process perform all steps, as far as it gets; the rest runs in processes of its own."""
        shared = SharedProcess(self._launcher, self._watch, self._rules, self._executions)
        got = shared.run(plan=label, finish=self._label("finish"), provenance=package_versions())
        if got.process.cut is not None and got.process.cut.releases:
            return None
        if got.plan is None or got.units is None:
            if got.process.cut is None and got.process.exit.is_from_outside:
                time.sleep(HEAR_S)
                if (cut := self._watch.cut()) is not None and cut.releases:
                    # the signal that ended the process was meant for the worker too
                    return None
                return self._start_with_plan(self._label("create"))
            noted = self._note_step("create", label, got.process)
            return DagOutcome(False, noted.exception_text, "create", self._executions)
        return self._end(got.plan, got.ending or got.units.run(), got.finished)[0]

    def _start_with_plan(self, label: str) -> DagOutcome | None:
        planned = self._launcher.run("plan", label, self._watch, provenance=dict(package_versions()))
        if planned.cut is not None and planned.cut.releases:
            return None
        plan = read_plan(self._folder)
        if plan is None:
            noted = self._note_step("create", label, planned)
            return DagOutcome(False, noted.exception_text, "create", self._executions)
        return self._go_on(plan)[0]

    def _go_on(self, plan: UnitPlan) -> tuple[DagOutcome | None, bool]:
        """Run units without a result; also return whether it failed so fast that a clean start may help."""
        units = UnitRuns(self._launcher, plan, self._watch, self._rules, self._executions)
        return self._end(plan, units.run())

    def _end(
        self, plan: UnitPlan, ending: UnitsEnding, finished: StepOutcome | None = None
    ) -> tuple[DagOutcome | None, bool]:
        """Assemble the result of units that have ended, unless it is already `finished`; return as `_go_on`."""
        if ending.cut is not None and ending.cut.releases:
            return None, False
        label = "finish-1" if finished is not None else self._label("finish")
        if finished is None:
            finished = self._finish(plan, label)
        if finished.cut is not None and finished.cut.releases:
            return None, False
        written = self._folder / "runs" / label / RESULT
        result = written if written.exists() else None
        if ending.cut is not None:
            said = ": ".join(self._watch.exception(ending.cut))
            name = None if ending.failed is None else ending.failed.name
            return DagOutcome(False, said, name, self._executions, result), False
        if ending.failed is not None:
            failed = ending.failed
            return DagOutcome(False, failed.exception_text, failed.name, self._executions, result), ending.fast
        if result is None:
            noted = self._note_step("finish", label, finished)
            return DagOutcome(False, noted.exception_text, "finish", self._executions), True
        return self._good(result, label, finished), False

    def _finish(self, plan: UnitPlan, label: str) -> StepOutcome:
        executions = []
        for unit in plan.units:
            stored = f"results/{unit.key}.json"
            known = [e for e in self._executions if e.unit == unit.key]
            executions += [
                {
                    "unit": e.unit,
                    "result": e.result,
                    "exception": e.exception,
                    "traceback": e.traceback or "",
                    "started_at": e.started_at,
                    "ended_at": e.ended_at,
                }
                for e in known
            ]
            if not any(e.ok for e in known) and (self._folder / stored).exists():
                # an earlier attempt ran and reported it
                executions.append({"unit": unit.key, "result": stored})
        return self._launcher.run("finish", label, self._watch.more_time(_FINISH_S), executions=executions)

    def _good(self, result: Path, label: str, finished: StepOutcome) -> DagOutcome:
        numbers = read_left(result.parent / ESTIMATE)
        if numbers is None:
            noted = self._note_step("gather", label, finished)
            return DagOutcome(True, noted.exception_text, "gather", self._executions, result)
        # the receipt checks whether they are numbers
        estimate, uncertainty = numbers.get("estimate_kcal_mol"), numbers.get("uncertainty_kcal_mol")
        replicates = numbers.get("replicates") or ()
        return DagOutcome(True, None, None, self._executions, result, estimate, uncertainty, replicates)

    def _label(self, name: str) -> str:
        """Return the name of a new run folder."""
        numbers = itertools.count(1)
        return next(label for n in numbers if not (self._folder / "runs" / (label := f"{name}-{n}")).exists())

    def _note_step(self, name: str, label: str, outcome: StepOutcome) -> Execution:
        """Record a failed step among the units, under its own name."""
        noted = Execution(
            unit=name,
            try_number=1 + sum(e.unit == name for e in self._executions),
            name=name,
            qualname=f"Protocol.{name}",
            label=label,
            ok=False,
            exception=outcome.exception or ("ExecutionError", f"{name} left no result"),
            traceback=outcome.traceback,
            started_at=outcome.started_at.isoformat(),
            ended_at=outcome.ended_at.isoformat(),
            exit_code=outcome.exit.exit_code,
            cpu_time_s=outcome.exit.cpu_time_s,
            peak_memory_bytes=outcome.exit.peak_memory_bytes,
            result=None,
        )
        self._executions.append(noted)
        return noted
