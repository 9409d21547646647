"""The three steps of a ProtocolDAG, each run in its own process: plan, unit, finish.

Steps read and write files in the work folder and do not access the lake. Only this module and `all_steps`, which
performs the three in one process, handle gufe objects, all of them through `gufe_adapter`. `dag_run` and `unit_runs`
decide which step runs when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from .. import gufe_adapter
from ..durable import replace_file, replace_unsynced
from ..texts import storable
from .child import hand_over, write_json
from .exception_text import WHOLE, describe_exception

__all__ = [
    "DAG",
    "ESTIMATE",
    "EXTENDS",
    "PLAN",
    "RESULT",
    "TRANSFORMATION",
    "assemble",
    "create_plan",
    "execute",
    "perform",
    "task_token",
]

TRANSFORMATION: Final = "transformation.json"
EXTENDS: Final = "extends.json"
DAG: Final = "dag.json"
PLAN: Final = "plan.json"
RESULT: Final = "result.json"
ESTIMATE: Final = "estimate.json"

StepOutput = dict[str, Any]


def perform(step: str, arguments: dict[str, Any], run: Path) -> StepOutput:
    """Perform a step in its run folder and return its outcome: `ok`, and for a failure `exception`
    (type and message) and `traceback`.

    Parameters
    ----------
    step : str
        Name of the step.
    arguments : dict of str to object
        Arguments of the step, as plain data.
    run : Path
        Run folder.
    """  # noqa: D205
    return _STEPS[step](run, **arguments)


def _plan(run: Path, *, folder: str, provenance: dict[str, str]) -> StepOutput:
    create_plan(Path(folder), provenance)
    return {"ok": True}


def create_plan(work: Path, provenance: dict[str, str]) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Create the ProtocolDAG; write it and the list of its units. The plan comes last.

    Parameters
    ----------
    work : Path
        Work folder with the Transformation.
    provenance : dict of str to str
        Version by package, to be written into the plan.

    Returns
    -------
    transformation : Transformation or NonTransformation
    dag : ProtocolDAG
    units : list of dict
        Fields of `executions.PlannedUnit`, in dependency order.
    """
    transformation = _load(work / TRANSFORMATION)
    extends = _load(work / EXTENDS) if (work / EXTENDS).exists() else None
    dag = gufe_adapter.create_protocol_dag(transformation, extends=extends)
    needs = gufe_adapter.unit_dependencies(dag)
    units = [
        {
            "index": index,
            "key": str(unit.key),
            "name": str(unit.name or type(unit).__qualname__),
            "qualname": type(unit).__qualname__,
            "needs": needs[str(unit.key)],
        }
        for index, unit in enumerate(gufe_adapter.units_in_order(dag))
    ]
    # the plan makes its name durable, too
    replace_file(work / DAG, gufe_adapter.dumps_chain(dag), lasting=False)
    protocol = type(transformation.protocol).__qualname__
    write_json(work / PLAN, {"units": units, "provenance": provenance, "protocol": protocol}, lasting=True)
    return transformation, dag, units


def _unit(run: Path, *, folder: str, unit_key: str, shared: str, scratch: str) -> StepOutput:
    work = Path(folder)
    dag = _load(work / DAG)
    unit = next(unit for unit in dag.protocol_units if str(unit.key) == unit_key)
    results = {key: _load(work / "results" / f"{key}.json") for key in gufe_adapter.unit_dependencies(dag)[unit_key]}
    return execute(unit, results, run, work, shared=Path(shared), scratch=Path(scratch))[1]


def execute(
    unit: Any, results: Mapping[str, Any], run: Path, work: Path, *, shared: Path, scratch: Path
) -> tuple[Any, StepOutput]:
    """Execute one ProtocolUnit; a good result appears in `results` of the work folder, a failure in the run folder.

    Parameters
    ----------
    unit : ProtocolUnit
    results : mapping of str to ProtocolUnitResult
        Results of the units it depends on, by key.
    run : Path
        Run folder.
    work : Path
        Work folder.
    shared, scratch : Path
        Folders of the unit.

    Returns
    -------
    result : ProtocolUnitResult or ProtocolUnitFailure
    outcome : dict
    """
    captured = {name: run / f"captured-{name}" for name in ("stdout", "stderr")}
    for path in captured.values():
        path.mkdir()
    permanent = gufe_adapter.PermanentFolder(work / "permanent" / task_token(work) / shared.name, scratch)
    result = gufe_adapter.execute_unit(
        unit,
        shared=shared,
        scratch=scratch,
        results=results,
        whole_exception=run / WHOLE,
        permanent=permanent,
        **captured,
    )
    failure = gufe_adapter.unit_exception(result)
    data = gufe_adapter.dumps_chain(result)
    if failure is None:
        _write(work / "results" / f"{unit.key}.json", data)
        return result, {"ok": True}
    _write(run / RESULT, data)
    whole = WHOLE if (run / WHOLE).exists() else None
    return result, {"ok": False, "exception": [storable(failure[0], whole=whole)], "traceback": failure[1]}


def task_token(work: Path) -> str:
    """Return the token of the Task of a work folder, which is `<token>` or `<token>.<attempt>`."""
    return work.name.partition(".")[0]


def _finish(run: Path, *, folder: str, executions: list[dict[str, Any]]) -> StepOutput:
    work = Path(folder)
    transformation = _load(work / TRANSFORMATION)
    dag = _load(work / DAG)
    units = {str(unit.key): unit for unit in dag.protocol_units}
    results = [
        _load(work / e["result"]) if e["result"] is not None else _dead(work, units[e["unit"]], e) for e in executions
    ]
    return assemble(transformation, dag, results, run)


def assemble(transformation: Any, dag: Any, results: Sequence[Any], run: Path) -> StepOutput:
    """Write the ProtocolDAGResult and, if it is good, its own estimate.

    An exception in gathering is an ordinary outcome; the result is already written by then.

    Parameters
    ----------
    transformation : Transformation or NonTransformation
    dag : ProtocolDAG
    results : sequence of ProtocolUnitResult or ProtocolUnitFailure
    run : Path
        Run folder.
    """
    dag_result = gufe_adapter.build_dag_result(dag, list(results), transformation)
    # an attempt that is interrupted before it has stored the result assembles it again
    replace_unsynced(run / RESULT, gufe_adapter.dumps_chain(dag_result))
    if not gufe_adapter.dag_ok(dag_result):
        return {"ok": True}
    try:
        estimate = gufe_adapter.estimate(transformation, [dag_result])
    except Exception as e:  # raised by the Protocol's code: recorded beside the good result
        return describe_exception(e, run)
    hand_over(
        run / ESTIMATE,
        {
            "estimate_kcal_mol": estimate.value_kcal_mol,
            "uncertainty_kcal_mol": estimate.uncertainty_kcal_mol,
            "replicates": [[one.value_kcal_mol, one.uncertainty_kcal_mol] for one in estimate.replicates],
        },
    )
    return {"ok": True}


def _dead(work: Path, unit: Any, execution: dict[str, Any]) -> Any:
    """Make the failure of a unit whose process could not."""
    kind, *arguments = execution["exception"]
    needed = {str(other.key): work / "results" / f"{other.key}.json" for other in unit.dependencies}
    return gufe_adapter.failed_unit_result(
        unit,
        exception=(kind, tuple(arguments)),
        traceback=execution["traceback"],
        results={key: _load(path) for key, path in needed.items() if path.exists()},
        # gufe records local times without a time zone
        start_time=datetime.fromisoformat(execution["started_at"]).astimezone().replace(tzinfo=None),
        end_time=datetime.fromisoformat(execution["ended_at"]).astimezone().replace(tzinfo=None),
    )


def _load(path: Path) -> Any:
    return gufe_adapter.loads_chain(path.read_bytes())


def _write(path: Path, data: bytes) -> None:
    """Write durably: a work folder may be used after a crash of the machine."""
    replace_file(path, data)


_STEPS: Final[dict[str, Callable[..., StepOutput]]] = {"plan": _plan, "unit": _unit, "finish": _finish}
