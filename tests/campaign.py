"""A campaign as plain rows: networks, Tasks and results with fixed keys and times, no gufe and no execution."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, TaskState
from tests.lakes import KeptFolder, new_lake

T0 = datetime(2025, 6, 1, 12, tzinfo=UTC)
SCOPE = "org-campaign-project"


def hours(n: float) -> datetime:
    return T0 + timedelta(hours=n)


@dataclass
class Campaign:
    """Writes to a lake; everything invented is numbered, so that two campaigns are equal."""

    lake: Lake
    scope: str = SCOPE
    n_attempts: int = 0
    tasks: dict[str, TaskState] = field(default_factory=dict)
    #: Rows by table, and events, of a block of `together`.
    _kept: tuple[dict[str, list[dict[str, Any]]], list[Event]] | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write Tasks, results and events of the block at its end, in one commit each, which is faster."""
        self._kept = tables, events = {"tasks": [], "results": []}, []
        yield
        self._kept = None
        for name, rows in tables.items():
            self._append(name, rows)
        self.commit(events)

    def _append(self, table: str, rows: list[dict[str, Any]]) -> None:
        if self._kept is None:
            self.lake.table(table).append_new(rows)
        else:
            self._kept[0][table] += rows

    @classmethod
    def at(cls, folder: Path) -> Campaign:
        return cls(new_lake(folder))

    def network(
        self,
        name: str,
        pairs: Iterable[tuple[str, str]],
        phases: Sequence[str] = ("other",),
        *,
        scope: str | None = None,
        protocol: str = "HarmonicProtocol",
        **columns: Any,
    ) -> str:
        """Store a network with one Transformation per pair and phase; return its ScopedKey.

        A phase may include its environment: `complex:R-1`.
        """
        scope = scope or self.scope
        keys = {
            f"{a}_{b}_{phase.replace(':', '_').replace('-', '')}": (a, b, phase) for a, b in pairs for phase in phases
        }
        rows = [self._transformation(key, *what, scope, protocol) for key, what in keys.items()]
        network = f"AlchemicalNetwork-{name}-{scope}"
        common = {"scope": scope, "network": network}
        members = [common | {"member": row["transformation"], "kind": "transformation"} for row in rows]
        self.lake.table("transformations").append_new(rows)
        self.lake.table("network_members").append_new(members)
        row = {"key": f"AlchemicalNetwork-{name}", "name": name, "n_transformations": len(rows), "n_systems": 2}
        self.lake.table("networks").append_new([common | row | {"creator": "ada", "created_at": T0} | columns])
        return network

    def transformation(self, key: str, scope: str | None = None) -> str:
        return f"Transformation-{key}-{scope or self.scope}"

    def _transformation(self, key: str, a: str, b: str, phase: str, scope: str, protocol: str) -> dict[str, Any]:
        sample = {c.name: None for c in TABLES["transformations"].columns}
        phase, _, environment = phase.partition(":")
        return sample | {
            "scope": scope,
            "transformation": self.transformation(key, scope),
            "key": f"Transformation-{key}",
            "qualname": "Transformation",
            "name": key,
            "phase": phase,
            "environment": environment or None,
            "state_a": f"ChemicalSystem-{a}_{phase}",
            "state_b": f"ChemicalSystem-{b}_{phase}",
            "ligand_a": f"SmallMoleculeComponent-{a}",
            "ligand_b": f"SmallMoleculeComponent-{b}",
            "ligand_a_name": a,
            "ligand_b_name": b,
            "protocol": f"{protocol}-1",
            "protocol_qualname": protocol,
            "mappings": [],
            "ingested_at": T0,
        }

    def new_tasks(self, network: str, keys: Iterable[str], *, scope: str | None = None) -> list[str]:
        """Create and action one Task per given Transformation key."""
        scope = scope or self.scope
        states = []
        for key in keys:
            task = f"Task-{len(self.tasks) + 1:04d}-{scope}"
            self.tasks[task] = TaskState(scope, task, self.transformation(key, scope), None)
            states.append(self.tasks[task])
        created = [{"creator": "ada", "created_at": T0, **_names(state)} for state in states]
        self._append("tasks", created)
        events = [Event("created", state) for state in states]
        self.commit(events + [Event("actioned", state, network=network, weight=0.5) for state in states])
        return [state.task for state in states]

    def commit(self, events: Sequence[Event]) -> None:
        if self._kept is not None:
            self._kept[1].extend(events)
            return
        self.lake.task_log.commit(lambda _: events, caller=Caller("ada"))

    def set_status(self, task: str, status: str) -> None:
        """Set the status of a Task by a generic event."""
        state = self.tasks[task]
        held = ("a0", "local", hours(1)) if status == "running" else (None, None, None)
        after = TaskState(state.scope, task, state.transformation, state.extends, status, 10, *held)
        self.tasks[task] = after
        kind = {"running": "claimed", "complete": "completed", "error": "failed"}.get(status, "status")
        self.commit([Event(kind, after, of_attempt="a0" if kind == "claimed" else None)])

    def result(
        self,
        task: str,
        estimate: float | None = None,
        uncertainty: float | None = None,
        *,
        ok: bool = True,
        end_task: bool = True,
        started_at: datetime | None = None,
        **columns: Any,
    ) -> str:
        """Store a result of a Task and end it; return the attempt."""
        self.n_attempts += 1
        attempt = f"{self.n_attempts:032x}"
        started_at = started_at or hours(self.n_attempts)
        row = {
            **_names(self.tasks[task]),
            "attempt": attempt,
            "ok": ok,
            "estimate_kcal_mol": estimate,
            "uncertainty_kcal_mol": uncertainty,
            "exception": None if ok else "ValueError: the box exploded",
            "failed_unit": None if ok else "simulate",
            "object_path": f"attempts/{attempt}/result.json.zst" if ok else None,
            "n_bytes": 1000 if ok else None,
            "n_units": 3,
            "started_at": started_at,
            "ended_at": started_at + timedelta(minutes=30),
            "wall_time_s": 1800.0,
            "cpu_time_s": 3600.0,
            "gpu_time_s": 900.0,
            "pool": "local",
            "hostname": "node1",
            "recorded_at": started_at + timedelta(minutes=31),
        } | columns
        row.pop("extends")
        if not ok:
            self.lake.table("unit_results").append_new([self._failed_unit(row)])
        self._append("results", [row])
        if end_task:
            self.set_status(task, "complete" if ok else "error")
        return attempt

    def _failed_unit(self, result: dict[str, Any]) -> dict[str, Any]:
        attempt = result["attempt"]
        return {
            "scope": result["scope"],
            "attempt": attempt,
            "unit": "SimulateUnit-1",
            "try_number": 1,
            "name": "simulate",
            "qualname": "SimulateUnit",
            "ok": False,
            "exception": result["exception"],
            "traceback": 'Traceback (most recent call last):\n  File "md.py", line 7\nValueError: the box exploded',
            "started_at": result["started_at"],
            "ended_at": result["ended_at"],
            "exit_code": 1,
            "stdout_path": f"attempts/{attempt}/units/00/stdout.txt",
            "stderr_path": f"attempts/{attempt}/units/00/stderr.txt",
            "log_path": f"attempts/{attempt}/units/00/log.txt",
        }

    def assay(self, ligand: str, value: float, *, kind: str = "binding", uncertainty: float = 0.2, n: int = 0) -> None:
        row = {"ligand": ligand, "kind": kind, "value_kcal_mol": value, "uncertainty_kcal_mol": uncertainty}
        row |= {"scope": self.scope, "source": "a paper", "entered_by": "ada", "entered_at": hours(n)}
        self.lake.table("assays").append_new([row])


def _names(state: TaskState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ("scope", "task", "transformation", "extends")}


def small_campaign(folder: Path) -> Campaign:
    """Return a triangle of ligands with solvent and complex legs: two repeats each, one leg failed, one running."""
    kept, n_attempts, tasks = _small_campaign()
    kept.write(folder)
    return Campaign(Lake.open(folder), n_attempts=n_attempts, tasks=dict(tasks))


@functools.cache
def _small_campaign() -> tuple[KeptFolder, int, dict[str, TaskState]]:
    with tempfile.TemporaryDirectory() as folder:
        campaign = _new_small_campaign(Path(folder) / "lake")
        return KeptFolder.of(Path(folder) / "lake"), campaign.n_attempts, campaign.tasks


def _new_small_campaign(folder: Path) -> Campaign:
    campaign = Campaign.at(folder)
    network = campaign.network("tyk2", [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")], ("solvent", "complex"))
    campaign.network("idle", [("x", "y")], scope="org-campaign-other")
    truth = {"a": 0.0, "b": 1.0, "c": 3.0}
    for i, (a, b) in enumerate([("a", "b"), ("b", "c"), ("c", "a")]):
        for shift, phase in ((0.0, "solvent"), (truth[b] - truth[a], "complex")):
            for task in campaign.new_tasks(network, [f"{a}_{b}_{phase}"] * 2):
                campaign.result(task, 5.0 + shift + 0.01 * i, 0.1)
    failed, running = campaign.new_tasks(network, ["c_d_solvent", "c_d_complex"])
    campaign.result(failed, ok=False)
    campaign.set_status(running, "running")
    for ligand, value in (("a", -8.1), ("b", -7.3), ("c", -5.2)):
        campaign.assay(ligand, value)
    return campaign
