"""Finished Tasks carried to another Scope, with their results by reference.

Only rows are written: objects stay where they are, and the new rows have their paths. A carried Task keeps its gufe
key, and `tasks.origin` and `results.origin_attempt` name where it ran. So whatever the order of copies and merges, a
Scope has a Task once: a Task that comes back to its own Scope is there already.

Units, files and repeats are written first, then the results, then the events that end the Tasks. Each write is
idempotent by key.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..query import connect_to_networks, read_sql
from ..store import Lake, collect, now_utc
from ..tasks import Event, TaskState, TaskStates, status
from ..tasks.states import ACTIONABLE
from .stored_files import relied_on, stored_files

__all__ = ["CarriedResults", "carried_attempt", "plan_carried", "write_carried"]

#: The result that counts of every complete Task, with the immutable facts of the Task.
_FINISHED: Final = """
select
    counted.*,
    tasks.extends,
    tasks.creator,
    tasks.created_at,
    tasks.origin
from counted_results as counted
join task_states as states
    on counted.task = states.task
    and states.status = 'complete'
join tasks
    on counted.scope = tasks.scope
    and counted.task = tasks.task
order by counted.scope, counted.task
"""
#: Tables of the parts of a result.
_PARTS: Final = ("unit_results", "refused_files", "replicates")
#: Reason why a file does not come with its result.
_DELETED: Final = "it was deleted in its own Scope while it was copied"
_OF_TASK: Final = ("extends", "creator", "created_at", "origin")


@dataclass(frozen=True, slots=True)
class CarriedResults:
    """Results to carry to a Scope.

    Attributes
    ----------
    scope : str
        Target Scope.
    tasks : polars.DataFrame
        Rows of `tasks`, each after the one it extends.
    results : polars.DataFrame
        Rows of `results`, in the same order.
    attempts : mapping of str to str
        Attempts of the results in the target Scope, by those in the sources.
    sources : tuple of str
        Scopes that they come from.
    n_known : int
        Number of finished Tasks of the sources that the Scope had already.
    n_bytes : int
        Size of the objects that the results refer to.
    """

    scope: str
    tasks: pl.DataFrame
    results: pl.DataFrame
    attempts: Mapping[str, str]
    sources: tuple[str, ...]
    n_known: int
    n_bytes: int


def carried_attempt(attempt: str, scope: str) -> str:
    """Return the id that an attempt's result has in another Scope.

    Parameters
    ----------
    attempt : str
        Attempt that computed the result.
    scope : str
        Scope that it is carried to.
    """
    return hashlib.sha256(f"{scope}\n{attempt}".encode()).hexdigest()[:32]


def plan_carried(lake: Lake, sources: Sequence[str], places: Mapping[str, str], scope: str) -> CarriedResults:
    """Return the finished Tasks of networks that a Scope lacks; nothing is written.

    Parameters
    ----------
    lake : Lake
    sources : sequence of str
        ScopedKeys of the networks.
    places : mapping of str to str
        ScopedKey of a Transformation in the target Scope, by that of the source's.
    scope : str
        Target Scope.
    """
    elsewhere = [network for network in sources if not network.endswith(f"-{scope}")]
    found = _finished(lake, elsewhere, places)
    states = lake.task_log.states()
    rows = found.with_columns(
        transformation=pl.col("transformation").replace_strict(places, return_dtype=pl.String),
        source=pl.col("scope"),
        origin=pl.coalesce("origin", "task"),
        origin_attempt=pl.coalesce("origin_attempt", "attempt"),
        task=_in_scope("task", scope),
        extends=_in_scope("extends", scope),
        scope=pl.lit(scope),
    )
    rows = rows.with_columns(new_attempt=_ids(rows["origin_attempt"], scope))
    there = states.of(rows["task"].to_list())
    known = [task for task, state in there.items() if state.status not in ACTIONABLE]
    new = rows.filter(~pl.col("task").is_in(known) & ~pl.col("origin").str.ends_with(f"-{scope}"))
    new = new.unique("task", keep="first", maintain_order=True)
    new = _once(new, _imported(lake, scope, places.values(), apart_from=new["task"].to_list()))
    new = _parents_first(new, states)
    attempts = dict(new.select("attempt", "new_attempt").iter_rows())
    n_known = rows["task"].n_unique() - len(new)
    results = new.with_columns(attempt=pl.col("new_attempt"), recorded_at=pl.lit(now_utc(), pl.Datetime("us", "UTC")))
    return CarriedResults(
        scope=scope,
        tasks=new.select("scope", "task", "transformation", *_OF_TASK),
        results=results.select(lake.table("results").schema.names),
        attempts=attempts,
        sources=tuple(new["source"].unique().sort()),
        n_known=n_known,
        n_bytes=int(new.unique("object_path")["n_bytes"].sum() or 0),
    )


def write_carried(lake: Lake, carried: CarriedResults, *, caller: Caller) -> int:
    """Write what was planned, and return the number of new results; idempotent.

    Parameters
    ----------
    lake : Lake
    carried : CarriedResults
    caller : Caller
        Recorded in the log as the one who ended the Tasks.
    """
    if not len(carried.tasks):
        return 0
    lake.table("tasks").append_new(carried.tasks)
    fault_point("carry:tasks-written")
    for name in _PARTS:
        lake.table(name).append_new(_renamed(lake.table(name).scan(), carried, name))
        fault_point(f"carry:{name}-written")
    kept, refused = relied_on(lake, _renamed(stored_files(lake), carried, "result_files"), _DELETED)
    lake.table("result_files").append_new(kept)
    lake.table("refused_files").append_new(refused)
    fault_point("carry:result_files-written")
    written = lake.table("results").append_new(carried.results)
    fault_point("carry:results-written")
    lake.task_log.commit(lambda states: _ends(states, carried), caller=caller)
    fault_point("carry:events-written")
    return written


# --- planning ---------------------------------------------------------------------------------------


def _finished(lake: Lake, networks: Sequence[str], places: Mapping[str, str]) -> pl.DataFrame:
    names = ("counted_results", "task_states", "tasks", "result_estimates")
    opened = connect_to_networks(lake, networks, names)
    rows = read_sql(opened.connection, _FINISHED)
    return rows.filter(pl.col("transformation").is_in(list(places)))


def _in_scope(column: str, scope: str) -> pl.Expr:
    """Return ScopedKeys with another Scope."""
    return pl.col(column).str.extract(r"^([^-]+-[^-]+)-") + f"-{scope}"


def _ids(attempts: pl.Series, scope: str) -> pl.Series:
    return pl.Series([carried_attempt(attempt, scope) for attempt in attempts], dtype=pl.String)


def _imported(
    lake: Lake, scope: str, transformations: Collection[str], *, apart_from: Collection[str]
) -> Counter[tuple[object, ...]]:
    """Count the results of files that the Scope has, by their content; not those of some Tasks."""
    here = (pl.col("scope") == scope) & pl.col("ok") & pl.col("transformation").is_in(list(transformations))
    rows = lake.table("results").scan().filter(here & pl.col("object_path").str.starts_with("imports/"))
    rows = rows.filter(~pl.col("task").is_in(list(apart_from)))
    columns = ("task", "transformation", "object_path", "estimate_kcal_mol", "uncertainty_kcal_mol")
    found = collect(rows.select(columns), "imported results").unique("task", keep="first", maintain_order=True)
    return Counter(_content(row) for row in found.iter_rows(named=True))


def _content(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Identify an imported result by its file and numbers: each Scope gives it another Task."""
    file = str(row["object_path"]).rpartition("/")[2]
    return (row["transformation"], file, row["estimate_kcal_mol"], row["uncertainty_kcal_mol"])


def _once(rows: pl.DataFrame, there: Counter[tuple[object, ...]]) -> pl.DataFrame:
    """Leave out results of files that the Scope, or another source, has imported itself."""
    kept = []
    for of_scope in rows.partition_by("source", maintain_order=True):
        left = Counter(there)
        chosen = []
        for row in of_scope.iter_rows(named=True):
            content = _content(row) if str(row["object_path"]).startswith("imports/") else None
            if content is not None and left[content] > 0:
                left[content] -= 1
                chosen.append(False)
            else:
                there.update([] if content is None else [content])
                chosen.append(True)
        kept.append(of_scope.filter(pl.Series(chosen, dtype=pl.Boolean)))
    return pl.concat(kept) if kept else rows


def _parents_first(rows: pl.DataFrame, states: TaskStates) -> pl.DataFrame:
    """Sort Tasks after those that they extend; leave out those that extend invalid or deleted ones.

    A Task whose parent neither comes with it nor is in the Scope extends none there.
    """
    parents = dict(rows.select("task", "extends").iter_rows())
    there = states.of([parent for parent in parents.values() if parent is not None and parent not in parents])
    order: dict[str, str | None] = {}
    struck = {task for task, state in there.items() if state.status in ("invalid", "deleted")}
    for task in parents:
        chain = [task]
        while (above := parents.get(chain[-1])) is not None and above in parents and above not in order:
            chain.append(above)
        for one in reversed(chain):
            parent = parents[one]
            if parent in struck:
                struck.add(one)
            order.setdefault(one, parent if parent in order or parent in there else None)
    kept = {task: parent for task, parent in order.items() if task not in struck}
    schema = {"task": pl.String, "extends": pl.String}
    ordered = pl.DataFrame(list(kept.items()), schema=schema, orient="row")
    return ordered.join(rows.drop("extends"), on="task", how="left", maintain_order="left")


# --- writing ----------------------------------------------------------------------------------------


def _renamed(rows: pl.LazyFrame, carried: CarriedResults, table: str) -> pl.DataFrame:
    """Return the rows of the parts of results as the target Scope has them."""
    attempts = carried.attempts
    here = pl.col("scope").is_in(list(carried.sources)) & pl.col("attempt").is_in(list(attempts))
    return collect(rows.filter(here), f"table '{table}'").with_columns(
        scope=pl.lit(carried.scope), attempt=pl.col("attempt").replace_strict(attempts, return_dtype=pl.String)
    )


def _ends(states: TaskStates, carried: CarriedResults) -> list[Event]:
    """Create the Tasks that are not in the log, and complete those that are not complete."""
    tasks = carried.tasks.select("task", "transformation", "extends").rows()
    attempts = dict(carried.results.select("task", "attempt").iter_rows())
    known = states.of(list(attempts))
    events: list[Event] = []
    for task, transformation, extends in tasks:
        state = known.get(task)
        if state is None:
            state = TaskState(carried.scope, task, transformation, extends)
            events.append(Event("created", state))
        done = status.complete(state, attempts[task])
        events += [done] if isinstance(done, Event) else []
    return events
