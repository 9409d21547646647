"""Import of an archive into a lake, where its networks can be read and go on.

Every file is verified first. Then objects are written, then rows, in an order in which what makes others visible comes
last; every write is idempotent by key, so an interrupted import is completed by repeating it. Of networks, Tasks and
results that the lake has already, nothing is changed; what it lacks of them is added.

Numbers of commits are those of each lake. So the histories of Tasks and networks are appended as one commit each, with
their times and authors, and numbers that refer to commits are shifted to end with it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import polars as pl
import pyarrow.parquet as pq
import zstandard

from ..caller import Caller
from ..errors import AmbiguousScopeError, ArchiveError, InvalidNetworkError
from ..faults import fault_point
from ..ids import Scope
from ..schemas import TABLES
from ..statestore.calculations import KnownCalculations
from ..store import Lake, NetworkState, collect, now_utc
from ..store.columns import nulls
from ..store.parallel_requests import at_once
from ..tasks import TaskStates
from .archived_rows import ArchivedRows
from .container import ArchiveFiles
from .manifest import MANIFEST, Manifest
from .scrubbing import renamed

__all__ = ["ImportedArchive", "import_archive", "read_manifest"]

_BATCH: Final = 64
_OBJECTS: Final = "objects/"
#: Appended in another way than by key.
_LOGS: Final = ("task_log", "network_log")
#: Left as they are for networks that the lake has already.
_OF_NETWORK: Final = ("edge_estimates", "network_findings", "network_estimates", "strategy_rounds")
#: Columns that number commits of the task log.
_OF_TASK_LOG: Final = "as_of_seq"
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


def read_manifest(path: str | Path) -> Manifest:
    """Return what an archive says about itself.

    Parameters
    ----------
    path : str or Path
        A zip file or a folder.

    Raises
    ------
    ArchiveError
        If it is no archive, or not whole.
    LakeVersionError
        If a newer version wrote it.
    """
    with ArchiveFiles(path) as archive:
        return Manifest.parse(archive.read(MANIFEST), str(path))


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
        If a file is missing or damaged. Nothing is written.
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
        scopes = _scopes(manifest, scope, path)
        rows = {name: renamed(frame, scopes) for name, frame in _tables(archive).items()}
        who.require("write", rows["networks"]["scope"].unique())
        _require_same_objects(lake, rows["gufe_objects"])
        _require_free_names(lake, rows["networks"])
        rows, n_recognised = _recognised(lake, rows)
        objects = _Objects(archive, lake, scopes)
        rows, n_without = _with_objects(rows, objects, manifest, who)
        known = _known_networks(lake, rows["networks"])
        rows = {name: _unknown(name, frame, known) for name, frame in rows.items()}
        new = {name: _n_new(lake, name, frame) for name, frame in rows.items() if name not in _LOGS}
        n_objects = objects.n_new()
        if not dry_run:
            objects.write(progress)
            fault_point("import:objects-written")
            _write(lake, rows, known, state, manifest, who)
    networks = tuple(rows["networks"]["network"])
    return ImportedArchive(
        manifest=manifest,
        networks=tuple(sorted({*networks, *known})),
        n_new_networks=len(set(networks) - known),
        n_recognised=n_recognised,
        n_new=new,
        n_new_objects=n_objects,
        n_without_object=n_without,
    )


# --- reading ----------------------------------------------------------------------------------------


def _scopes(manifest: Manifest, scope: Scope | str | None, path: str | Path) -> dict[str, str]:
    """Return the new names of Scopes by old."""
    if scope is None:
        return {}
    target = str(Scope.parse(scope).require_specific())
    old = {network.network.split("-", 2)[2] for network in manifest.networks}
    if len(old) > 1:
        raise ArchiveError(
            f"the networks of {path} are in several Scopes ({', '.join(sorted(old))}), so they cannot all be imported "
            f"into {target}; import them without --scope",
            scopes=sorted(old),
        )
    return {one: target for one in old if one != target}


def _tables(archive: ArchiveFiles) -> dict[str, pl.DataFrame]:
    """Return the rows of every table, with columns and tables that came later than the archive."""
    found = {}
    for name in ArchivedRows.table_names():
        schema = TABLES[name]
        file = f"tables/{name}.parquet"
        if file not in archive.digests:
            found[name] = pl.DataFrame(schema=pl.Schema(schema.arrow))
            continue
        rows = pl.DataFrame(pq.read_table(io.BytesIO(archive.read(file))))
        lacking = [column for column in schema.columns if column.name not in rows.columns]
        found[name] = pl.DataFrame(schema.table(rows.with_columns(nulls(lacking)).select(schema.names)))
    return found


class _Objects:
    """Objects of an archive, and their paths in a lake."""

    def __init__(self, archive: ArchiveFiles, lake: Lake, scopes: Mapping[str, str]) -> None:
        self._archive = archive
        self._lake = lake
        names = [name for name in archive.names if name.startswith(_OBJECTS)]
        places = renamed(
            pl.DataFrame({"path": [name.removeprefix(_OBJECTS) for name in names]}, {"path": pl.String}), scopes
        )
        self._names = dict(zip(places["path"], names, strict=True))
        self._added: dict[str, bytes] = {}

    @property
    def paths(self) -> list[str]:
        """Return their paths in the lake."""
        return [*self._names, *self._added]

    def add(self, path: str, data: bytes) -> None:
        """Add an object that is not in the archive.

        Parameters
        ----------
        path : str
        data : bytes
        """
        self._added[path] = data

    def n_new(self) -> int:
        """Return the number of those that the lake lacks."""
        return at_once(self._lake.objects.exists, self.paths).count(False)

    def write(self, progress: FileProgress | None) -> None:
        """Write those that the lake lacks, few at a time.

        Parameters
        ----------
        progress : callable or None
        """
        paths = self.paths
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            there = at_once(self._lake.objects.exists, batch)
            lacking = [path for path, is_there in zip(batch, there, strict=True) if not is_there]
            # whole or not at all: an interrupted import leaves nothing half-written under the final name
            at_once(self._put, lacking)
            if progress is not None:
                progress("imported", start + len(batch), len(paths))

    def _put(self, path: str) -> None:
        if path in self._added:
            self._lake.objects.put(path, self._added[path])
            return
        name = self._names[path]
        with self._archive.open(name) as file:
            n_bytes, digest = self._archive.n_bytes(name), self._archive.digests[name]
            self._lake.objects.put_stream(path, cast("BinaryIO", file), n_bytes=n_bytes, digest=digest)


# --- what the lake has already ----------------------------------------------------------------------


def _require_same_objects(lake: Lake, objects: pl.DataFrame) -> None:
    """Raise if the lake has another object under one of the keys."""
    here = lake.table("gufe_objects").scan().filter(pl.col("scope").is_in(objects["scope"].unique().to_list()))
    stored = collect(here.select("scope", "key", "digest"), "table 'gufe_objects'")
    other = objects.join(stored, on=["scope", "key"], suffix="_here").filter(pl.col("digest") != pl.col("digest_here"))
    if len(other):
        key, where = other.select("key", "scope").row(0)
        raise InvalidNetworkError(
            f"Scope {where} has another object with the key {key}: one was edited by hand after gufe wrote it; import "
            "the archive into another Scope with --scope",
            key=key,
            scope=where,
        )


def _require_free_names(lake: Lake, networks: pl.DataFrame) -> None:
    """Raise if a Scope has another network with the same name."""
    here = collect(lake.table("networks").scan().select("scope", "network", "name"), "table 'networks'")
    named = networks.filter(~pl.col("network").is_in(here["network"].to_list()) & pl.col("name").is_not_null())
    taken = named.join(here, on=["scope", "name"], suffix="_here")
    if len(taken):
        name, where, other = taken.select("name", "scope", "network_here").row(0)
        raise AmbiguousScopeError(
            f"Scope {where} has another network with the name {name!r}, {other}; import the archive into another Scope "
            "with --scope",
            value=name,
            candidates=[other],
        )


def _recognised(lake: Lake, rows: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], int]:
    """Put results of calculations that a Scope has under another key there, as a submission would."""
    found = dict(rows)
    places: dict[str, str] = {}
    own = rows["calculations"].filter(pl.col("transformation") == pl.col("stands_for"))
    for (scope,), frame in own.partition_by("scope", as_dict=True).items():
        assigned = KnownCalculations.of(lake, scope).assign(
            dict(frame.select("transformation", "calculation").iter_rows())
        )
        places |= {key: stored for key, stored in assigned.items() if key != stored}
    if not places:
        return found, 0
    found["transformations"] = found["transformations"].filter(~pl.col("transformation").is_in(list(places)))
    for name, columns in _TRANSFORMATIONS.items():
        for column in columns:
            at = pl.col(column)
            is_list = found[name].schema[column] == pl.List(pl.String)
            moved = at.list.eval(pl.element().replace(places)) if is_list else at.replace(places)
            found[name] = found[name].with_columns(moved)
    return found, len(places)


#: Columns with ScopedKeys of stored Transformations, by table.
_TRANSFORMATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "calculations": ("stands_for",),
    "tasks": ("transformation",),
    "task_log": ("transformation",),
    "results": ("transformation",),
    "transformation_estimates": ("transformation",),
    "strategy_rounds": ("transformation",),
    "network_members": ("member",),
    "edge_estimates": ("legs",),
    "network_findings": ("subject",),
}


def _known_networks(lake: Lake, networks: pl.DataFrame) -> set[str]:
    here = collect(lake.table("networks").scan().select("network"), "table 'networks'")
    return set(here["network"]) & set(networks["network"])


def _unknown(name: str, rows: pl.DataFrame, known: set[str]) -> pl.DataFrame:
    """Leave out the estimates and rounds of networks that the lake has: it has its own."""
    return rows.filter(~pl.col("network").is_in(list(known))) if name in _OF_NETWORK else rows


def _n_new(lake: Lake, name: str, rows: pl.DataFrame) -> int:
    key = list(TABLES[name].key)
    here = collect(lake.table(name).scan().select(key), f"table '{name}'")
    return len(rows.unique(key).join(here, on=key, how="anti", nulls_equal=True))


def _with_objects(
    rows: Mapping[str, pl.DataFrame], objects: _Objects, manifest: Manifest, who: Caller
) -> tuple[dict[str, pl.DataFrame], int]:
    """Let results whose object is not in the archive refer to `archive.json`, as imported ones to their file."""
    found, there = dict(rows), set(objects.paths)
    results = found["results"]
    lacking = results["object_path"].is_not_null() & ~results["object_path"].is_in(list(there))
    found["imports"] = found["imports"].filter(pl.col("object_path").is_in(list(there)))
    found["result_files"] = found["result_files"].filter(pl.col("object_path").is_in(list(there)))
    for column in ("stdout_path", "stderr_path", "log_path"):
        kept = pl.when(pl.col(column).is_in(list(there))).then(pl.col(column))
        found["unit_results"] = found["unit_results"].with_columns(kept.alias(column))
    n_lacking = int((lacking & results["ok"]).sum())
    if not lacking.any():
        return found, 0
    content = manifest.as_json()
    digest, packed = _digest(content), zstandard.compress(content)
    path = f"imports/{digest}.json.zst"
    objects.add(path, packed)
    found["results"] = results.with_columns(
        object_path=pl.when(lacking).then(pl.lit(path)).otherwise("object_path"),
        digest=pl.when(lacking).then(pl.lit(_digest(packed))).otherwise("digest"),
        n_bytes=pl.when(lacking).then(pl.lit(len(packed), pl.Int64)).otherwise("n_bytes"),
    )
    row = {
        "digest": digest, "network": None, "source": manifest.title, "format": "archive", "n_results": n_lacking,
        "n_failed": int((lacking & ~results["ok"]).sum()), "n_bytes": len(content), "protocol_qualname": None,
        "gufe_version": None, "object_path": path, "imported_by": who.name, "imported_at": now_utc(),
    }  # fmt: skip
    scopes = results.filter(lacking)["scope"].unique()
    own = TABLES["imports"].table([{"scope": scope, **row} for scope in scopes])
    found["imports"] = pl.concat([found["imports"], pl.DataFrame(own)])
    return found, n_lacking


# --- writing ----------------------------------------------------------------------------------------


def _write(
    lake: Lake, rows: Mapping[str, pl.DataFrame], known: set[str], state: str | None, manifest: Manifest, who: Caller
) -> None:
    """Write all rows, idempotently, in the order of the tables."""
    shift = 0
    for name, frame in rows.items():
        if name == "task_log":
            lake.task_log.append_history(lambda states, log=frame: _history(states, log, who))  # type: ignore[misc]
            shift = lake.task_log.states().seq - int(frame["seq"].max() or 0)  # type: ignore[arg-type]
        elif name == "network_log":
            new = [network for network in rows["networks"]["network"] if network not in known]
            lake.network_log.append_history(_decisions(new, frame, state, manifest), caller=who)
        elif len(frame):
            if _OF_TASK_LOG in frame.columns:
                frame = frame.with_columns(pl.col(_OF_TASK_LOG) + shift)
            if name == "strategy_rounds":
                frame = _of_plans(frame, rows["network_log"], lake.network_log.seq())
            lake.table(name).append_new(frame)
        fault_point(f"import:{name}-written")


def _of_plans(rounds: pl.DataFrame, log: pl.DataFrame, seq: int) -> pl.DataFrame:
    """Let rounds refer to the commit that set their Strategy in this lake."""
    latest = log.filter(pl.col("event") == "strategy").group_by("network").agg(pl.col("seq").max())
    joined = rounds.join(latest, on="network", how="left", maintain_order="left")
    return joined.with_columns(plan_seq=pl.col("plan_seq") - pl.col("seq").fill_null(pl.col("plan_seq")) + seq).drop(
        "seq"
    )


def _history(states: TaskStates, log: pl.DataFrame, who: Caller) -> pl.DataFrame:
    """Return the events of Tasks that the lake lacks, and of those that it has, the end of those that it has not ended.

    A Task that was running waits again. Restarts are counted anew, since the patterns are as new as this lake's commit.
    """
    ordered = log.sort("seq", "idx").with_columns(pattern_seq=pl.lit(None, pl.Int64))
    here = states.of(ordered["task"].unique().to_list())
    ended = [task for task, now in here.items() if now.status == "complete"]
    new = ordered.filter(~pl.col("task").is_in(list(here)))
    completed = ordered.filter(
        pl.col("task").is_in(list(here)) & ~pl.col("task").is_in(ended) & (pl.col("event") == "completed")
    )
    last = new.unique("task", keep="last", maintain_order=True).filter(pl.col("status") == "running")
    released = last.with_columns(
        event=pl.lit("released"), status=pl.lit("waiting"), of_attempt=pl.col("attempt"),
        attempt=pl.lit(None, pl.String), pool=pl.lit(None, pl.String),
        lease_expires_at=pl.lit(None, pl.Datetime("us", "UTC")), network=pl.lit(None, pl.String),
        weight=pl.lit(None, pl.Float64), pattern=pl.lit(None, pl.String), actor=pl.lit(who.name),
        reason=pl.lit("it was running when it was archived"), at=pl.lit(now_utc(), pl.Datetime("us", "UTC")),
    )  # fmt: skip
    return pl.concat([new, completed.unique("task", keep="last", maintain_order=True), released])


def _decisions(
    networks: Iterable[str], log: pl.DataFrame, state: str | None, manifest: Manifest
) -> dict[str, list[dict[str, Any]]]:
    """Return the decisions about each network, and the state that it has after the import."""
    ordered = log.sort("seq", "idx").drop("seq", "idx", "commit_id")
    found: dict[str, list[dict[str, Any]]] = {}
    for network in networks:
        history = ordered.filter(pl.col("network") == network).to_dicts()
        if state is not None:
            weight = history[-1]["weight"] if history else NetworkState().weight
            why = f"imported from an archive: {manifest.title}"
            history.append({"event": "state", "state": state, "weight": weight, "reason": why})
        if history:
            found[network] = history
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
