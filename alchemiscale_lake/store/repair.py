"""Repair of damaged tables: restore single flipped bits, move the rest aside and report it.

Nothing is deleted: whatever is taken out of a table moves to `damaged/<time>/` in the lake. A damaged entry at the end
of a log is removed; one below intact entries is replaced by an entry without changes. Missing, truncated or changed
files leave their table, and the number of their rows is reported. The caller then records receipts of lost results
again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ..durable import fsync_folder, make_folder, replace_file
from ..errors import DamagedError, SigningKeyError, UpkeepRunningError
from ..faults import fault_point
from ..plurals import count
from .bit_flips import unflipped_where
from .commit import commit_actions, removals
from .damage import Damage, damage_of_file, damage_of_log, is_whole_parquet
from .decoded_table import listed_files
from .lake import Lake, now_utc
from .log_entry import REPAIR, entry_name, read_entry
from .receipt_key import RECEIPT_KEY, check_receipt_key, is_sound_key
from .restoration import broken_links, restored
from .storage_errors import fail
from .table import LakeTable
from .upkeep_lease import hold_upkeep

__all__ = ["Loss", "RepairReport", "drop_snapshots", "repair"]

#: A table whose log changed more recently may have a writer.
_QUIET: Final = timedelta(seconds=60)
_SNAPSHOTS: Final = ("task_snapshots", "action_snapshots")


@dataclass(frozen=True, slots=True)
class Loss:
    """A damaged or missing part that was taken out of a table, or restored.

    Attributes
    ----------
    table : str or None
        None if it is not part of a table.
    damage : Damage
        The damaged file.
    n_rows : int or None
        Number of lost rows; None if unknown, as for entries.
    moved_to : str or None
        Path within the lake to which the remains were moved; None if there were none.
    is_restored : bool
        Whether it was restored exactly as written.
    """

    table: str | None
    damage: Damage
    n_rows: int | None
    moved_to: str | None
    is_restored: bool = False

    def __str__(self) -> str:
        where = f"table {self.table}: {self.damage}" if self.table else str(self.damage)
        if self.is_restored:
            kept = f"; the damaged one is in {self.moved_to}" if self.moved_to else ""
            return f"{where}: one flipped bit was restored{kept}"
        rows = "an unknown number of rows" if self.n_rows is None else count(self.n_rows, "row")
        if self.damage.what == "a damaged checkpoint":
            rows = "nothing"
        kept = f"; the remains are in {self.moved_to}" if self.moved_to else ""
        return f"{where}: {rows} lost{kept}"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """Result of a repair or, in a dry run, of the repair that would be made.

    Attributes
    ----------
    losses : sequence of Loss
        Rows and files that could not be recovered.
    dry_run : bool
        Nothing was changed.
    """

    losses: Sequence[Loss]
    dry_run: bool


def repair(lake: Lake, *, tell: Callable[[str], None], dry_run: bool = False) -> RepairReport:
    """Repair the tables of a lake in a folder; an intact lake is not changed.

    Parameters
    ----------
    lake : Lake
    tell : callable
        Called with a line about each step.
    dry_run : bool, default False
        Only report; change nothing.

    Raises
    ------
    DamagedError
        If a table is missing entirely: nothing is changed.
    SigningKeyError
        If the receipt key is damaged beyond repair: nothing is changed.
    UpkeepRunningError
        If maintenance is running, or tables are being written to.
    StorageError
    """
    root = lake.local_path
    if root is None:
        check_receipt_key(lake.objects, None)
        return RepairReport([], dry_run)  # an acknowledged write in a bucket is durable
    key = _repair_key(lake, root, dry_run)
    _refuse_if_tables_are_gone(root, lake.tables)
    if dry_run:
        return RepairReport([*key, *(loss for name in lake.tables for loss in _look(lake, name))], dry_run)
    found = [name for name in lake.tables if _look(lake, name)]
    if not found:
        return RepairReport(key, dry_run)
    with hold_upkeep(lake.objects) as lease:
        _wait_for_quiet(root, tell)
        aside = f"damaged/{now_utc():%Y-%m-%dT%H-%M-%SZ}"
        losses = list(key)
        for name in found:
            lease.renew()
            tell(f"table {name}: repairing")
            losses += _mend(Lake.open(lake.url).table(name), root, aside)
            fault_point(f"repair:{name}")
    return RepairReport(losses, dry_run)


def drop_snapshots(lake: Lake) -> None:
    """Take everything out of the snapshots of the task log: states follow from the whole log until the next fold.

    Raises
    ------
    StorageError
    """
    for name in _SNAPSHOTS:
        table = lake.table(name)
        _take_out(table, None, table.snapshot())


def _refuse_if_tables_are_gone(root: Path, names: Sequence[str]) -> None:
    gone = []
    for name in names:
        log = root / "tables" / name / "_delta_log"
        first = log / entry_name(0)
        begins = first.is_file() and read_entry(first.read_bytes()) is not None
        if not begins and not any(is_whole_parquet(path) for path in log.glob("*.checkpoint.parquet")):
            gone.append(name)
    if gone:
        raise DamagedError(
            f"missing tables, which cannot be repaired: {', '.join(gone)}, in {root / 'tables'}; "
            "restore them from a backup",
            tables=gone,
        )


def _repair_key(lake: Lake, root: Path, dry_run: bool) -> list[Loss]:
    """Restore the receipt key if one of its bits has flipped."""
    try:
        check_receipt_key(lake.objects, root)
    except SigningKeyError:
        path = root / RECEIPT_KEY
        data = unflipped_where(path.read_bytes(), is_sound_key) if path.is_file() else None
        if data is None:
            raise
        if not dry_run:
            mode = path.stat().st_mode
            replace_file(path, data)  # in a folder that others cannot enter
            path.chmod(mode & 0o777)
        return [Loss(None, Damage(RECEIPT_KEY, "a damaged key"), 0, None, is_restored=True)]
    return []


def _wait_for_quiet(root: Path, tell: Callable[[str], None]) -> None:
    """Wait until no table has been written to for a minute, which means that nobody is writing.

    Raises
    ------
    UpkeepRunningError
        If a table is written to meanwhile.
    """
    newest_s = _newest_entry_s(root)
    # the lease was taken just now, so its age is the storage's own clock
    now_s = max(path.stat().st_mtime for path in root.glob("upkeep/*.json"))
    left_s = _QUIET.total_seconds() - (now_s - newest_s)
    if not 0 < left_s <= _QUIET.total_seconds():
        return
    tell(
        f"tables were written to {now_s - newest_s:.0f} s ago; waiting {left_s:.0f} s to check that no writer is active"
    )
    time.sleep(left_s)
    if _newest_entry_s(root) != newest_s:
        raise UpkeepRunningError(f"the tables of {root} are being written to; stop all writers, then repair again")


def _newest_entry_s(root: Path) -> float:
    sizes = [path.stat() for path in root.glob("tables/*/_delta_log/*.json")]
    return max((entry.st_mtime for entry in sizes if entry.st_size), default=0.0)


def _look(lake: Lake, name: str) -> list[Loss]:
    """Return the damage in one table; files are checked only if the log is intact enough to list them."""
    assert lake.local_path is not None
    table = lake.local_path / "tables" / name
    found = damage_of_log(table / "_delta_log")
    if found:
        return [Loss(name, damage, _rows_of(table, damage), None) for damage in found]
    links = [Loss(name, damage, 0, None) for damage in broken_links(table / "_delta_log")]
    return links + [Loss(name, damage, n_rows, None) for damage, n_rows in _damaged_files(table).items()]


def _mend(table: LakeTable, root: Path, aside: str) -> list[Loss]:
    folder = root / "tables" / table.schema.name
    log = folder / "_delta_log"
    losses = _restore(root, folder, [*damage_of_log(log), *broken_links(log)], aside)
    losses += _mend_log(root, folder, aside)
    cut = _damaged_files(folder)
    losses += _restore(root, folder, list(cut), aside)
    gone = {damage: n_rows for damage, n_rows in cut.items() if damage not in {loss.damage for loss in losses}}
    if gone:
        _take_out(table, [damage.path for damage in gone])
    losses += [
        Loss(folder.name, damage, n_rows, _set_aside(root, folder.name, damage.path, aside))
        for damage, n_rows in gone.items()
    ]
    if folder.name in _SNAPSHOTS and any(not loss.is_restored for loss in losses):
        # snapshots are derived from the log, which is intact; a partial one would be wrong
        _take_out(table, None)
    return losses


def _restore(root: Path, folder: Path, damages: Sequence[Damage], aside: str) -> list[Loss]:
    """Restore what can be recovered; the damaged content is kept aside."""
    losses = []
    for damage in damages:
        data = restored(folder, damage)
        if data is not None:
            kept = f"{aside}/tables/{folder.name}/{damage.path}"
            make_folder((root / kept).parent)
            replace_file(root / kept, (folder / damage.path).read_bytes())
            replace_file(folder / damage.path, data)
            losses.append(Loss(folder.name, damage, 0, kept, is_restored=True))
    return losses


def _mend_log(root: Path, folder: Path, aside: str) -> list[Loss]:
    torn = damage_of_log(folder / "_delta_log")
    in_the_middle = _versions_below_whole_ones(folder, torn)
    losses = []
    for damage in torn:
        n_rows = _rows_of(folder, damage)
        losses.append(Loss(folder.name, damage, n_rows, _set_aside(root, folder.name, damage.path, aside)))
        if damage.version in in_the_middle:
            _write_empty_entry(folder / damage.path)
    if any(damage.what == "a damaged checkpoint" for damage in torn):
        (folder / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)
        fsync_folder(folder / "_delta_log")
    return losses


def _versions_below_whole_ones(folder: Path, torn: Sequence[Damage]) -> set[int]:
    bad = {damage.version for damage in torn if damage.what.endswith("entry")}
    whole = [int(path.stem) for path in (folder / "_delta_log").glob("0*.json") if int(path.stem) not in bad]
    checkpoints = [int(path.name[:20]) for path in (folder / "_delta_log").glob("0*.checkpoint.parquet")]
    newest = max([-1, *whole, *checkpoints])
    return {version for version in bad if version is not None and version < newest}


def _write_empty_entry(path: Path) -> None:
    info = {"timestamp": int(time.time() * 1000), "operation": REPAIR, "operationParameters": {}}
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
    """Return the number of rows that a truncated entry added, as far as it can be read; None if unknown."""
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
    """Return the files of the newest version that are missing or truncated, with their number of rows."""
    try:
        actions = listed_files(DeltaTable(str(folder)))
    except (DeltaError, OSError) as e:
        fail(f"cannot open table '{folder.name}' at {folder}, although its log looks complete", e, table=folder.name)
    found: dict[Damage, int | None] = {}
    for path, size, n_rows in actions.select("path", "size_bytes", "num_records").iter_rows():
        damage = damage_of_file(folder, path, size, read=True)
        if damage is not None:
            found[damage] = n_rows
    return found


def _take_out(table: LakeTable, paths: Sequence[str] | None, delta: DeltaTable | None = None) -> None:
    """Commit the removal of files (all, if None) from the table; by default, from one in a folder that is damaged."""
    if delta is None:
        assert table.log.folder is not None
        delta = DeltaTable(str(table.log.folder.parent))
    removed = removals(delta, table.files, None if paths is None else set(paths), data_change=True)
    previous = table.log.make_durable(delta.version())
    try:
        commit_actions(delta, removed, files=table.files, previous=previous)
    except (DeltaError, OSError) as e:
        fail(f"could not remove damaged files from table '{table.schema.name}'", e, table=table.schema.name)
    table.log.make_durable(delta.version() + 1)
