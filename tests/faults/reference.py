"""A plain in-memory reference for the content of a lake: dictionaries and explicit rules.

Written independently of `alchemiscale_lake.tasks`, so that the two can disagree.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field

LIVE = {"waiting", "running", "error"}


@dataclass
class ReferenceTask:
    transformation: str
    extends: str | None = None
    status: str = "waiting"
    priority: int = 10
    attempt: str | None = None
    actions: dict[str, float] = field(default_factory=dict)

    def standing(self) -> dict[str, float]:
        return self.actions if self.status in LIVE else {}


@dataclass
class Reference:
    """Networks with their Transformations, those that are not active, Tasks, and results by attempt."""

    networks: dict[str, set[str]] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, ReferenceTask] = field(default_factory=dict)
    results: dict[str, bool] = field(default_factory=dict)

    def copy(self) -> Reference:
        return copy.deepcopy(self)

    def action(self, tasks: list[str], network: str, weight: float | None) -> None:
        for name in tasks:
            task = self.tasks[name]
            if task.status in LIVE and task.transformation in self.networks[network]:
                before = task.actions.get(network)
                task.actions[network] = (
                    before if weight is None and before is not None else (0.5 if weight is None else weight)
                )

    def cancel(self, tasks: list[str], network: str) -> None:
        """Stop running Tasks that were cancelled where they were actioned, and are wanted nowhere else."""
        for name in tasks:
            task = self.tasks[name]
            if task.status in LIVE and task.actions.pop(network, None) is not None:
                self.stop_unwanted([name])

    def set_state(self, network: str, state: str) -> None:
        self.closed.pop(network, None)
        if state != "active":
            self.closed[network] = state
            self.stop_unwanted(list(self.tasks))

    def stop_unwanted(self, names: list[str]) -> None:
        for name in names:
            task = self.tasks[name]
            if task.status == "running" and not set(task.actions) - set(self.closed):
                task.status, task.attempt = "waiting", None

    def prioritise(self, tasks: list[str], priority: int) -> None:
        for name in tasks:
            self.tasks[name].priority = priority

    def set_status(self, tasks: list[str], to: str) -> None:
        heirs = list(tasks)
        if to != "waiting":
            for name in heirs:  # grows during the loop: heirs of heirs
                heirs += [n for n, t in self.tasks.items() if t.extends == name and n not in heirs]
        other = {"invalid": "deleted", "deleted": "invalid"}
        for name in heirs:
            task = self.tasks[name]
            allowed = task.status in LIVE if to == "waiting" else task.status != other[to]
            if allowed:
                task.status, task.attempt = to, None
                if to != "waiting":
                    task.actions = {}

    def claimable(self) -> set[str]:
        return {
            name
            for name, task in self.tasks.items()
            if task.status == "waiting"
            and any(weight > 0 and network not in self.closed for network, weight in task.actions.items())
            and (task.extends is None or self.tasks[task.extends].status == "complete")
        }

    def missing(self, network: str, repeats: int, of_attempts: dict[str, str]) -> Counter[str]:
        """Return the Tasks that each Transformation lacks for some results, unless one of its Tasks is in error."""
        lacking: Counter[str] = Counter()
        with_result = {of_attempts[attempt] for attempt, ok in self.results.items() if ok}
        for transformation in self.networks[network]:
            own = {name: t for name, t in self.tasks.items() if t.transformation == transformation}
            good = {name for name in with_result & set(own) if own[name].status not in ("invalid", "deleted")}
            live = [t for t in own.values() if t.status in ("waiting", "running") and t.actions]
            if all(t.status != "error" for t in own.values()):
                lacking[transformation] = max(0, repeats - len(good) - len(live))
        return lacking

    def claim(self, name: str, attempt: str) -> None:
        self.tasks[name].status, self.tasks[name].attempt = "running", attempt

    def give_up(self, attempt: str) -> None:
        for task in self.tasks.values():
            if task.attempt == attempt:
                task.status, task.attempt = "waiting", None

    def record(self, attempt: str, name: str, ok: bool) -> None:
        self.results[attempt] = ok
        task = self.tasks[name]
        if ok and task.status in LIVE:
            task.status, task.attempt, task.actions = "complete", None, {}
        elif not ok and task.attempt == attempt:
            task.status, task.attempt = "error", None

    def store(self, attempt: str, ok: bool) -> None:
        """Keep a result whose recorder dies before the Task is ended."""
        self.results[attempt] = ok

    def end_recorded(self, tasks: dict[str, str]) -> None:
        """End every Task (attempt -> Task) by its results, good ones first."""
        for attempt in sorted(self.results, key=lambda a: not self.results[a]):
            self.record(attempt, tasks[attempt], self.results[attempt])
