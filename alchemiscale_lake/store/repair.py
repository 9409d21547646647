"""Repair of tables after a power cut: what is torn is set aside, and what is gone is told.

Nothing is deleted: whatever is taken out of a table moves to `damaged/<time>/` in the lake. A torn entry
at the end of a log is taken out; one below entries that are whole is replaced by an entry that changes
nothing. Files that are missing or cut leave their table, with the number of rows that were in them.
Receipts of results that are gone are recorded again afterwards, by whoever calls this.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import RemoveAction

from ..durable import fsync_folder, make_folder, replace_file
from ..errors import DamagedError, UpkeepRunningError
from ..faults import fault_point
from ..schemas import TABLES
from .commit import quiet_commit
from .damage import Damage, damage_of_file, damage_of_log, entry_name, is_whole_parquet, read_entry
from .failures import fail
from .lake import Lake, now_utc
from .table import LakeTable
from .upkeep_lease import hold_upkeep

__all__ = ["Loss", "RepairReport", "repair"]

#: A table whose log was written to less long ago may have a writer.
_QUIET: Final = timedelta(seconds=60)
_SNAPSHOTS: Final = ("task_snapshots", "action_snapshots")


@dataclass(frozen=True, slots=True)
class Loss:
    """Something torn or missing that was taken out of a table.

    Attributes
    ----------
    n_rows : int or None
        Rows that are gone with it; None if unknown, which is so of entries.
    moved_to : str or None
        Where in the lake what was left of it lies; None if nothing was.
    """

    table: str
    damage: Damage
    n_rows: int | None
    moved_to: str | None

    def __str__(self) -> str:
        rows = "an unknown number of rows" if self.n_rows is None else f"{self.n_rows} row(s)"
        if self.damage.what == "a torn checkpoint":
            rows = "nothing"
        kept = f"; what was left of it is in {self.moved_to}" if self.moved_to else ""
        return f"table {self.table}: {self.damage}: {rows} lost{kept}"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair found and took out; on a dry run, what it would."""

    losses: Sequence[Loss]
    dry_run: bool


def repair(lake: Lake, *, tell: Callable[[str], None], dry_run: bool = False) -> RepairReport:
    """Mend the tables of a lake in a folder; a sound one is left as it is.

    Raises
    ------
    DamagedError
        If a table is gone altogether: nothing is changed then.
    UpkeepRunningError
        If maintenance is running, or a table was written to within the last minute.
    StorageError
    """
    root = lake.local_path
    if root is None:
        return RepairReport([], dry_run)  # a bucket keeps what it has answered
    _refuse_if_tables_are_gone(root)
    if dry_run:
        return RepairReport([loss for name in TABLES for loss in _look(lake, name)], dry_run)
    found = [name for name in TABLES if _look(lake, name)]
    if not found:
        return RepairReport([], dry_run)
    with hold_upkeep(lake.objects) as lease:
        _refuse_if_written_to(root)
        aside = f"damaged/{now_utc():%Y-%m-%dT%H-%M-%SZ}"
        losses = []
        for name in found:
            lease.renew()
            tell(f"table {name}: repairing")
            losses += _mend(Lake.open(lake.url).table(name), root, aside)
            fault_point(f"repair:{name}")
    return RepairReport(losses, dry_run)


def _refuse_if_tables_are_gone(root: Path) -> None:
    gone = []
    for name in TABLES:
        log = root / "tables" / name / "_delta_log"
        first = log / entry_name(0)
        begins = first.is_file() and read_entry(first.read_bytes()) is not None
        if not begins and not any(is_whole_parquet(path) for path in log.glob("*.checkpoint.parquet")):
            gone.append(name)
    if gone:
        raise DamagedError(
            f"table(s) {', '.join(gone)} are gone from {root / 'tables'}: there is nothing to repair them from; "
            "restore them from a backup",
            tables=gone,
        )


def _refuse_if_written_to(root: Path) -> None:
    entries = [path for path in root.glob("tables/*/_delta_log/*.json") if path.stat().st_size]
    # the lease was taken just now, so its age is the storage's own clock
    now = max(path.stat().st_mtime for path in root.glob("upkeep/*.json"))
    age_s = now - max((path.stat().st_mtime for path in entries), default=0.0)
    if 0 <= age_s < _QUIET.total_seconds():
        raise UpkeepRunningError(
            f"the tables of {root} were written to {age_s:.0f} s ago; stop whatever writes to the lake, "
            f"wait {_QUIET.total_seconds():.0f} s, then repair it"
        )


def _look(lake: Lake, name: str) -> list[Loss]:
    """Find what is torn in one table; of files, only what the log is sound enough to tell."""
    assert lake.local_path is not None
    table = lake.local_path / "tables" / name
    found = damage_of_log(table / "_delta_log")
    if not found:
        return [Loss(name, damage, n_rows, None) for damage, n_rows in _damaged_files(table).items()]
    return [Loss(name, damage, _rows_of(table, damage), None) for damage in found]


def _mend(table: LakeTable, root: Path, aside: str) -> list[Loss]:
    name, folder = table.schema.name, root / "tables" / table.schema.name
    torn = damage_of_log(folder / "_delta_log")
    losses = []
    in_the_middle = _versions_below_whole_ones(folder, torn)
    for damage in torn:
        n_rows = _rows_of(folder, damage)
        losses.append(Loss(name, damage, n_rows, _set_aside(root, name, damage.path, aside)))
        if damage.version in in_the_middle:
            _write_empty_entry(folder / damage.path)
    if any(damage.what == "a torn checkpoint" for damage in torn):
        (folder / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)
        fsync_folder(folder / "_delta_log")
    cut = _damaged_files(folder)
    if cut:
        _take_out(table, [damage.path for damage in cut])
    losses += [Loss(name, d, n_rows, _set_aside(root, name, d.path, aside)) for d, n_rows in cut.items()]
    if losses and name in _SNAPSHOTS:
        # they are made of the log, which is whole; half of one would be wrong
        _take_out(table, None)
    return losses


def _versions_below_whole_ones(folder: Path, torn: Sequence[Damage]) -> set[int]:
    bad = {damage.version for damage in torn if damage.what.endswith("entry")}
    whole = [int(path.stem) for path in (folder / "_delta_log").glob("0*.json") if int(path.stem) not in bad]
    checkpoints = [int(path.name[:20]) for path in (folder / "_delta_log").glob("0*.checkpoint.parquet")]
    newest = max([-1, *whole, *checkpoints])
    return {version for version in bad if version is not None and version < newest}


def _write_empty_entry(path: Path) -> None:
    info = {"timestamp": int(time.time() * 1000), "operation": "REPAIR", "operationParameters": {}}
    replace_file(path, json.dumps({"commitInfo": info}).encode())


def _set_aside(root: Path, name: str, path: str, aside: str) -> str | None:
    source = root / "tables" / name / path
    if not source.exists():
        return None
    moved_to = f"{aside}/tables/{name}/{path}"
    target = root / moved_to
    make_folder(target.parent)
    source.rename(target)
    fsync_folder(target.parent)
    fsync_folder(source.parent)
    return moved_to


def _rows_of(folder: Path, damage: Damage) -> int | None:
    """Return the rows that a torn entry added, as far as what is left of it tells; None if it does not."""
    try:
        left = (folder / damage.path).read_bytes()
    except FileNotFoundError:
        return None
    n_rows = 0
    for line in left.splitlines():
        try:
            added = json.loads(line).get("add")
            n_rows += json.loads(added["stats"])["numRecords"] if added else 0
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
    return n_rows or None


def _damaged_files(folder: Path) -> dict[Damage, int | None]:
    """Find the files of the newest version that are missing or cut, with the number of their rows."""
    try:
        actions = pl.DataFrame(pa.table(DeltaTable(str(folder)).get_add_actions(flatten=True)))
    except (DeltaError, OSError) as e:
        fail(f"cannot open table '{folder.name}' at {folder}, although its log looks whole", e, table=folder.name)
    found: dict[Damage, int | None] = {}
    for path, size, n_rows in actions.select("path", "size_bytes", "num_records").iter_rows():
        damage = damage_of_file(folder, path, size)
        if damage is not None:
            found[damage] = n_rows
    return found


def _take_out(table: LakeTable, paths: Sequence[str] | None) -> None:
    """Commit that files (all, if None) belong to the table no longer."""
    assert table.log.folder is not None
    delta = DeltaTable(str(table.log.folder.parent))
    columns = {f"partition.{column}": column for column in table.schema.partition_by}
    actions = pl.DataFrame(pa.table(delta.get_add_actions(flatten=True)))
    now = int(time.time() * 1000)
    removed = [
        RemoveAction(
            path=row["path"],
            deletion_timestamp=now,
            data_change=True,
            partition_values={column: row[key] for key, column in columns.items()},
            size=row["size_bytes"],
        )
        for row in actions.iter_rows(named=True)
        if paths is None or row["path"] in paths
    ]
    previous = table.log.make_durable(delta.version())
    try:
        delta.create_write_transaction(
            list(removed), "append", delta.schema(), table.files.partition_by, **quiet_commit(None, 0, previous)
        )
    except (DeltaError, OSError) as e:
        fail(f"could not take damaged files out of table '{table.schema.name}'", e, table=table.schema.name)
    table.log.make_durable(delta.version() + 1)
