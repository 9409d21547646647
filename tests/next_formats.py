"""A version of the future: two formats ahead, of which only the first is additive. For tests of migrations.

`python -m tests.next_formats LAKE FOLDER` copies the lake once per fault point of its migration, as `FOLDER/<n>`, and
kills a process there that migrates the copy. It prints the points as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import polars as pl

from alchemiscale_lake import schemas
from alchemiscale_lake.faults import fault_hook, fault_point
from alchemiscale_lake.schemas import FORMAT, TABLES, Column, TableSchema
from alchemiscale_lake.schemas._base import STRING
from alchemiscale_lake.store import Lake, lake, marker, migrate, migrations
from alchemiscale_lake.store.commit import last_number
from alchemiscale_lake.store.migrations import STEPS, Step

ADDED, CHANGED = FORMAT + 1, FORMAT + 2
COLUMN = Column("note", STRING, "A note.", nullable=True, since=ADDED)
NEW_TABLE = TableSchema(
    name="notes",
    doc="Notes.",
    columns=(Column("scope", STRING, "Scope."), Column("note", STRING, "A note.")),
    key=("scope", "note"),
    since=ADDED,
)
#: The names in these tables are in capitals since format CHANGED.
IN_CAPITALS = ("networks", "transformations")


def capitalise(lake: Lake, to: int, tell: Callable[[str], None]) -> None:
    """Change existing rows, table by table."""
    for name in IN_CAPITALS:
        tell(f"table {name}: names in capitals")
        table = lake.table(name)
        rows = table.scan().with_columns(pl.col("name").str.to_uppercase()).collect()
        assert table.replace(rows, number=last_number(table.snapshot(), name) + 1)
        fault_point(f"migrate:{to}:{name}")


ADDITIVE = Step(ADDED, "column note of two tables; table notes")
CHANGING = Step(CHANGED, "names in capitals", capitalise, additive=False)


@contextmanager
def next_formats(*steps: Step) -> Iterator[None]:
    """Be a version with these further steps; default: both."""
    steps = steps or (ADDITIVE, CHANGING)
    later = {
        name: replace(TABLES[name], columns=(*TABLES[name].columns, COLUMN)) for name in ("networks", "transformations")
    }
    with ExitStack() as stack:
        stack.enter_context(patch.dict(TABLES, {**later, NEW_TABLE.name: NEW_TABLE}))
        stack.enter_context(patch.object(migrations, "STEPS", (*STEPS, *steps)))
        for module in (schemas, lake, marker):
            stack.enter_context(patch.object(module, "FORMAT", steps[-1].to))
        yield


def main(place: str, aside: str) -> None:
    """Fork once per point: a process that starts anew takes seconds, and no thread of Rust code runs here yet."""
    points_file = Path(aside, "points.json")
    shutil.copytree(place, Path(aside, "undisturbed"))
    assert _fork(lambda: _record(Path(aside, "undisturbed"), points_file)) == 0
    passed = json.loads(points_file.read_text())
    points = [f"{point}@{passed[: i + 1].count(point)}" for i, point in enumerate(passed)]
    for i, point in enumerate(points):
        shutil.copytree(place, Path(aside, str(i)))
        assert _fork(lambda i=i, point=point: _die(Path(aside, str(i)), point)) == signal.SIGKILL, point
    print(json.dumps(points))


def _record(place: Path, points_file: Path) -> None:
    passed: list[str] = []
    with fault_hook(passed.append):
        migrate(place, tell=lambda _: None)
    points_file.write_text(json.dumps(passed))


def _die(place: Path, point: str) -> None:
    os.environ["ALCHEMISCALE_LAKE_FAULT"] = point
    migrate(place, tell=lambda _: None)


def _fork(action: Callable[[], object]) -> int:
    """Run in a child; return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            with next_formats():
                action()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
