"""Import of an archive into a lake, where its networks can be read and go on.

Every file is verified first. Then objects are written, then rows, in an order in which what makes others visible comes
last; every write is idempotent by key, so an interrupted import is completed by repeating it. Of networks, Tasks and
results that the lake has already, nothing is changed; what it lacks of them is added.

Numbers of commits are those of each lake. So the histories of Tasks and networks are appended as one commit each, with
their times and authors, and numbers that refer to commits are shifted to end with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl
import zstandard

from ..caller import Caller
from ..faults import fault_point
from ..ids import Scope
from ..schemas import TABLES
from ..statestore.stored_files import pruned_files
from ..store import Lake, collect, now_utc, rely_on_content
from .archive_reading import new_scopes, read_tables
from .archived_history import AS_OF, decisions, last_commit, of_plans, task_history
from .archived_objects import ArchivedObjects
from .container import ArchiveFiles
from .manifest import MANIFEST, Manifest
from .merging import known_networks, n_new_rows, recognised, require_free_names, require_same_objects, without_own
from .scrubbing import renamed

__all__ = ["ImportedArchive", "import_archive"]

#: Appended in another way than by key.
_LOGS: Final = ("task_log", "network_log")
_STATE_AFTER: Final = "inactive"

#: Called with what is being done, the number of files done and their total.
FileProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ImportedArchive:
    """Outcome of an import; of a dry run, what it would be.

    Attributes
    ----------
    manifest : Manifest
        Of the archive.
    networks : tuple of str
        ScopedKeys of its networks in the lake.
    n_new_networks : int
        Number of these that the lake did not have.
    n_recognised : int
        Number of Transformations that the Scope had under other keys; their results were joined.
    n_new : mapping of str to int
        Number of rows that the lake did not have, by table.
    n_new_objects : int
        Number of objects that the lake did not have.
    n_without_object : int
        Number of good results whose object is not in the archive.
    """

    manifest: Manifest
    networks: tuple[str, ...]
    n_new_networks: int
    n_recognised: int
    n_new: Mapping[str, int]
    n_new_objects: int
    n_without_object: int


def import_archive(
    lake: Lake,
    path: str | Path,
    *,
    scope: Scope | str | None = None,
    state: str | None = _STATE_AFTER,
    caller: Caller | None = None,
    dry_run: bool = False,
    progress: FileProgress | None = None,
) -> ImportedArchive:
    """Import an archive into a lake.

    Parameters
    ----------
    lake : Lake
    path : str or Path
        A zip file or a folder, as `write_archive` makes them.
    scope : Scope or str, optional
        Scope to import into, if the networks of the archive are in one; default: the Scopes that they were in.
    state : str or None, default "inactive"
        State of networks that are new. None: that in which they were archived; waiting Tasks of active ones run.
    caller : Caller, optional
        Needs the right to write to the Scopes; default: the user of this process.
    dry_run : bool, default False
        Verify the archive and report what would be new, without writing.
    progress : callable, optional
        Called with what is being done, the number of files done and their total.

    Raises
    ------
    ArchiveError
        If a file is missing or damaged, or an object is not part of the networks. Nothing is written.
    LakeVersionError
        If a newer version wrote it.
    InvalidNetworkError
        If the Scope has another object under one of its keys. Nothing is written.
    AmbiguousScopeError
        If the Scope has another network with the same name. Nothing is written.
    PermissionDeniedError, StorageError
    """
    who = caller or Caller.this_user()
    with ArchiveFiles(path) as archive:
        manifest = Manifest.parse(archive.read(MANIFEST), str(path))
        for n, _ in enumerate(archive.check(archive.names), start=1):
            if progress is not None:
                progress("verified", n, len(archive.names))
        scopes = new_scopes(manifest, scope, str(path))
        rows = {name: renamed(frame, scopes) for name, frame in read_tables(archive).items()}
        objects = ArchivedObjects(archive, rows, scopes)
        who.require(
            "write", objects.scopes.union(*(frame["scope"] for frame in rows.values() if "scope" in frame.columns))
        )
        require_same_objects(lake, rows["gufe_objects"])
        require_free_names(lake, rows["networks"])
        rows, n_recognised = recognised(lake, rows)
        rows, n_without = _with_objects(lake, rows, objects, manifest, who)
        known = known_networks(lake, rows["networks"])
        rows = without_own(rows, known)
        new = {name: n_new_rows(lake, name, frame) for name, frame in rows.items() if name not in _LOGS}
        n_objects = objects.n_new(lake)
        if not dry_run:
            rows["result_files"] = _relied_on(lake, rows["result_files"], objects)
            objects.write(lake, progress)
            fault_point("import:objects-written")
            _write(lake, rows, known, state, manifest, who)
    networks = rows["networks"]["network"].to_list()
    return ImportedArchive(
        manifest=manifest,
        networks=tuple(networks),
        n_new_networks=len(set(networks) - known),
        n_recognised=n_recognised,
        n_new=new,
        n_new_objects=n_objects,
        n_without_object=n_without,
    )


def _with_objects(
    lake: Lake, rows: Mapping[str, pl.DataFrame], objects: ArchivedObjects, manifest: Manifest, who: Caller
) -> tuple[dict[str, pl.DataFrame], int]:
    """Let results whose object is not in the archive refer to `archive.json`, as imported ones to their file."""
    found, there = dict(rows), set(objects.paths)
    results = found["results"]
    lacking = results["object_path"].is_not_null() & ~results["object_path"].is_in(list(there))
    found["imports"] = found["imports"].filter(pl.col("object_path").is_in(list(there)))
    known_as_pruned = collect(pruned_files(lake), "table 'pruned_files'")
    files = found["result_files"].join(known_as_pruned, on=known_as_pruned.columns, how="anti")
    found["result_files"] = files.filter(pl.col("object_path").is_in(list(there)))
    for column in ("stdout_path", "stderr_path", "log_path"):
        kept = pl.when(pl.col(column).is_in(list(there))).then(pl.col(column))
        found["unit_results"] = found["unit_results"].with_columns(kept.alias(column))
    n_lacking = int((lacking & results["ok"]).sum())
    if not lacking.any():
        return found, 0
    content = manifest.as_json()
    digest, packed = _digest(content), zstandard.compress(content)
    imported = []
    for scope in results.filter(lacking)["scope"].unique().sort():
        path, mine = f"imports/{scope}/{digest}.json.zst", lacking & (results["scope"] == scope)
        objects.add(path, packed)
        results = results.with_columns(
            object_path=pl.when(mine).then(pl.lit(path)).otherwise("object_path"),
            digest=pl.when(mine).then(pl.lit(_digest(packed))).otherwise("digest"),
            n_bytes=pl.when(mine).then(pl.lit(len(packed), pl.Int64)).otherwise("n_bytes"),
        )
        imported.append({
            "scope": scope, "digest": digest, "network": None, "source": manifest.title, "format": "archive",
            "n_results": int((mine & results["ok"]).sum()), "n_failed": int((mine & ~results["ok"]).sum()),
            "n_bytes": len(content), "protocol_qualname": None, "gufe_version": None, "object_path": path,
            "imported_by": who.name, "imported_at": now_utc(),
        })  # fmt: skip
    found["results"] = results
    found["imports"] = pl.concat([found["imports"], pl.DataFrame(TABLES["imports"].table(imported))])
    return found, n_lacking


def _relied_on(lake: Lake, files: pl.DataFrame, objects: ArchivedObjects) -> pl.DataFrame:
    """Mark that attempts rely on the content of their files; one that is about to be deleted here gets a copy."""

    def copied(attempt: str, path: str) -> str:
        return path if rely_on_content(lake.objects, path, attempt) else objects.copy_for(attempt, path)

    named = list(files.select("attempt", "object_path").iter_rows())
    paths = [copied(attempt, path) for attempt, path in named]
    return files.with_columns(object_path=pl.Series(paths, dtype=pl.String))


def _write(
    lake: Lake, rows: Mapping[str, pl.DataFrame], known: set[str], state: str | None, manifest: Manifest, who: Caller
) -> None:
    """Write all rows, idempotently, in the order of the tables."""
    shift = 0
    for name, frame in rows.items():
        if name == "task_log":
            lake.task_log.append_history(partial(task_history, log=frame, who=who))
            shift = lake.task_log.states().seq - last_commit(rows)
        elif name == "network_log":
            new = [network for network in rows["networks"]["network"] if network not in known]
            history = decisions(new, frame, state, f"imported from an archive: {manifest.title}")
            lake.network_log.append_history(history, caller=who)
        elif len(frame):
            here = frame.with_columns(pl.col(AS_OF) + shift) if AS_OF in frame.columns else frame
            if name == "strategy_rounds":
                here = of_plans(here, rows["network_log"], lake.network_log.seq())
            lake.table(name).append_new(here)
        fault_point(f"import:{name}-written")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
