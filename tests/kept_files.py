"""Kept files of invented attempts, for tests of what reads and deletes them."""

from __future__ import annotations

import uuid
from pathlib import Path

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, keep_content
from tests.campaign import T0

__all__ = ["FileKeeper"]


class FileKeeper:
    """Keeps files as an attempt does, and records them when asked."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self.lake, self.folder = lake, folder
        folder.mkdir()

    def keep(self, attempt: str, content: bytes, scope: str) -> str:
        """Store content; return its path in the lake."""
        path = self.folder / uuid.uuid4().hex
        path.write_bytes(content)
        return keep_content(self.lake.objects, scope, attempt, path, patiently=lambda call: call()).object_path

    def record(
        self, task: str, attempt: str, content: bytes, object_path: str, name: str = "a.nc", **result: object
    ) -> None:
        """Write the row of a file, and that of the result of its attempt if it is new."""
        scope = task.split("-", 2)[2]
        row = {"scope": scope, "attempt": attempt, "path": f"permanent/00-u/{name}", "n_bytes": len(content)}
        row |= {"digest": object_path.split("/")[2], "object_path": object_path, "kept_by": "permanent"}
        self.lake.table("result_files").append_new([row])
        if not (self.lake.table("results").scan().collect()["attempt"] == attempt).any():
            facts = {"scope": scope, "attempt": attempt, "task": task, "ok": True, "origin_attempt": None}
            facts |= {"ended_at": T0, "started_at": T0, "object_path": f"attempts/{attempt}", "n_bytes": 1000}
            facts |= {"transformation": f"Transformation-a_b_other-{scope}", **result}
            self.lake.table("results").append_new(TABLES["results"].sample(1, **facts))

    def kept(self, task: str, content: bytes, name: str = "a.nc", attempt: str | None = None, **result: object) -> str:
        """Store content and record it; return its path in the lake."""
        attempt = attempt or uuid.uuid4().hex
        path = self.keep(attempt, content, task.split("-", 2)[2])
        self.record(task, attempt, content, path, name, **result)
        return path
