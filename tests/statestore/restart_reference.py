"""alchemiscale's restart policies as a graph of plain dictionaries: hubs, actions, patterns, counters.

Written from the description of alchemiscale's graph (ENFORCES, ACTIONS and APPLIES relations), independently of
`alchemiscale_lake.tasks.restart_policy`, so that the two can disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Graph:
    """`applies` is the relation with its counter: it exists while a pattern exists for an actioned Task."""

    enforces: dict[str, dict[str, int]] = field(default_factory=dict)
    actions: set[tuple[str, str]] = field(default_factory=set)
    applies: dict[tuple[str, str, str], int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)

    def action(self, task: str, hub: str) -> None:
        if (task, hub) not in self.actions and self.status[task] in ("waiting", "running", "error"):
            self.actions.add((task, hub))
            for pattern in self.enforces.get(hub, {}):
                self.applies[task, hub, pattern] = 0

    def cancel(self, task: str, hub: str) -> None:
        self.actions.discard((task, hub))
        self._drop(lambda t, h, _: (t, h) == (task, hub))

    def add(self, hub: str, patterns: list[str], most: int) -> None:
        tasks = sorted(task for task, on in self.actions if on == hub)
        for pattern in patterns:
            self.enforces.setdefault(hub, {})[pattern] = most
            for task in tasks:
                self.applies[task, hub, pattern] = 0
        self.resolve(tasks)

    def change(self, hub: str, patterns: list[str], most: int) -> None:
        for pattern in patterns:
            if pattern in self.enforces.get(hub, {}):
                self.enforces[hub][pattern] = most

    def remove(self, hub: str, patterns: list[str]) -> None:
        for pattern in patterns:
            self.enforces.get(hub, {}).pop(pattern, None)
        self._drop(lambda _, h, p: h == hub and p in patterns)

    def fail(self, task: str, traceback: str) -> None:
        self.status[task], self.tracebacks[task] = "error", traceback

    def complete(self, task: str) -> None:
        self.status[task] = "complete"
        for hub in {hub for on, hub in self.actions if on == task}:
            self.cancel(task, hub)

    def resolve(self, tasks: list[str]) -> None:
        for task in tasks:
            if self.status[task] != "error":
                continue
            hubs = {hub for t, hub, _ in self.applies if t == task}
            for hub in hubs:
                self._resolve_on(task, hub)
            if any(t == task for t, _, _ in self.applies):
                self.status[task] = "waiting"

    def _resolve_on(self, task: str, hub: str) -> None:
        found = [p for t, h, p in self.applies if (t, h) == (task, hub) and re.search(p, self.tracebacks[task])]
        if not found or any(self.applies[task, hub, p] + 1 > self.enforces[hub][p] for p in found):
            self.cancel(task, hub)
            return
        for pattern in found:
            self.applies[task, hub, pattern] += 1

    def _drop(self, fits) -> None:  # type: ignore[no-untyped-def]
        self.applies = {key: n for key, n in self.applies.items() if not fits(*key)}
