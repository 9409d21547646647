"""What a power cut leaves of a table in a folder: torn entries, holes, torn checkpoints, cut files.

A table that was written durably has at most one torn entry, its last, which nobody was told of.
Tables of older versions, and of disks that lie, may have more. Nothing is changed here; `repair` does
that. An empty entry reads as an empty commit to deltalake: so the newest entries are looked at whenever
a table is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "ACTIONS",
    "Damage",
    "Entry",
    "damage_of_file",
    "damage_of_log",
    "damage_of_tail",
    "entry_name",
    "is_whole_parquet",
    "read_entry",
]

_ENTRY: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.parquet")
_MAGIC: Final = b"PAR1"

#: Kinds of actions; an entry with another is damaged: deltalake passes over what it does not know.
ACTIONS: Final = frozenset({"add", "remove", "metaData", "protocol", "txn", "commitInfo", "domainMetadata", "cdc"})

Entry = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a table that is not as it was written.

    Attributes
    ----------
    path : str
        Within the table's folder.
    what : str
        `an empty entry`, `a cut entry`, `a missing entry`, `a torn checkpoint`, `a missing file`, `a cut file`.
    version : int or None
        Of an entry.
    """

    path: str
    what: str
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.what} ({self.path})"


def entry_name(version: int) -> str:
    """Return the file name of a log entry."""
    return f"{version:020d}.json"


def read_entry(data: bytes) -> Entry | None:
    """Return the actions of a log entry, None if it is torn."""
    try:
        actions = [json.loads(line) for line in data.splitlines() if line.strip()]
    except ValueError:
        return None
    return actions if actions and all(isinstance(action, dict) and _is_whole(action) for action in actions) else None


def _is_whole(action: Mapping[str, Any]) -> bool:
    """Whether an action is of a known kind, and what it says of a data file is there."""
    if len(action) != 1 or not action.keys() <= ACTIONS:
        return False
    if "add" in action:
        added = action["add"]
        return isinstance(added, dict) and isinstance(added.get("path"), str) and isinstance(added.get("size"), int)
    removed = action.get("remove", {"path": ""})
    return isinstance(removed, dict) and isinstance(removed.get("path"), str)


def damage_of_log(log: Path) -> list[Damage]:
    """Find what is torn or missing in a log, all of it from the newest whole checkpoint on."""
    names = [path.name for path in log.iterdir()]
    checkpoints = {int(m[1]): name for name in names if (m := _CHECKPOINT.fullmatch(name))}
    torn = {version for version, name in checkpoints.items() if not is_whole_parquet(log / name)}
    damages = [Damage(f"_delta_log/{checkpoints[v]}", "a torn checkpoint", v) for v in sorted(torn)]
    entries = sorted(int(m[1]) for name in names if (m := _ENTRY.fullmatch(name)))
    above = max(checkpoints.keys() - torn, default=-1)
    newest = max([above, *entries])
    for version in range(above + 1, newest + 1):
        found = _damage_of_entry(log, version)
        if found is not None:
            damages.append(found)
    return damages


def damage_of_tail(table: Path, version: int, newest: int) -> Damage | None:
    """Find what is torn among the `newest` entries up to a version, and in the files that they added."""
    removed: set[str] = set()
    for each in range(version, max(version - newest, -1), -1):
        path = table / "_delta_log" / entry_name(each)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None  # upkeep has removed it, and all below; deltalake does not open a log with a hole
        entry = read_entry(data)
        if entry is None:
            return _damage_of_entry(path.parent, each)
        removed |= {str(action["remove"]["path"]) for action in entry if "remove" in action}
        for added in (action["add"] for action in entry if "add" in action):
            if added["path"] not in removed and (found := damage_of_file(table, added["path"], added["size"])):
                return found
    return None


def damage_of_file(table: Path, path: str, n_bytes: int) -> Damage | None:
    """Find out whether a data file is missing or cut: by its length, and how it begins and ends."""
    file = table / unquote(path)
    try:
        with file.open("rb") as opened:
            begin = opened.read(len(_MAGIC))
            size = opened.seek(0, 2)
            opened.seek(max(size - len(_MAGIC), 0))
            end = opened.read()
    except FileNotFoundError:
        return Damage(unquote(path), "a missing file")
    if size != n_bytes or begin != _MAGIC or end != _MAGIC:
        return Damage(unquote(path), "a cut file")
    return None


def _damage_of_entry(log: Path, version: int) -> Damage | None:
    name = f"_delta_log/{entry_name(version)}"
    try:
        data = (log / entry_name(version)).read_bytes()
    except FileNotFoundError:
        return Damage(name, "a missing entry", version)
    if read_entry(data) is not None:
        return None
    return Damage(name, "a cut entry" if data.strip(b"\0") else "an empty entry", version)


def is_whole_parquet(path: Path) -> bool:
    """Return whether a Parquet file can be opened."""
    try:
        return pq.ParquetFile(path).metadata is not None
    except (pa.ArrowException, OSError):
        return False
