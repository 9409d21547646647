"""The story of one Task: created, claimed, attempts, decisions, results and files, in one read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from ..errors import NotFoundError
from ..execution.quarantine_list import read_quarantine
from ..ids import ScopedKey
from ..query import NetworkNames
from ..store import Lake, collect, now_utc
from ..tasks import TaskState
from .task_attempts import task_attempts
from .task_files import task_files
from .task_names import TaskNames

__all__ = ["TaskStory", "task_story"]

_EVENT: Final = ("at", "event", "status", "actor", "network", "weight", "of_attempt", "pool", "pattern", "reason")
_FILE: Final = ("attempt", "path", "n_bytes", "object_path", "reason")
_RESULT: Final = ("attempt", "ok", "estimate_kcal_mol", "uncertainty_kcal_mol", "ended_at", "n_bytes", "object_path")


@dataclass(frozen=True, slots=True)
class TaskStory:
    """Everything a lake knows about a Task.

    Attributes
    ----------
    state : TaskState
        Its current state.
    name : str
        Name of the Transformation, and number of the Task.
    creator : str or None
    created_at : datetime or None
    origin : str or None
        Task of another Scope that it was copied from.
    extended_by : list of str
        Tasks that continue its result.
    networks : dict of str to float
        Weight by title of the network that it is actioned on.
    events : list of dict
        Entries of its log, oldest first, without renewals of claims; networks by title.
    attempts : list of dict
        As `task_attempts`, oldest first.
    results : list of dict
        Its results, oldest first.
    files : list of dict
        Files kept, and those that were not kept or were deleted, with the reason: attempt, path, n_bytes, object_path,
        reason.
    quarantined : dict of str to datetime
        Hosts of its attempts that are quarantined now, and until when.
    """

    state: TaskState
    name: str
    creator: str | None
    created_at: datetime | None
    origin: str | None
    extended_by: list[str]
    networks: dict[str, float]
    events: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    results: list[dict[str, Any]]
    files: list[dict[str, Any]]
    quarantined: dict[str, datetime]


def task_story(lake: Lake, task: str) -> TaskStory:
    """Return the story of a Task.

    Parameters
    ----------
    lake : Lake
    task : str
        ScopedKey.

    Raises
    ------
    NotFoundError
        If the lake has no such Task.
    StorageError
        If the lake does not answer.
    """
    states = lake.task_log.states()
    state = states.of([task]).get(task)
    if state is None:
        raise NotFoundError(f"the lake has no Task {task}", keys=[task])
    here = (pl.col("scope") == str(ScopedKey.from_str(task).scope)) & (pl.col("task") == task)
    created = collect(lake.table("tasks").scan().filter(here), "Tasks").head(1).to_dicts()
    facts = created[0] if created else {}
    names = NetworkNames.of(lake)
    attempts = task_attempts(lake, [task]).to_dicts()
    results = collect(lake.table("results").scan().filter(here).select(_RESULT), "results").sort("ended_at", "attempt")
    hosts = {attempt["hostname"] for attempt in attempts}
    now = now_utc()
    return TaskStory(
        state=state,
        name=TaskNames(lake).of([state])[task],
        creator=facts.get("creator"),
        created_at=facts.get("created_at"),
        origin=facts.get("origin"),
        extended_by=states.tasks.filter(pl.col("extends") == task)["task"].sort().to_list(),
        networks={names.title(one): weight for one, weight in sorted(states.networks_of([task])[task].items())},
        events=_events(lake, here, names),
        attempts=attempts,
        results=results.to_dicts(),
        files=task_files(lake, task).sort("attempt", "path").select(_FILE).to_dicts(),
        quarantined={host: until for host, until in read_quarantine(lake).items() if host in hosts and until > now},
    )


def _events(lake: Lake, here: pl.Expr, names: NetworkNames) -> list[dict[str, Any]]:
    log = lake.table("task_log").scan().filter(here & (pl.col("event") != "renewed"))
    rows = collect(log.select("seq", "idx", *_EVENT), "the log of Tasks").sort("seq", "idx")
    events = rows.drop("seq", "idx").to_dicts()
    return [{**row, "network": None if row["network"] is None else names.title(row["network"])} for row in events]
