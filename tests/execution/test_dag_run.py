"""The order of a ProtocolDAG's steps and its outcome, with a launcher that performs none of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.execution import dag_run
from alchemiscale_lake.execution.capacity import Allocation
from alchemiscale_lake.execution.dag_run import DagOutcome, DagRun, Inputs
from alchemiscale_lake.execution.executions import Execution
from alchemiscale_lake.execution.launcher import StepOutcome
from alchemiscale_lake.execution.processes import StepExit
from alchemiscale_lake.execution.steps import ESTIMATE, EXTENDS, PLAN, RESULT, TRANSFORMATION
from alchemiscale_lake.execution.unit_runs import UnitRules, UnitsEnding
from alchemiscale_lake.execution.watch import Cut
from alchemiscale_lake.resources import Resources

VERSIONS = {"gufe": "1.0"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = StepOutcome(True, None, None, NOW, NOW, 0.0, StepExit(0))
FAILED = replace(GOOD, ok=False, exception=("ValueError", "wrong"), exit=StepExit(1))
STOPPED = replace(FAILED, cut=Cut.TIMEOUT)
UNIT = Execution("unit-key", 1, "sample", "Sample", "00-sample", False, ("OSError", "no"), None, NOW.isoformat(),
                 NOW.isoformat(), 1, None, None, None)  # fmt: skip


@dataclass
class Launcher:
    """Notes the steps; a good plan or finish leaves its files."""

    path: Path
    steps: list[str] = field(default_factory=list)
    arguments: list[dict[str, Any]] = field(default_factory=list)
    plan: StepOutcome = GOOD
    finish: StepOutcome = GOOD
    estimate: Any = None
    cleared: int = 0
    # with a GPU: every step in its own process
    allocation: Allocation = field(default_factory=lambda: Allocation(Resources(gpus=1.0)))

    @property
    def folder(self) -> Any:
        return SimpleNamespace(path=self.path, clear=self._clear)

    def _clear(self) -> None:
        self.cleared += 1
        (self.path / PLAN).unlink(missing_ok=True)

    def run(self, step: str, label: str, watch: Any, **arguments: Any) -> StepOutcome:
        self.steps.append(label)
        self.arguments.append(arguments)
        run = self.path / "runs" / label
        run.mkdir()
        if step == "plan" and self.plan.ok:
            self.write_plan(arguments["provenance"])
        if step == "finish" and self.finish.ok:
            (run / RESULT).touch()
            if self.estimate is not None:
                (run / ESTIMATE).write_text(json.dumps(self.estimate))
        return self.plan if step == "plan" else self.finish

    def write_plan(self, provenance: dict[str, str]) -> None:
        units = [{"index": 0, "key": "unit-key", "name": "sample", "qualname": "Sample", "needs": []}]
        (self.path / PLAN).write_text(json.dumps({"units": units, "provenance": provenance}))


@dataclass
class Runner:
    launcher: Launcher
    endings: list[UnitsEnding]

    def __call__(self, extends: bytes | None = None) -> DagOutcome | None:
        watch: Any = SimpleNamespace(
            more_time=lambda _: watch, exception=lambda cut: ("Cut", cut.name), cut=lambda: None
        )
        rules = UnitRules(unit_retries=0, fail_fast_s=1.0)
        return DagRun(self.launcher, watch, rules, lambda: Inputs(b"[]", extends)).run()  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runner]:
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(dag_run, "package_versions", lambda: VERSIONS)

    def make(*endings: UnitsEnding, **launched: Any) -> Runner:
        runner = Runner(Launcher(tmp_path, **launched), list(endings))

        def units(launcher: Any, plan: Any, watch: Any, rules: Any, executions: list[Execution]) -> Any:
            def end() -> UnitsEnding:
                ending = runner.endings.pop(0)
                executions.extend([] if ending.failed is None else [ending.failed])
                return ending

            return SimpleNamespace(run=end)

        monkeypatch.setattr(dag_run, "UnitRuns", units)
        return runner

    return make


def test_a_good_dag_is_planned_run_and_assembled(run: Any) -> None:
    numbers = {"estimate_kcal_mol": 1.5, "uncertainty_kcal_mol": 0.2, "replicates": [[1.5, None]]}
    runner = run(UnitsEnding(), estimate=numbers)

    outcome = runner(extends=b"{}")

    folder = runner.launcher.path
    assert outcome == DagOutcome(
        True, None, None, [], folder / "runs" / "finish-1" / RESULT, 1.5, 0.2, replicates=[[1.5, None]]
    )
    assert runner.launcher.steps == ["create-1", "finish-1"]
    assert runner.launcher.arguments[0] == {"provenance": VERSIONS}
    assert (folder / TRANSFORMATION).read_bytes() == b"[]"
    assert (folder / EXTENDS).read_bytes() == b"{}"


def test_a_plan_that_fails_is_a_failure_of_create(run: Any) -> None:
    runner = run(plan=FAILED)

    outcome = runner()

    assert (outcome.ok, outcome.exception, outcome.failed_unit) == (False, "ValueError: wrong", "create")
    assert [(e.unit, e.qualname, e.label, e.exit_code) for e in outcome.executions] == [
        ("create", "Protocol.create", "create-1", 1)
    ]


def test_a_result_without_estimate_is_good_and_names_gather(run: Any) -> None:
    outcome = run(UnitsEnding())()

    assert outcome.ok
    assert outcome.result is not None
    assert (outcome.exception, outcome.failed_unit) == ("ExecutionError: gather left no result", "gather")


def test_a_failed_unit_has_a_result_too(run: Any) -> None:
    runner = run(UnitsEnding(failed=UNIT))

    outcome = runner()

    assert (outcome.ok, outcome.exception, outcome.failed_unit) == (False, "OSError: no", "sample")
    assert outcome.result is not None
    (told,) = runner.launcher.arguments[-1]["executions"]
    assert told["unit"] == "unit-key"
    assert told["traceback"] == ""


def test_a_step_that_is_stopped_by_the_timeout_is_a_failure(run: Any) -> None:
    outcome = run(UnitsEnding(failed=UNIT, cut=Cut.TIMEOUT))()

    assert not Cut.TIMEOUT.releases
    assert (outcome.ok, outcome.exception, outcome.failed_unit) == (False, "Cut: TIMEOUT", "sample")


@pytest.mark.parametrize("where", ["plan", "units", "finish"])
@pytest.mark.parametrize("cut", [cut for cut in Cut if cut.releases])
def test_a_released_task_reports_nothing(run: Any, where: str, cut: Cut) -> None:
    stopped = replace(STOPPED, cut=cut)
    runner = {
        "plan": lambda: run(plan=stopped),
        "units": lambda: run(UnitsEnding(cut=cut)),
        "finish": lambda: run(UnitsEnding(), finish=stopped),
    }[where]()

    assert runner() is None


def test_a_finish_that_fails_has_no_result(run: Any) -> None:
    outcome = run(UnitsEnding(), finish=FAILED)()

    assert (outcome.ok, outcome.result, outcome.failed_unit) == (False, None, "finish")


def test_an_earlier_plan_is_continued(run: Any) -> None:
    runner = run(UnitsEnding())
    runner.launcher.write_plan(VERSIONS)
    (runner.launcher.path / "results").mkdir()
    (runner.launcher.path / "results" / "unit-key.json").touch()

    assert runner().ok
    assert runner.launcher.cleared == 0
    assert runner.launcher.steps == ["finish-1"]
    # an earlier attempt ran the unit
    assert runner.launcher.arguments[0]["executions"] == [{"unit": "unit-key", "result": "results/unit-key.json"}]


@pytest.mark.parametrize("versions", [{"gufe": "0.9"}, {}])
def test_a_plan_of_other_packages_is_made_again(run: Any, versions: dict[str, str]) -> None:
    runner = run(UnitsEnding())
    runner.launcher.write_plan(versions)

    assert runner().ok
    assert runner.launcher.cleared == 1
    assert runner.launcher.steps == ["create-1", "finish-1"]


@pytest.mark.parametrize(("fast", "steps"), [(True, ["finish-1", "create-1", "finish-2"]), (False, ["finish-1"])])
def test_only_a_fast_failure_of_a_continued_plan_starts_clean(run: Any, fast: bool, steps: list[str]) -> None:
    runner = run(UnitsEnding(failed=UNIT, fast=fast), UnitsEnding())
    runner.launcher.write_plan(VERSIONS)

    assert runner().ok is fast
    assert runner.launcher.steps == steps


def test_a_fast_failure_of_a_clean_start_is_final(run: Any) -> None:
    runner = run(UnitsEnding(failed=UNIT, fast=True))

    assert not runner().ok
    assert runner.launcher.steps == ["create-1", "finish-1"]
