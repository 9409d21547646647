"""ProtocolDAGs and the execution of single units.

Creates a ProtocolDAG, orders its units and runs one unit in its directories. `alchemiscale_lake.execution` decides
which unit runs when, in which process and how often.
"""

from __future__ import annotations

import heapq
import inspect
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ExecutionError
from ..texts import LONG, storable
from ._gufe import tokenization
from .permanent import PermanentFolder, finished, offer

__all__ = [
    "create_protocol_dag",
    "execute_unit",
    "failed_unit_result",
    "unit_dependencies",
    "unit_exception",
    "unit_ok",
    "units_in_order",
]


def create_protocol_dag(transformation: Any, *, extends: Any = None, name: str | None = None) -> Any:
    """Create a ProtocolDAG of a Transformation or NonTransformation.

    Parameters
    ----------
    transformation : Transformation or NonTransformation
    extends : ProtocolDAGResult, optional
        Result to continue from, if the Protocol supports it.
    name : str, optional
    """
    if "extends" in inspect.signature(transformation.create).parameters:
        return transformation.create(extends=extends, name=name)
    # gufe 0.4: Transformation.create takes no arguments, and Protocol.create uses `extend_from`
    protocol = transformation.protocol
    accepted = inspect.signature(protocol.create).parameters
    word = "extends" if "extends" in accepted else "extend_from"
    return protocol.create(
        stateA=transformation.stateA,
        stateB=transformation.stateB,
        # 0.4's NonTransformation has the property, but no attribute behind it
        mapping=getattr(transformation, "mapping", None),
        name=name,
        **{word: extends},
    )


def units_in_order(dag: Any) -> list[Any]:
    """Return the ProtocolUnits in dependency order.

    Units that become ready together are sorted by name, then key, so that the order of a ProtocolDAG is the same in
    every process.
    """
    units = {str(unit.key): unit for unit in dag.protocol_units}
    needs = unit_dependencies(dag)
    waiting = {key: len(needed) for key, needed in needs.items()}
    wanted_by: dict[str, list[str]] = {key: [] for key in units}
    for key, needed in needs.items():
        for other in needed:
            wanted_by[other].append(key)
    ready = [(units[key].name or "", key) for key, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, key = heapq.heappop(ready)
        ordered.append(units[key])
        for other in wanted_by[key]:
            waiting[other] -= 1
            if waiting[other] == 0:
                heapq.heappush(ready, (units[other].name or "", other))
    return ordered


def unit_dependencies(dag: Any) -> dict[str, list[str]]:
    """Return, for every unit's key, the unique keys of the units it depends on."""
    return {
        str(unit.key): list(dict.fromkeys(str(needed.key) for needed in unit.dependencies))
        for unit in dag.protocol_units
    }


def execute_unit(
    unit: Any,
    *,
    shared: Path,
    scratch: Path,
    stdout: Path,
    stderr: Path,
    results: Mapping[str, Any],
    whole_exception: Path | None = None,
    permanent: PermanentFolder | None = None,
) -> Any:
    """Run one ProtocolUnit in this process.

    Parameters
    ----------
    unit : ProtocolUnit
    shared, scratch : Path
        Existing directories; `shared` must stay, at the same path, until the whole ProtocolDAG ends.
    stdout, stderr : Path
        Existing directories whose files gufe >= 1 includes in the result; gufe 0.4 has no equivalent.
    results : mapping of str to ProtocolUnitResult
        Result of every unit this one depends on, by unit key.
    whole_exception : Path, optional
        File for the full text of an exception that is too long for the failure, which then keeps its head and tail.
    permanent : PermanentFolder, optional
        Folder whose files are kept after the ProtocolDAG.

    Returns
    -------
    ProtocolUnitResult or ProtocolUnitFailure
        An exception inside the unit becomes a failure. KeyboardInterrupt, SystemExit and gufe's
        ExecutionInterrupt pass through.

    Raises
    ------
    ExecutionError
        If a result it depends on is missing or a failure, or if this gufe requires an unknown argument.
    FileNotFoundError
        If the unit has not written a file that it registered to be kept.
    """
    inputs = _with_results(unit.inputs, _usable(unit, results))
    folders = {
        "shared": shared.absolute(),
        "scratch": scratch.absolute(),
        "stdout": stdout.absolute(),
        "stderr": stderr.absolute(),
    }
    offer(unit, permanent)
    with finished(permanent) as ended:
        if "context" in inspect.signature(unit.execute).parameters:
            result = _in_context(unit, _context(folders, permanent), inputs)
        else:
            result = unit.execute(shared=folders["shared"], scratch=folders["scratch"], **inputs)
        ended.append(result)
    return result if unit_ok(result) else _with_plain_exception(result, whole_exception)


def unit_ok(result: Any) -> bool:
    """Return whether a unit result is a success; a failure is a subclass of it in gufe >= 1 only."""
    return bool(result.ok())


def unit_exception(result: Any) -> tuple[str, str] | None:
    """Return (exception as text, traceback) of a failed unit result, None for a success."""
    if unit_ok(result):
        return None
    kind, args = result.exception
    return f"{kind}({', '.join(repr(arg) for arg in args)})", str(result.traceback)


def failed_unit_result(
    unit: Any,
    *,
    exception: tuple[str, tuple[str, ...]],
    traceback: str,
    results: Mapping[str, Any] | None = None,
    stdout: Mapping[str, bytes] | None = None,
    stderr: Mapping[str, bytes] | None = None,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
) -> Any:
    """Make the failure of a unit whose process died before it could make its own.

    Parameters
    ----------
    unit : ProtocolUnit
    exception : (type name, arguments)
        In gufe's form, e.g. `("WorkerDied", ("signal 11 (SIGSEGV)",))`.
    traceback : str
        Replacement for a traceback, such as the tail of its standard error.
    results : mapping of str to ProtocolUnitResult, optional
        As given to `execute_unit`.
    stdout, stderr, start_time, end_time : optional
        Stored if gufe supports it (>= 1).
    """
    from gufe.protocols.protocolunit import ProtocolUnitFailure

    told = {
        "stdout": dict(stdout or {}),
        "stderr": dict(stderr or {}),
        "start_time": start_time,
        "end_time": end_time,
    }
    accepted = inspect.signature(ProtocolUnitFailure).parameters
    return ProtocolUnitFailure(
        name=unit.name,
        source_key=unit.key,
        inputs=_with_results(unit.inputs, results or {}, keep_units=True),
        outputs={},
        exception=exception,
        traceback=traceback,
        **{word: value for word, value in told.items() if word in accepted},
    )


def _usable(unit: Any, results: Mapping[str, Any]) -> Mapping[str, Any]:
    for needed in unit.dependencies:
        result = results.get(str(needed.key))
        if result is None or not unit_ok(result):
            state = "has no result" if result is None else "failed"
            raise ExecutionError(
                f"unit {unit.name} ({unit.key}) cannot run: {needed.name} ({needed.key}), which it depends on, "
                f"{state}; run it first",
                unit_key=str(unit.key),
                needs=str(needed.key),
            )
    return results


def _with_results(value: Any, results: Mapping[str, Any], *, keep_units: bool = False) -> Any:
    """Replace every ProtocolUnit inside dicts and lists by its result."""
    from gufe import ProtocolUnit

    if isinstance(value, dict):
        return {key: _with_results(item, results, keep_units=keep_units) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_results(item, results, keep_units=keep_units) for item in value]
    if isinstance(value, ProtocolUnit):
        return results.get(str(value.key), value) if keep_units else results[str(value.key)]
    return value


def _in_context(unit: Any, context: Any, inputs: Mapping[str, Any]) -> Any:
    """Execute a unit in gufe's Context, which may keep files when it is left."""
    if not hasattr(context, "__exit__"):
        return unit.execute(context=context, **inputs)
    result = None
    try:
        with context:
            result = unit.execute(context=context, **inputs)
    except FileNotFoundError:
        # a failed unit has not written all that it registered
        if result is None or unit_ok(result):
            raise
    return result


def _context(folders: Mapping[str, Path], permanent: PermanentFolder | None) -> Any:
    """Make gufe's Context from the arguments in its signature, which has changed and will change again."""
    from gufe.protocols.protocolunit import Context

    known: dict[str, Any] = dict(folders)
    parameters = inspect.signature(Context).parameters
    if permanent is not None and "permanent_storage" in parameters:
        from gufe.storage.externalresource import FileStorage

        known |= {"dag_label": permanent.path.parent.name, "unit_label": permanent.path.name}
        known |= {"shared_storage": FileStorage(folders["shared"].parent)}
        known |= {"permanent_storage": FileStorage(permanent.path.parents[1])}
    unknown = [p.name for p in parameters.values() if p.default is p.empty and p.name not in known]
    if unknown:
        raise ExecutionError(
            f"the Context of this gufe requires {', '.join(unknown)}, which this version of alchemiscale-lake "
            "does not support; use an older gufe or a newer alchemiscale-lake",
            parameters=unknown,
        )
    return Context(**{word: value for word, value in known.items() if word in parameters})


def _with_plain_exception(failure: Any, whole: Path | None) -> Any:
    """Return a failure that JSON and tables can store: exception arguments may have any type and size."""
    tok = tokenization()
    kind, args = failure.exception
    trace = str(failure.traceback)
    note = None if whole is None else whole.name
    plain = tuple(_plain_argument(arg, note) for arg in args), storable(trace, LONG, whole=note)
    if plain == (tuple(args), failure.traceback):
        return failure
    if whole is not None and (len(trace) > LONG or any(isinstance(a, str) and len(a) > LONG for a in args)):
        said = [str(arg) for arg in args]
        text = "\n\n".join([*(arg for arg in said if arg not in trace), trace])
        whole.write_text(text, errors="backslashreplace")
    shallow = failure.to_shallow_dict()
    shallow["exception"], shallow["traceback"] = (storable(str(kind)), plain[0]), plain[1]
    # under the old key gufe would return its cached object
    shallow["_key"] = tok.GufeKey(f"{type(failure).__qualname__}-{uuid.uuid4().hex}")
    return tok.from_dict(shallow)


def _plain_argument(argument: Any, whole: str | None) -> Any:
    if isinstance(argument, str):
        return storable(argument, LONG, whole=whole)
    try:
        if len(json.dumps(argument)) <= LONG:
            return argument
    except (TypeError, ValueError, RecursionError):
        pass
    return storable(repr(argument), LONG, whole=whole)
