"""Writing of an import's plan: objects, Transformations, Tasks, results, and last the networks.

One append per table, however many networks there are. Writing again, or after a crash, adds only what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..networks.chain import digest
from ..networks.components import own_name
from ..networks.facts import transformation_rows
from ..networks.imported import UnitRecord
from ..networks.result_matching import described
from ..networks.rows import object_rows
from ..statestore.calculations import record_stored_calculations
from ..store import Lake, collect
from ..tasks import Event, TaskState, TaskStates, status
from .import_batch import Batch, PlannedResult

__all__ = ["Stored", "Written", "write_batches"]

#: Pool recorded for the claim of an imported failed attempt.
_POOL: Final = "imported"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in the lake: SHA-256 and size as stored.

    Attributes
    ----------
    digest : str
        SHA-256.
    n_bytes : int
        Size, compressed.
    """

    digest: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """Numbers of new Transformations, good and failed results, and of results that were known.

    Attributes
    ----------
    n_transformations : int
        New Transformations.
    n_good : int
        New good results.
    n_failed : int
        New failed results.
    n_known : int
        Results that the lake had already.
    """

    n_transformations: int
    n_good: int
    n_failed: int
    n_known: int


def write_batches(
    lake: Lake, batches: Sequence[Batch], stored: Mapping[str, Stored], *, caller: Caller, at: datetime
) -> Written:
    """Write new rows; those that make networks visible come last.

    Parameters
    ----------
    lake : Lake
    batches : sequence of Batch
        Content by network.
    stored : mapping of str to Stored
        The files, by their path in the lake.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    at : datetime
        Time of the import, UTC.
    """
    planned = [result for batch in batches for result in batch.results]
    results = {result.attempt: result for result in planned}
    known = _known_attempts(lake, {str(batch.scope) for batch in batches})
    carried = _carried(lake, results, known)
    results = {attempt: result for attempt, result in results.items() if attempt not in carried}
    fresh = {attempt: result for attempt, result in results.items() if attempt not in known}
    n_transformations = _write_transformations(lake, batches, at)
    _write_results(lake, fresh, stored, caller=caller, at=at)
    _end_tasks(lake, results, known, caller=caller)
    _write_networks(lake, batches, caller=caller, at=at)
    n_good = sum(result.record.ok for result in fresh.values())
    return Written(n_transformations, n_good, len(fresh) - n_good, len(planned) - len(fresh))


def _known_attempts(lake: Lake, scopes: Iterable[str]) -> set[str]:
    here = lake.table("results").scan().filter(pl.col("scope").is_in(list(scopes)))
    return set(collect(here.select("attempt"), "results")["attempt"])


def _carried(lake: Lake, results: Mapping[str, PlannedResult], known: set[str]) -> set[str]:
    """Return the planned results that their Scope has from another one, which imported the same file."""
    scopes = sorted({str(result.scope) for result in results.values()})
    of_files = pl.col("origin_attempt").is_not_null() & pl.col("object_path").str.starts_with("imports/")
    rows = lake.table("results").scan().filter(pl.col("scope").is_in(scopes) & of_files)
    columns = ("transformation", "object_path", "estimate_kcal_mol", "uncertainty_kcal_mol")
    there = Counter(_content(*row) for row in collect(rows.select(columns), "results").iter_rows())
    found = set()
    for attempt, planned in results.items():
        record = planned.record
        content = _content(
            planned.transformation_key, planned.object_path, record.estimate_kcal_mol, record.uncertainty_kcal_mol
        )
        if record.ok and attempt not in known and there[content] > 0:
            there[content] -= 1
            found.add(attempt)
    return found


def _content(
    transformation: str, path: str, estimate: float | None, uncertainty: float | None
) -> tuple[str, str, float | None, float | None]:
    """Identify a result by its file and numbers."""
    return (transformation, path.rpartition("/")[2], estimate, uncertainty)


def _append(lake: Lake, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return lake.table(table).append_new(rows) if rows else 0


def _write_transformations(lake: Lake, batches: Iterable[Batch], at: datetime) -> int:
    objects: list[dict[str, Any]] = []
    transformations: list[dict[str, Any]] = []
    for batch in batches:
        if not batch.made:
            continue
        network = described(batch.objects, batch.made)
        given = list(network.objects.values())
        objects += object_rows(given, {obj.key: digest(obj.keyed_dict) for obj in given}, batch.scope, at, None)
        # as in `openfe gather`, the edges of a network are joined by names
        labels = {key: name for key, obj in network.objects.items() if (name := own_name(obj.keyed_dict))}
        rows = transformation_rows(network, batch.scope, at, labels=labels)
        transformations += [row | batch.known_better.get(row["key"], {}) for row in rows]
    _append(lake, "gufe_objects", objects)
    n_new = _append(lake, "transformations", transformations)
    for scope in {row["scope"] for row in transformations}:
        record_stored_calculations(lake, scope)
    return n_new


def _write_results(
    lake: Lake, results: Mapping[str, PlannedResult], stored: Mapping[str, Stored], *, caller: Caller, at: datetime
) -> None:
    tasks = {
        result.task: {
            "scope": str(result.scope),
            "task": result.task,
            "transformation": result.transformation_key,
            "creator": caller.name,
            "created_at": at,
        }
        for result in results.values()
    }
    _append(lake, "tasks", list(tasks.values()))
    _append(lake, "unit_results", [row for attempt, result in results.items() for row in _unit_rows(attempt, result)])
    _append(
        lake, "replicates", [row for attempt, result in results.items() for row in _replicate_rows(attempt, result)]
    )
    fault_point("import:before-results")
    rows = [
        _result_row(attempt, result, stored[result.object_path]) | {"recorded_at": at}
        for attempt, result in results.items()
    ]
    _append(lake, "results", rows)
    fault_point("import:before-events")


def _replicate_rows(attempt: str, result: PlannedResult) -> list[dict[str, Any]]:
    common = {"scope": str(result.scope), "attempt": attempt}
    return [
        common | {"replicate": number, "value_kcal_mol": value, "uncertainty_kcal_mol": uncertainty}
        for number, (value, uncertainty) in enumerate(result.record.replicates)
    ]


def _end_tasks(lake: Lake, results: Mapping[str, PlannedResult], known: set[str], *, caller: Caller) -> None:
    """Create the Tasks that are not in the log yet, and end each according to its results."""
    ends: dict[str, tuple[str, PlannedResult]] = {}
    for attempt, result in results.items():
        before = ends.get(result.task)
        if before is None or (result.record.ok and not before[1].record.ok):
            ends[result.task] = (attempt, result)

    def decide(states: TaskStates) -> list[Event]:
        events: list[Event] = []
        there = states.of([*ends, *(task for _, result in ends.values() for task in result.replaces)])
        for task, (attempt, result) in ends.items():
            state = there.get(task)
            if state is None:  # new, or the process that stored its result died before this
                state = TaskState(str(result.scope), task, result.transformation_key, None)
                events += _accepted(status.create(state, None))
            elif attempt in known:
                continue
            events += _end(state, attempt, result)
            events += _replace(there, task, result)
        return events

    if ends:
        lake.task_log.commit(decide, caller=caller)


def _end(state: TaskState, attempt: str, result: PlannedResult) -> list[Event]:
    if result.record.ok:
        return _accepted(status.complete(state, attempt))
    # only the holder of a claim can report a failure
    claimed = _accepted(status.claim(state, attempt, _POOL, result.at))
    return claimed + [e for c in claimed for e in _accepted(status.fail(c.after, attempt, result.record.exception))]


def _replace(there: Mapping[str, TaskState], task: str, result: PlannedResult) -> list[Event]:
    """Set the Tasks that a result replaces to invalid."""
    states = [there[replaced] for replaced in result.replaces if replaced in there]
    return [e for state in states for e in _accepted(status.set_status(state, "invalid", f"replaced by {task}"))]


def _accepted(done: Event | status.Refusal) -> list[Event]:
    return [done] if isinstance(done, Event) else []


def _write_networks(lake: Lake, batches: Iterable[Batch], *, caller: Caller, at: datetime) -> None:
    named = [batch for batch in batches if batch.network is not None and batch.name is not None and batch.members]
    if not named:
        return
    states = _states(lake, named)
    members: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    for batch in named:
        common = {"scope": str(batch.scope), "network": batch.network}
        systems = sorted({key for member in batch.members for key in states[str(batch.scope), member]})
        members += [common | {"member": f"{key}-{batch.scope}", "kind": "transformation"} for key in batch.members]
        members += [common | {"member": f"{key}-{batch.scope}", "kind": "system"} for key in systems]
        row = {
            "key": str(batch.network).removesuffix(f"-{batch.scope}"),
            "name": batch.name,
            "n_transformations": len(batch.members),
            "n_systems": len(systems),
            "creator": caller.name,
            "created_at": at,
        }
        networks.append(common | row)
    _append(lake, "network_members", members)
    fault_point("import:before-network")
    _append(lake, "networks", networks)


def _states(lake: Lake, batches: Iterable[Batch]) -> dict[tuple[str, str], list[str]]:
    """Return the keys of the end states of Transformations, by Scope and key."""
    here = pl.col("scope").is_in({str(batch.scope) for batch in batches})
    columns = lake.table("transformations").scan().filter(here).select("scope", "key", "state_a", "state_b")
    rows = collect(columns, "Transformations").iter_rows()
    return {(scope, key): [state for state in states if state is not None] for scope, key, *states in rows}


# --- rows -----------------------------------------------------------------------------------------


def _result_row(attempt: str, result: PlannedResult, stored: Stored) -> dict[str, Any]:
    record = result.record
    started_at, ended_at = _span(record.units, result.at)
    lengths = [unit.ended_at - unit.started_at for unit in record.units if unit.ended_at and unit.started_at]
    # the repeats of one file took turns, so the time of a repeat is the sum of its units
    wall_time_s = sum(lengths, timedelta()).total_seconds()
    return {
        "scope": str(result.scope),
        "attempt": attempt,
        "task": result.task,
        "transformation": result.transformation_key,
        "ok": record.ok,
        "estimate_kcal_mol": record.estimate_kcal_mol,
        "uncertainty_kcal_mol": record.uncertainty_kcal_mol,
        "exception": record.exception,
        "failed_unit": record.failed_unit,
        "object_path": result.object_path,
        "digest": stored.digest,
        "n_bytes": stored.n_bytes,
        "n_units": len(record.units),
        "started_at": started_at,
        "ended_at": ended_at,
        "wall_time_s": wall_time_s,
        "gpu_time_s": wall_time_s if result.on_gpu and lengths else None,
    }


def _unit_rows(attempt: str, result: PlannedResult) -> list[dict[str, Any]]:
    rows, tries = [], dict[str, int]()
    for unit in result.record.units:
        tries[unit.unit] = tries.get(unit.unit, 0) + 1
        started_at, ended_at = _span([unit], result.at)
        rows.append(
            {
                "scope": str(result.scope),
                "attempt": attempt,
                "unit": unit.unit,
                "try_number": tries[unit.unit],
                "name": unit.name,
                "qualname": unit.unit.partition("-")[0],
                "ok": unit.ok,
                "exception": unit.exception,
                "traceback": unit.traceback,
                "started_at": started_at,
                "ended_at": ended_at,
            }
        )
    return rows


def _span(units: Sequence[UnitRecord], otherwise: datetime) -> tuple[datetime, datetime]:
    started = [unit.started_at for unit in units if unit.started_at is not None]
    ended = [unit.ended_at for unit in units if unit.ended_at is not None]
    if not started or not ended:
        return otherwise, otherwise
    return min(started), max(*ended, *started)
