"""Detection of damage in a table in a folder: log entries, checkpoints, data files.

A power cut leaves entries empty, truncated or missing; in a table that was written durably this affects at most the
last entry, which was never acknowledged. A disk that changes bits can damage any. Nothing is changed here; `repair`
does that. deltalake treats an empty entry as an empty commit and trusts a changed one. So whenever a table is opened,
everything that deltalake reads is checked, except for the content of data files.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from .data_files import is_as_written
from .log_entry import entry_name, read_entry

__all__ = [
    "CHECKPOINT_DIGEST",
    "Damage",
    "checkpoint_digest",
    "damage_of_file",
    "damage_of_log",
    "damage_of_tail",
    "is_whole_parquet",
]

#: Key in the `tags` of `_last_checkpoint`: SHA-256 of the checkpoint.
CHECKPOINT_DIGEST: Final = "sha256"
_LAST_CHECKPOINT: Final = "_last_checkpoint"
_ENTRY: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.parquet")
_MAGIC: Final = b"PAR1"
#: A checkpoint and its description in `_last_checkpoint` are replaced one after the other, not atomically.
_LOOKS: Final = 5
_BETWEEN_LOOKS_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a table that differs from what was written.

    Attributes
    ----------
    path : str
        Path within the table's folder.
    what : str
        `an empty entry`, `a damaged entry`, `a missing entry`, `a damaged checkpoint`, `a missing file`,
        `a truncated file`, `a changed file`.
    version : int or None
        Version of an entry.
    """

    path: str
    what: str
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.what} ({self.path})"


def damage_of_log(log: Path) -> list[Damage]:
    """Return the damage in a log, from its newest intact checkpoint on."""
    names = [path.name for path in log.iterdir()]
    checkpoints = {int(m[1]): name for name in names if (m := _CHECKPOINT.fullmatch(name))}
    digests = _checkpoint_digests(log)
    bad = {v for v, name in checkpoints.items() if not _is_sound_checkpoint(log / name, digests.get(v))}
    damages = [Damage(f"_delta_log/{checkpoints[v]}", "a damaged checkpoint", v) for v in sorted(bad)]
    entries = sorted(int(m[1]) for name in names if (m := _ENTRY.fullmatch(name)))
    above = max(checkpoints.keys() - bad, default=-1)
    newest = max([above, *entries])
    for version in range(above + 1, newest + 1):
        found = _damage_of_entry(log, version)
        if found is not None:
            damages.append(found)
    return damages


def damage_of_tail(table: Path, version: int, known: int, n_files: int) -> Damage | None:
    """Return the first damage in the log of a version: its checkpoint, unless `known`, or the entries above.

    Only the data files of the newest `n_files` entries are checked, without reading them.

    Parameters
    ----------
    table : Path
        Folder of the table.
    version : int
        Newest version of the log.
    known : int
        Version of the checkpoint that was checked before.
    n_files : int
        Number of newest entries whose data files are checked.
    """
    log = table / "_delta_log"
    checkpoint = max(_checkpoint_digests(log), default=-1)
    if known < checkpoint <= version and not _is_checkpoint_as_written(log, checkpoint):
        return Damage(f"_delta_log/{_checkpoint_name(checkpoint)}", "a damaged checkpoint", checkpoint)
    removed: set[str] = set()
    for each in range(version, max(known, checkpoint), -1):
        try:
            data = (log / entry_name(each)).read_bytes()
        except FileNotFoundError:
            return None  # maintenance has removed it and all below; deltalake does not open a log with a gap
        entry = read_entry(data)
        if entry is None:
            return _damage_of_entry(log, each)
        if each <= version - n_files:
            continue
        removed |= {str(action["remove"]["path"]) for action in entry if "remove" in action}
        for added in (action["add"] for action in entry if "add" in action):
            if added["path"] not in removed and (found := damage_of_file(table, added["path"], added["size"])):
                return found
    return None


def damage_of_file(table: Path, path: str, n_bytes: int, *, read: bool = False) -> Damage | None:
    """Check whether a data file is missing or truncated: its length, its first and last bytes.

    With `read`, also compare its content with the digest in its name.

    Parameters
    ----------
    table : Path
        Folder of the table.
    path : str
        Path of the data file, relative to the table.
    n_bytes : int
        Length as in the log.
    read : bool, default False
        Also read and check the content.
    """
    file = table / unquote(path)
    try:
        with file.open("rb") as opened:
            begin = opened.read(len(_MAGIC))
            size = opened.seek(0, 2)
            opened.seek(max(size - len(_MAGIC), 0))
            end = opened.read()
        if size != n_bytes or begin != _MAGIC or end != _MAGIC:
            return Damage(
                unquote(path), "a truncated file" if size < n_bytes or not begin.strip(b"\0") else "a changed file"
            )
        if read and is_as_written(path, file.read_bytes()) is False:
            return Damage(unquote(path), "a changed file")
    except FileNotFoundError:
        return Damage(unquote(path), "a missing file")
    return None


def checkpoint_digest(log: Path, version: int) -> str | None:
    """Return the SHA-256 that a checkpoint was written with; None if it is not the newest, or unknown.

    Parameters
    ----------
    log : Path
        Folder `_delta_log`.
    version : int
        Version of the checkpoint.
    """
    return _checkpoint_digests(log).get(version)


def _damage_of_entry(log: Path, version: int) -> Damage | None:
    name = f"_delta_log/{entry_name(version)}"
    try:
        data = (log / entry_name(version)).read_bytes()
    except FileNotFoundError:
        return Damage(name, "a missing entry", version)
    if read_entry(data) is not None:
        return None
    return Damage(name, "a damaged entry" if data.strip(b"\0") else "an empty entry", version)


def _checkpoint_digests(log: Path) -> dict[int, str]:
    """Return the SHA-256 of the newest checkpoint by its version, as recorded in `_last_checkpoint`."""
    try:
        hint = json.loads((log / _LAST_CHECKPOINT).read_bytes())
        return {int(hint["version"]): str(hint["tags"][CHECKPOINT_DIGEST])}
    except (OSError, ValueError, TypeError, KeyError):
        return {}  # written by an older version, or damaged: entries are read, and deltalake looks for checkpoints


def _checkpoint_name(version: int) -> str:
    return f"{version:020d}.checkpoint.parquet"


def _is_checkpoint_as_written(log: Path, version: int) -> bool:
    """Return whether the newest checkpoint is intact; another process may be replacing it by the same version."""
    for _ in range(_LOOKS):
        digest = checkpoint_digest(log, version)
        if digest is None or _is_sound_checkpoint(log / _checkpoint_name(version), digest):
            return True
        time.sleep(_BETWEEN_LOOKS_S)
    return False


def _is_sound_checkpoint(path: Path, digest: str | None) -> bool:
    if digest is None:
        return is_whole_parquet(path)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except FileNotFoundError:
        return True  # maintenance has removed it, and `_last_checkpoint` names another by now


def is_whole_parquet(path: Path) -> bool:
    """Return whether a Parquet file can be opened."""
    try:
        return pq.ParquetFile(path).metadata is not None
    except (pa.ArrowException, OSError):
        return False
