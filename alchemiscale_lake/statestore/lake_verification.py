"""Verification of a lake: its tables, and every object beside them.

Result objects and kept files are compared with the digests in the tables. The others have no digest: they are parsed
as in normal use. Read-only.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from ..errors import LakeError, NotFoundError, ReceiptError, SigningKeyError
from ..schemas.old_receipt import is_old_receipt, read_old_receipt
from ..schemas.receipt import unpack_receipt
from ..store import RECEIPT_KEY, Checked, Flaw, Lake, check_receipt_key, check_tables, collect
from ..store.parallel_requests import at_once
from .stored_files import stored_files

__all__ = ["Verified", "check_attempts", "check_digests", "check_other_objects", "verify_lake"]

_log = logging.getLogger(__name__)
#: Number of objects checked together.
_BATCH: Final = 64
#: Folders beside the tables whose objects are JSON.
_JSON_FOLDERS: Final = ("assignments", "campaigns", "pools", "upkeep", "watch")
_RECEIPT: Final = "/receipt.arrow"
_RESTORE: Final = "restore it from a backup"
_REPAIR: Final = "run `alchemiscale-lake maintain --repair`"
_AGAIN: Final = "restore it from a backup, or set its Task to `invalid` and run a new one"
#: Names of the objects of a table, and advice for a damaged one.
_NAMED: Final = {"results": ("result objects", _AGAIN), "result_files": ("kept files", _RESTORE)}


@dataclass(frozen=True, slots=True)
class Verified:
    """Results of the checks, by kind."""

    kinds: Sequence[Checked]

    @property
    def flaws(self) -> list[Flaw]:
        """Return all differences from what was written."""
        return [flaw for kind in self.kinds for flaw in kind.flaws]


def verify_lake(lake: Lake, *, tell: Callable[[str], None] | None = None) -> Verified:
    """Check every file of a lake.

    Parameters
    ----------
    lake : Lake
    tell : callable, optional
        Called with a line before each step.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    tell = _log.info if tell is None else tell
    kinds = list(check_tables(lake, tell))
    tell("objects of results")
    kinds.append(check_digests(lake, "results"))
    tell("files kept from executions")
    kinds.append(check_digests(lake, "result_files"))
    tell("receipts and messages of attempts")
    kinds += check_attempts(lake)
    tell("other objects")
    kinds.append(check_other_objects(lake))
    return Verified(kinds)


def check_digests(lake: Lake, table: str) -> Checked:
    """Compare the objects named in a table (`results` or `result_files`) with their digests.

    Parameters
    ----------
    lake : Lake
    table : str
        Name of the table.
    """
    kind, remedy = _NAMED[table]
    try:
        scan = stored_files(lake) if table == "result_files" else lake.table(table).scan()
        rows = scan.filter(pl.col("object_path").is_not_null())
        named = dict(collect(rows.select("object_path", "digest"), f"table '{table}'").unique().iter_rows())
    except LakeError:
        return Checked(kind, 0, 0, 0, ())  # the table's own check reported why

    def check(path: str) -> tuple[int, Flaw | None]:
        digest, n_bytes = hashlib.sha256(), 0
        try:
            # files may be larger than memory
            for block in lake.objects.read_stream(path):
                digest.update(block)
                n_bytes += len(block)
        except NotFoundError:
            return 0, Flaw(path, "is missing", remedy)
        is_damaged = named[path] is not None and digest.hexdigest() != named[path]
        what = "does not have the SHA-256 recorded in the table"
        return n_bytes, Flaw(path, what, remedy) if is_damaged else None

    return _checked(kind, sorted(named), check, sum(digest is None for digest in named.values()))


def check_attempts(lake: Lake) -> Iterator[Checked]:
    """Read the receipts and messages in the folders of attempts; logs have no digest, and any text is valid."""
    listed = sorted(o.path for o in lake.objects.list_with_times("attempts") if not o.is_temporary)
    receipts = [path for path in listed if path.endswith(_RECEIPT)]
    recorded = _recorded(lake)

    def check_receipt(path: str) -> tuple[int, Flaw | None]:
        data = _read(lake, path)
        if data is None:
            return 0, None
        try:
            if is_old_receipt(data):
                read_old_receipt(data)
            else:
                unpack_receipt(data)
        except ReceiptError as e:
            done = path.split("/")[2] in recorded
            remedy = (
                "nothing: its result is in the tables"
                if done
                else "its Task runs again; see `alchemiscale-lake failures`"
            )
            return len(data), Flaw(path, f"cannot be used: {e}", remedy)
        return len(data), None

    yield _checked("receipts", receipts, check_receipt)
    yield _checked_json(lake, "messages", [path for path in listed if path.endswith(".json") and path.count("/") == 3])


def check_other_objects(lake: Lake) -> Checked:
    """Read the objects beside tables and attempts, and the signing key of receipts."""
    paths = [path for folder in _JSON_FOLDERS for path in lake.objects.list(folder) if path.endswith(".json")]
    paths += [path for path in ("lake.json", "quarantine.json") if lake.objects.exists(path)]
    checked = _checked_json(lake, "other objects", paths)
    flaw = _flaw_of_key(lake)
    return checked if flaw is None else replace(checked, flaws=[*checked.flaws, flaw])


def _flaw_of_key(lake: Lake) -> Flaw | None:
    try:
        check_receipt_key(lake.objects, lake.local_path)
    except SigningKeyError as e:
        return Flaw(RECEIPT_KEY, e.message, "do this before anything else: without the key no receipt is accepted")
    return None


def _checked_json(lake: Lake, kind: str, paths: Sequence[str]) -> Checked:
    def check(path: str) -> tuple[int, Flaw | None]:
        data = _read(lake, path)
        if data is None:
            return 0, None
        try:
            is_object = isinstance(json.loads(data), dict)
        except (ValueError, RecursionError):
            is_object = False
        what, remedy = "is not a JSON object", "delete it: it is ignored, and rewritten when needed"
        return len(data), None if is_object else Flaw(path, what, _REPAIR if path == "lake.json" else remedy)

    return _checked(kind, paths, check, len(paths))


def _checked(
    kind: str, paths: Sequence[str], check: Callable[[str], tuple[int, Flaw | None]], n_uncertain: int = 0
) -> Checked:
    n_bytes, flaws = 0, list[Flaw]()
    for start in range(0, len(paths), _BATCH):
        for size, flaw in at_once(check, paths[start : start + _BATCH]):
            n_bytes += size
            flaws += [] if flaw is None else [flaw]
    return Checked(kind, len(paths), n_bytes, n_uncertain, flaws)


def _recorded(lake: Lake) -> set[str]:
    try:
        return set(collect(lake.table("results").scan().select("attempt"), "table 'results'")["attempt"])
    except LakeError:
        return set()


def _read(lake: Lake, path: str) -> bytes | None:
    try:
        return lake.objects.get(path)
    except NotFoundError:
        return None
