"""Writes that a power cut may undo, and the Tasks that are left after one."""

from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, TaskState
from tests.disk import Disk
from tests.plain import SCOPE

ASSAYS = TABLES["assays"]


def create(lake: Lake, *names: str, scope: str = SCOPE) -> int | None:
    tasks = [TaskState(scope, f"Task-{name}-{scope}", f"Transformation-1-{scope}", None) for name in names]
    return lake.task_log.commit(lambda _: [Event("created", task) for task in tasks], caller=Caller("t")).seq


def tasks_after_a_cut(disk: Disk, folder: Path, **how: bool) -> list[str]:
    disk.cut(folder, **how)
    return sorted(Lake.open(folder).task_log.states().tasks["task"])
