"""A lake with Transformations, and attempts to run them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gufe

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.execution.process_tree import mark_of
from alchemiscale_lake.networks import read_result
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.schemas.receipt import Receipt, unpack_receipt
from alchemiscale_lake.settings import FileRules, KeepPatterns
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, attempt_folder, now_utc

SCOPE = "org-campaign-project"


def keeping(*shared: str, scratch: tuple[str, ...] = (), **limits: int) -> FileRules:
    """Return rules that keep files of any Protocol."""
    return FileRules(keep={"*": KeepPatterns(shared=shared, scratch=scratch)}, **limits)


@dataclass(frozen=True)
class Bench:
    """A lake, and its folder of work folders."""

    lake: Lake
    work: Path

    def store(self, transformation: gufe.Transformation) -> str:
        """Submit one Transformation; return its ScopedKey."""
        network = gufe.AlchemicalNetwork([transformation], name=uuid.uuid4().hex)
        submit_network(self.lake, network, SCOPE)
        return f"{transformation.key}-{SCOPE}"

    def spec(self, transformation: gufe.Transformation | str, *, like: AttemptSpec | None = None) -> AttemptSpec:
        """Return a new attempt, of a new Task or of the Task of another attempt."""
        stored = transformation if isinstance(transformation, str) else self.store(transformation)
        task = like.task if like is not None else f"Task-{uuid.uuid4().hex}-{SCOPE}"
        return AttemptSpec(uuid.uuid4().hex, task, stored, SCOPE)

    def assignment(self, *specs: AttemptSpec, cores: int = 1, gpus: float = 0.0, **settings: Any) -> Assignment:
        """Return an assignment of attempts."""
        settings = {"work_root": str(self.work), "kill_grace_s": 2.0, **settings}
        return Assignment(self.lake.url, "pool", specs, Resources(cores=cores, gpus=gpus), **settings)

    def run(self, spec: AttemptSpec, *, stop: Callable[[str], bool] | None = None, **settings: Any) -> Receipt:
        """Execute one attempt and return its receipt, which fits the tables."""
        assert execute_assignment(self.assignment(spec, **settings), stop=stop) == [spec.attempt]
        return self.receipt(spec)

    def receipt(self, spec: AttemptSpec) -> Receipt:
        """Return the receipt of an attempt."""
        receipt = unpack_receipt(self.lake.objects.get(f"{attempt_folder(SCOPE, spec.attempt)}/receipt.arrow"))
        TABLES["results"].table([{**receipt.result, "recorded_at": now_utc()}])
        TABLES["unit_results"].table(receipt.units)
        TABLES["result_files"].table(receipt.files)
        TABLES["refused_files"].table(receipt.refused)
        TABLES["hosts"].table([receipt.host])
        return receipt

    def result(self, receipt: Receipt) -> Any:
        """Return the stored ProtocolDAGResult."""
        path = receipt.result["object_path"]
        assert len(self.lake.objects.get(path)) == receipt.result["n_bytes"]
        return gufe_adapter.loads_chain(read_result(self.lake, path, receipt.result["digest"]))

    def text(self, path: str) -> str:
        """Return a stored text."""
        return self.lake.objects.get(path).decode()

    def folder(self, spec: AttemptSpec) -> Path:
        """Return the work folder of the attempt's Task."""
        return self.work / SCOPE / spec.task.split("-")[1]


def tries(receipt: Receipt) -> list[tuple[str, int, bool]]:
    """Return name, number and outcome of every execution in a receipt."""
    return [(unit["name"], unit["try_number"], unit["ok"]) for unit in receipt.units]


def wait_for(condition: Callable[[], Any], *, timeout_s: float = 120.0) -> Any:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def carrying(mark: str) -> list[int]:
    """Return process ids of all descendants of one fork server."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    token = mark.partition("-")[0]
    return [pid for pid in found if pid != os.getpid() and (mark_of(pid) or "").startswith(token)]
