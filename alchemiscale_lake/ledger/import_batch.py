"""What an import writes for one network: objects, Transformations, Tasks, results, and last the network.

Every key follows from content, so that writing again, or after a crash, adds what is missing and no more.
What files say is read in `networks`; what belongs together is decided in `imports`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from ..faults import fault_point
from ..ids import Scope
from ..networks.chain import ChainObject, digest
from ..networks.components import own_name
from ..networks.facts import transformation_rows
from ..networks.imported import ResultRecord, UnitRecord
from ..networks.placing import described
from ..networks.rows import object_rows
from ..store import Lake, collect
from ..tasks import Event, TaskState, TaskStates, status

__all__ = [
    "Batch",
    "PlannedResult",
    "Reading",
    "Source",
    "Stored",
    "Written",
    "imported_network_key",
    "known_attempts",
    "object_path",
    "stable_id",
    "write_batch",
]

#: Pool that a failed attempt is said to have been claimed by.
_POOL: Final = "imported"


@dataclass(frozen=True, slots=True)
class PlannedResult:
    """One result with what is needed to write its rows.

    Attributes
    ----------
    transformation : str
        gufe key.
    identity : str
        What is the same whenever this calculation is imported: it names the Task.
    object_path : str
        Where the file will lie in the lake.
    at : datetime
        When it was run, for want of better: the file's time.
    on_gpu : bool
        Whether it held a GPU.
    """

    transformation: str
    identity: str
    record: ResultRecord
    object_path: str
    at: datetime
    on_gpu: bool = False

    def task(self, scope: Scope) -> str:
        """ScopedKey of the Task."""
        return f"Task-{stable_id(str(scope), self.transformation, self.identity)}-{scope}"

    def attempt(self, scope: Scope) -> str:
        """Id of the attempt: another outcome of one Task is another attempt."""
        record = self.record
        outcome = (record.ok, record.estimate_kcal_mol, record.uncertainty_kcal_mol, record.exception)
        return stable_id(self.task(scope), repr(outcome))


@dataclass(slots=True)
class Batch:
    """All that is imported into one network.

    Attributes
    ----------
    network : str or None
        ScopedKey of the network; None if the results belong to what the Scope has.
    name : str or None
        Its name, if its row is to be written.
    objects : mapping of str to ChainObject
    made : list of str
        Keys of Transformations that are to be stored.
    members : list of str
        Keys of Transformations that are to belong to the network, if `name` is given.
    known_better : mapping of str to dict
        Columns of `transformations` that are not in the objects.
    """

    scope: Scope
    network: str | None
    name: str | None
    objects: Mapping[str, ChainObject]
    made: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    known_better: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: list[PlannedResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that results come from.

    Attributes
    ----------
    digest : str
        SHA-256 of its content, uncompressed.
    n_bytes : int
        Size of that.
    format : str
        As in the table `imports`.
    object_path : str
        Where the content will lie in the lake.
    n_good, n_failed : int
        Results in it.
    """

    scope: Scope
    network: str | None
    path: Path
    digest: str
    n_bytes: int
    format: str
    protocol_qualname: str | None
    object_path: str
    n_good: int
    n_failed: int


@dataclass(slots=True)
class Reading:
    """What was read and is to be written.

    Attributes
    ----------
    n_files, n_known_files : int
        Files looked at, and those whose content the Scope has.
    bad : list of (str, str)
        Files that cannot be imported, and why.
    assays : list of dict
        Rows of `assays` less who entered them when, and of which kind.
    networks : dict of str to None
        ScopedKeys of networks that have what was read already.
    """

    batches: list[Batch] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    n_files: int = 0
    n_known_files: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assays: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in the lake: SHA-256 and size of it as it lies there."""

    digest: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """What of a batch was new."""

    n_transformations: int
    n_good: int
    n_failed: int
    n_known: int


def stable_id(*parts: str) -> str:
    """32 hexadecimal digits that follow from the parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def imported_network_key(name: str) -> str:
    """Return the gufe key of the network that an import makes: it follows from the name, for the network may grow."""
    return f"AlchemicalNetwork-{stable_id('imported network', name)}"


def known_attempts(lake: Lake, scopes: Iterable[Scope]) -> set[str]:
    """Attempts that have a result in these Scopes."""
    wanted = pl.col("scope").is_in([str(scope) for scope in scopes])
    rows = collect(lake.table("results").scan().filter(wanted).select("attempt"), "results")
    return set(rows["attempt"])


def object_path(scope: Scope, digest: str, suffix: str) -> str:
    """Path under which an imported file lies in the lake."""
    return f"imports/{scope}/{digest}{suffix}.zst"


def write_batch(
    lake: Lake, batch: Batch, stored: Mapping[str, Stored], known: set[str], *, creator: str, at: datetime
) -> Written:
    """Write what is new of a batch; the row that makes the network visible comes last.

    Parameters
    ----------
    stored : mapping of str to Stored
        The files, by their path in the lake.
    known : set of str
        Attempts that have a result already; what is written is added.
    """
    n_transformations = _write_transformations(lake, batch, at)
    results = {result.attempt(batch.scope): result for result in batch.results}
    fresh = {attempt: result for attempt, result in results.items() if attempt not in known}
    _write_results(lake, batch.scope, fresh, stored, creator=creator, at=at)
    _end_tasks(lake, batch.scope, results, known, creator=creator)
    if batch.network is not None and batch.name is not None:
        _write_network(lake, batch, batch.network, creator=creator, at=at)
    known.update(fresh)
    n_good = sum(result.record.ok for result in fresh.values())
    return Written(n_transformations, n_good, len(fresh) - n_good, len(results) - len(fresh))


def _write_transformations(lake: Lake, batch: Batch, at: datetime) -> int:
    if not batch.made:
        return 0
    network = described(batch.objects, batch.made)
    objects = list(network.objects.values())
    digests = {obj.key: digest(obj.keyed_dict) for obj in objects}
    lake.table("gufe_objects").append_new(object_rows(objects, digests, batch.scope, at, None))
    # as `openfe gather` has it, names are what joins the edges of a network
    labels = {key: name for key, obj in network.objects.items() if (name := own_name(obj.keyed_dict))}
    rows = transformation_rows(network, batch.scope, at, labels=labels)
    return lake.table("transformations").append_new([row | batch.known_better.get(row["key"], {}) for row in rows])


def _write_results(
    lake: Lake,
    scope: Scope,
    results: Mapping[str, PlannedResult],
    stored: Mapping[str, Stored],
    *,
    creator: str,
    at: datetime,
) -> None:
    if not results:
        return
    tasks = {
        result.task(scope): {
            "scope": str(scope),
            "task": result.task(scope),
            "transformation": f"{result.transformation}-{scope}",
            "creator": creator,
            "created_at": at,
        }
        for result in results.values()
    }
    lake.table("tasks").append_new(list(tasks.values()))
    units = [row for attempt, result in results.items() for row in _unit_rows(scope, attempt, result)]
    if units:
        lake.table("unit_results").append_new(units)
    fault_point("import:before-results")
    rows = [
        _result_row(scope, attempt, result, stored[result.object_path]) | {"recorded_at": at}
        for attempt, result in results.items()
    ]
    lake.table("results").append_new(rows)
    fault_point("import:before-events")


def _end_tasks(
    lake: Lake, scope: Scope, results: Mapping[str, PlannedResult], known: set[str], *, creator: str
) -> None:
    """Create the Tasks that are not in the log yet, and end each as its results have it."""
    ends: dict[str, tuple[str, PlannedResult]] = {}
    for attempt, result in results.items():
        task = result.task(scope)
        if task not in ends or (result.record.ok and not ends[task][1].record.ok):
            ends[task] = (attempt, result)

    def decide(states: TaskStates) -> list[Event]:
        events: list[Event] = []
        there = states.of(list(ends))
        for task, (attempt, result) in ends.items():
            state = there.get(task)
            if state is None:  # new, or whoever stored its result died before this
                state = TaskState(str(scope), task, f"{result.transformation}-{scope}", None)
                events += _accepted(status.create(state, None))
            elif attempt in known:
                continue
            events += _end(state, attempt, result)
        return events

    if ends:
        lake.task_log.commit(decide, actor=creator)


def _end(state: TaskState, attempt: str, result: PlannedResult) -> list[Event]:
    if result.record.ok:
        return _accepted(status.complete(state, attempt))
    # a failure is told by whoever holds the claim
    claimed = _accepted(status.claim(state, attempt, _POOL, result.at))
    return claimed + [e for c in claimed for e in _accepted(status.fail(c.after, attempt, result.record.exception))]


def _accepted(done: Event | status.Refusal) -> list[Event]:
    return [done] if isinstance(done, Event) else []


def _write_network(lake: Lake, batch: Batch, network: str, *, creator: str, at: datetime) -> None:
    common = {"scope": str(batch.scope), "network": network}
    systems = _systems(lake, batch)
    members = [common | {"member": f"{key}-{batch.scope}", "kind": "transformation"} for key in batch.members]
    members += [common | {"member": f"{key}-{batch.scope}", "kind": "system"} for key in systems]
    lake.table("network_members").append_new(members)
    fault_point("import:before-network")
    row = {
        "key": network.removesuffix(f"-{batch.scope}"),
        "name": batch.name,
        "n_transformations": len(batch.members),
        "n_systems": len(systems),
        "creator": creator,
        "created_at": at,
    }
    lake.table("networks").append_new([common | row])


def _systems(lake: Lake, batch: Batch) -> list[str]:
    """Keys of the ChemicalSystems that the members lead from and to."""
    here = lake.table("transformations").scan().filter(pl.col("scope") == str(batch.scope))
    states = collect(here.filter(pl.col("key").is_in(batch.members)).select("state_a", "state_b"), "Transformations")
    return sorted(set(states["state_a"]) | set(states["state_b"].drop_nulls()))


# --- rows -----------------------------------------------------------------------------------------


def _result_row(scope: Scope, attempt: str, result: PlannedResult, stored: Stored) -> dict[str, Any]:
    record = result.record
    started_at, ended_at = _span(record.units, result.at)
    lengths = [unit.ended_at - unit.started_at for unit in record.units if unit.ended_at and unit.started_at]
    # repeats of one file took turns: what a repeat took is the sum of its units
    wall_time_s = sum(lengths, timedelta()).total_seconds()
    return {
        "scope": str(scope),
        "attempt": attempt,
        "task": result.task(scope),
        "transformation": f"{result.transformation}-{scope}",
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


def _unit_rows(scope: Scope, attempt: str, result: PlannedResult) -> list[dict[str, Any]]:
    rows, tries = [], dict[str, int]()
    for unit in result.record.units:
        tries[unit.unit] = tries.get(unit.unit, 0) + 1
        started_at, ended_at = _span([unit], result.at)
        rows.append(
            {
                "scope": str(scope),
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
