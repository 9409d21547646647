"""Files of a lake: tables and their logs, objects, receipts, and what no table knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ..schemas import TABLES
from ..statestore.lake_verification import check_attempts, check_digests, check_other_objects
from ..store import Checked, Flaw, Lake
from .key_hashes import EXAMPLES
from .lake_finding import MAINTAIN, REPAIR, LakeFinding, Severity

__all__ = ["check_objects", "check_unknown_files", "findings_of", "unknown_tables"]

CHECK: Final = "files"
_IN_BUCKET: Final = "restore it from a backup, or an earlier version of the object if the bucket keeps versions"
_KNOWN: Final = re.compile(
    r"(_delta_log/(\d{20}\.json|\d{20}\.checkpoint\.parquet|_last_checkpoint)|([^/]+=[^/]*/)?[^/]+\.parquet)"
)
_BY_HAND: Final = "look at it first: it may be of another program"
#: Folders and files of a lake, besides tables and what other tools keep in hidden ones.
_PLACES: Final = frozenset({
    "lake.json", "quarantine.json", "tables", "attempts", "assignments", "campaigns", "damaged", "files", "imports",
    "keys", "plots", "pools", "prefect", "upkeep", "watch", "work",
})  # fmt: skip


def findings_of(lake: Lake, checked: Checked) -> list[LakeFinding]:
    """Return damaged files as findings, with what repairs them in this lake.

    Parameters
    ----------
    lake : Lake
    checked : Checked
        From a check of files.
    """
    return [_finding(lake, flaw) for flaw in checked.flaws]


def _finding(lake: Lake, flaw: Flaw) -> LakeFinding:
    flaw = replace(flaw, what=flaw.what.partition("; run `")[0])
    if flaw.remedy.startswith("delete it"):  # a replaced file, or a message
        is_table = flaw.path.startswith("tables/")
        command = MAINTAIN if is_table else None
        advice = "maintenance deletes it a day after it was replaced" if is_table else flaw.remedy
        return LakeFinding(Severity.WARNING, CHECK, flaw.path, flaw.what, command, advice)
    if flaw.remedy.startswith("nothing"):
        return LakeFinding(Severity.NOTE, CHECK, flaw.path, flaw.what, advice=flaw.remedy)
    if "maintain --repair" in flaw.remedy:
        if lake.local_path is None:
            return LakeFinding(Severity.DAMAGE, CHECK, flaw.path, flaw.what, advice=_IN_BUCKET)
        _, _, advice = flaw.remedy.partition("`, ")
        return LakeFinding(Severity.DAMAGE, CHECK, flaw.path, flaw.what, REPAIR, advice or None)
    return LakeFinding.advised(Severity.DAMAGE, CHECK, flaw.path, flaw.what, flaw.remedy)


def check_objects(lake: Lake, tell: Callable[[str], None]) -> Iterator[Checked]:
    """Read every object: those with a digest are compared with it, the others are parsed.

    Parameters
    ----------
    lake : Lake
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    tell("objects of results")
    yield check_digests(lake, "results")
    tell("files kept from executions")
    yield check_digests(lake, "result_files")
    tell("receipts and messages of attempts")
    yield from check_attempts(lake)
    tell("other objects")
    yield check_other_objects(lake)


def unknown_tables(lake: Lake) -> Iterator[LakeFinding]:
    """Yield folders among the tables that no schema of this version knows."""
    for name in lake.objects.children("tables"):
        if name not in TABLES:
            what = "no table of this version has this name"
            yield LakeFinding(Severity.WARNING, CHECK, f"tables/{name}", what, _aside(lake, f"tables/{name}"), _BY_HAND)


def check_unknown_files(lake: Lake) -> Iterator[LakeFinding]:
    """Yield files that are of no table, and what is in a lake's folder besides a lake."""
    for name in sorted(set(lake.objects.children("tables")) & TABLES.keys()):
        folder = f"tables/{name}"
        listed = (found.path for found in lake.objects.list_with_times(folder) if not found.is_temporary)
        strange = sorted(path for path in listed if not _KNOWN.fullmatch(path.removeprefix(f"{folder}/")))
        for path in strange[: 10 * EXAMPLES]:
            what = "no table knows this file"
            yield LakeFinding(Severity.WARNING, CHECK, path, what, _aside(lake, path), _BY_HAND)
    if lake.local_path is not None:
        for name in sorted(each.name for each in lake.local_path.iterdir()):
            if name not in _PLACES and not name.startswith("."):
                yield LakeFinding(Severity.NOTE, CHECK, name, "not part of a lake", advice="keep other files elsewhere")


def _aside(lake: Lake, path: str) -> str | None:
    """Return the command that moves something out of the lake's way; None in a bucket, where clients differ."""
    if lake.local_path is None:
        return None
    target = lake.local_path.with_name(f"{lake.local_path.name}-unknown")
    source, folder = shlex.quote(str(lake.local_path / path)), shlex.quote(str(target))
    return f"mkdir -p {folder} && mv {source} {folder}/"
