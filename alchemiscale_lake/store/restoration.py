"""Exact recovery of damaged files: those that have a digest and differ from it by one bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .bit_flips import unflipped, unflipped_where
from .damage import Damage, checkpoint_digest
from .data_files import digest_of_name
from .log_entry import entry_name, has_digest, is_repair, previous_digest, read_entry

__all__ = ["broken_links", "restored"]


def restored(table: Path, damage: Damage) -> bytes | None:
    """Return the original content of a damaged file; None if it cannot be recovered.

    Parameters
    ----------
    table : Path
        Folder of the table.
    damage : Damage
        The damaged file, and what is known of its content.
    """
    try:
        data = (table / damage.path).read_bytes()
    except FileNotFoundError:
        return None
    if damage.version is None:
        digest = digest_of_name(damage.path)
        return None if digest is None else unflipped(data, digest)
    if damage.what == "a damaged checkpoint":
        digest = checkpoint_digest(table / "_delta_log", damage.version)
        return None if digest is None else unflipped(data, digest)
    return _restored_entry(table / "_delta_log", damage.version, data)


def broken_links(log: Path) -> list[Damage]:
    """Return the entries that look intact but differ from the digest recorded in the next entry."""
    found = []
    for path in sorted(log.glob("0*.json")):
        version = int(path.stem)
        digest = _digest_by_next(log, version)
        data = path.read_bytes()
        entry = read_entry(data)
        if digest is None or entry is None or is_repair(entry):
            continue
        if hashlib.sha256(data).hexdigest() != digest:
            found.append(Damage(f"_delta_log/{path.name}", "a changed entry", version))
    return found


def _restored_entry(log: Path, version: int, data: bytes) -> bytes | None:
    digest = _digest_by_next(log, version)
    if digest is not None:
        return unflipped(data, digest)
    return unflipped_where(data, _has_its_digest)


def _has_its_digest(data: bytes) -> bool:
    entry = read_entry(data)
    return entry is not None and has_digest(entry)


def _digest_by_next(log: Path, version: int) -> str | None:
    """Return the SHA-256 of an entry as recorded in the next one."""
    try:
        entry = read_entry((log / entry_name(version + 1)).read_bytes())
    except FileNotFoundError:
        return None
    return None if entry is None else previous_digest(entry)
