"""Archives: networks of a lake as one zip file or folder that opens anywhere.

Tables are Parquet, objects are stored as they are in the lake. Nothing but the content decides on the bytes: the same
networks archived twice give the same file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from ..caller import Caller
from ..errors import ArchiveError, DamagedError, NotFoundError
from ..ids import Scope, ScopedKey
from ..plurals import count
from ..report.campaign_page import campaign_page
from ..report.file_names import file_stem
from ..schemas import FORMAT, TABLES
from ..store import Lake
from ..store.marker import package_version
from ..store.parallel_requests import at_once
from .archived_rows import LEFT_OUT, ArchivedRows
from .container import ArchiveWriter
from .current import current_answers
from .deposit import Deposit, pretty
from .guide import guide
from .manifest import MANIFEST, ArchivedNetwork, Manifest
from .scrubbing import Scrubber, renamed

__all__ = ["Archived", "write_archive"]

#: Objects read at once, and held in memory.
_BATCH: Final = 64
_LEVEL: Final = 9
_OUTPUTS: Final = ("stdout_path", "stderr_path", "log_path")
_USERS: Final = ("creator", "actor", "entered_by", "imported_by")
_TIMES: Final = (
    "ingested_at",
    "created_at",
    "recorded_at",
    "at",
    "estimated_at",
    "found_at",
    "gathered_at",
    "entered_at",
)

#: Called with what is being archived, the number of objects done and their total.
FileProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Archived:
    """Outcome of writing an archive.

    Attributes
    ----------
    path : Path
    n_bytes : int
        Size of its content.
    manifest : Manifest
    """

    path: Path
    n_bytes: int
    manifest: Manifest


def write_archive(
    lake: Lake,
    networks: Collection[str],
    path: str | Path,
    *,
    objects: bool = True,
    outputs: bool = True,
    files: bool = False,
    scrub: Collection[str] = (),
    scope_names: Mapping[str, str] | None = None,
    deposit: Deposit | None = None,
    caller: Caller | None = None,
    progress: FileProgress | None = None,
) -> Archived:
    """Write networks to an archive, with all that belongs to them.

    Parameters
    ----------
    lake : Lake
    networks : collection of str
        ScopedKeys.
    path : str or Path
        A zip file if it ends in `.zip`, else a folder.
    objects : bool, default True
        Include results as gufe wrote them. Estimates, failures and provenance are in the tables without.
    outputs : bool, default True
        Include what units wrote to stdout, stderr and logs.
    files : bool, default False
        Include files that were kept from executions, such as trajectories.
    scrub : collection of str
        Kinds of names to remove: `hosts`, `users`, `paths`, `scopes`. Objects that contain one are left out.
    scope_names : mapping of str to str, optional
        New names of Scopes in the archive.
    deposit : Deposit, optional
        Title, authors, licence and related works.
    caller : Caller, optional
        Needs the right to read the Scopes; default: the user of this process.
    progress : callable, optional
        Called with what is being archived, the number of objects done and their total.

    Raises
    ------
    NotFoundError
        If a network is not in the lake.
    ArchiveError
        If there is no network, files are to be scrubbed, or the archive cannot be written.
    DamagedError
        If a kept file is not as it was written.
    PermissionDeniedError, StorageError
    """
    if not networks:
        raise ArchiveError("give at least one network to archive")
    if files and scrub:
        raise ArchiveError(
            "kept files are not scrubbed, and may contain such names: leave out the files or the scrubbing"
        )
    for new in (scope_names or {}).values():
        Scope.parse(new).require_specific()
    (caller or Caller.this_user()).require("read", {str(ScopedKey.from_str(network).scope) for network in networks})
    rows = ArchivedRows(lake, networks)
    frames = {name: rows.of(name) for name in rows.table_names()}
    scrubber = _scrubber(frames, rows.scopes, scrub, scope_names)
    written = _Written()
    with ArchiveWriter(path) as archive:
        wanted = list(_wanted(frames, objects=objects, outputs=outputs))
        kept = _kept_files(frames) if files else {}
        for at, data in _read(lake, wanted, written, scrubber):
            archive.add(f"objects/{_in_archive(at, scrubber)}", data)
            written.n_objects += 1
            if progress is not None:
                progress("archived", written.n_objects, len(wanted) + len(kept))
        for at, digest in kept.items():
            archive.add_chunks(f"objects/{_in_archive(at, scrubber)}", _checked(lake, at, digest))
            written.n_objects += 1
            if progress is not None:
                progress("archived", written.n_objects, len(wanted) + len(kept))
        if not objects:
            written.left_out["result objects"] = "not asked for"
        if not files and len(frames["result_files"]):
            written.left_out["files kept from executions"] = "not asked for"
        manifest = _manifest(frames, written, deposit or Deposit(), scrubber)
        _add_tables(archive, lake, rows, frames, scrubber, manifest, deposit or Deposit())
        archive.add(MANIFEST, manifest.as_json())
    return Archived(Path(path), archive.n_bytes, manifest)


# --- objects ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """What was written so far, and what was left out, and why."""

    n_objects: int = 0
    left_out: dict[str, str] = field(default_factory=lambda: {f"table `{name}`": why for name, why in LEFT_OUT.items()})


def _kept_files(frames: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Return the digests of kept files by their paths, each content once."""
    return dict(frames["result_files"].select("object_path", "digest").iter_rows())


def _checked(lake: Lake, path: str, digest: str) -> Iterator[bytes]:
    """Yield the content of a kept file, and compare it with its digest at the end."""
    read = hashlib.sha256()
    for block in lake.objects.read_stream(path):
        read.update(block)
        yield block
    if read.hexdigest() != digest:
        raise DamagedError(
            f"{path} in the lake is damaged, so it cannot be archived; see `alchemiscale-lake verify`; without "
            "--files the archive has everything else",
            path=path,
        )


def _wanted(frames: Mapping[str, pl.DataFrame], *, objects: bool, outputs: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the path of each object, once, and its digest as stored if that is known."""
    seen: set[str] = set()
    for path, digest in _named(frames, objects=objects, outputs=outputs):
        if path not in seen:
            seen.add(path)
            yield path, digest


def _named(frames: Mapping[str, pl.DataFrame], *, objects: bool, outputs: bool) -> Iterator[tuple[str, str | None]]:
    if objects:
        results = frames["results"].filter(pl.col("object_path").is_not_null())
        for path, digest in results.select("object_path", "digest").iter_rows():
            yield path, None if path.startswith("imports/") else digest
        for path in frames["imports"]["object_path"]:
            yield path, None  # its digest is that of the content, uncompressed
    if outputs:
        for column in _OUTPUTS:
            yield from ((path, None) for path in frames["unit_results"][column].drop_nulls())


def _read(
    lake: Lake, wanted: list[tuple[str, str | None]], written: _Written, scrubber: Scrubber
) -> Iterator[tuple[str, bytes]]:
    """Yield objects in order, few at a time; say which are left out, and why."""
    missing: Counter[str] = Counter()

    def read(named: tuple[str, str | None]) -> tuple[bytes | None, str]:
        path, digest = named
        try:
            data = lake.objects.get(path, digest=digest)
        except NotFoundError:
            return None, "objects that are missing in the lake"
        except DamagedError:
            return None, "objects that are damaged in the lake"
        found = scrubber.finds(data, path)
        return (data, "") if found is None else (None, f"objects that contain names of {found}")

    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        for (path, _), (data, why) in zip(batch, at_once(read, batch), strict=True):
            if data is None:
                missing[why] += 1
            else:
                yield path, data
    for why, n in sorted(missing.items()):
        written.left_out[why] = str(n)


def _in_archive(path: str, scrubber: Scrubber) -> str:
    return str(renamed(pl.DataFrame({"path": [path]}), scrubber.scopes).item())


# --- tables -----------------------------------------------------------------------------------------


def _add_tables(
    archive: ArchiveWriter,
    lake: Lake,
    rows: ArchivedRows,
    frames: Mapping[str, pl.DataFrame],
    scrubber: Scrubber,
    manifest: Manifest,
    deposit: Deposit,
) -> None:
    n_rows: dict[str, int] = {}
    for name, answer in current_answers(lake, rows.networks).items():
        n_rows[f"current/{name}.parquet"] = len(answer)
        archive.add(f"current/{name}.parquet", _parquet(scrubber.rows(answer)))
    for name, frame in frames.items():
        n_rows[f"tables/{name}.parquet"] = len(frame)
        table = TABLES[name].table(scrubber.rows(frame))
        archive.add(f"tables/{name}.parquet", _parquet(pl.DataFrame(table)))
    about = _about(manifest)
    for network in rows.networks:
        page = campaign_page(lake, network, at=datetime.fromisoformat(manifest.as_of), with_commands=False)
        text = scrubber.rows(pl.DataFrame({"page": [page]})).item()
        archive.add(f"pages/{file_stem(lake, network)}.html", str(text).encode())
    archive.add("schema.json", _schema(frames))
    archive.add(".zenodo.json", deposit.as_json(manifest.title, about))
    archive.add("README.md", guide(manifest, deposit.description or about, n_rows))


def _parquet(rows: pl.DataFrame) -> bytes:
    """Return rows as Parquet; the same rows give the same bytes."""
    target = io.BytesIO()
    pq.write_table(rows.to_arrow(), target, compression="zstd", compression_level=_LEVEL)
    return target.getvalue()


def _schema(frames: Iterable[str]) -> bytes:
    return pretty(
        {
            name: {
                "rows": TABLES[name].doc,
                "key": list(TABLES[name].key),
                "columns": {
                    c.name: {"type": str(c.type), "nullable": c.nullable, "meaning": c.doc}
                    for c in TABLES[name].columns
                },
            }
            for name in frames
        }
    )


# --- what it says of itself -------------------------------------------------------------------------


def _scrubber(
    frames: Mapping[str, pl.DataFrame],
    scopes: Iterable[str],
    scrub: Collection[str],
    scope_names: Mapping[str, str] | None,
) -> Scrubber:
    def values(columns: Collection[str]) -> set[str]:
        return {
            value
            for frame in frames.values()
            for column in columns
            if column in frame.columns
            for value in frame[column].unique().drop_nulls()
        }

    return Scrubber(scrub, scopes=scopes, hosts=values(("hostname",)), users=values(_USERS), scope_names=scope_names)


def _manifest(frames: Mapping[str, pl.DataFrame], written: _Written, deposit: Deposit, scrubber: Scrubber) -> Manifest:
    networks = _networks(frames)
    names = [network.name or network.network for network in networks]
    manifest = Manifest(
        title=deposit.title or f"Free energy calculations: {', '.join(names)}",
        as_of=_as_of(frames.values()).isoformat(),
        networks=networks,
        rows={name: len(frame) for name, frame in frames.items()},
        n_objects=written.n_objects,
        left_out=written.left_out,
        package_version=package_version(),
        lake_format=FORMAT,
    )
    if not scrubber.scopes:
        return manifest
    text = renamed(pl.DataFrame({"text": [manifest.as_json().decode()]}), scrubber.scopes).item()
    return Manifest.parse(json.dumps(json.loads(text)).encode(), "the new archive")


def _networks(frames: Mapping[str, pl.DataFrame]) -> list[ArchivedNetwork]:
    states = frames["network_log"].sort("seq", "idx").unique("network", keep="last")
    state_of = dict(states.select("network", "state").iter_rows())
    members = frames["network_members"].filter(pl.col("kind") == "transformation")
    found = []
    for network, name in frames["networks"].select("network", "name").iter_rows():
        own = members.filter(pl.col("network") == network)["member"].to_list()
        tasks = frames["tasks"].filter(pl.col("transformation").is_in(own))
        results = frames["results"].filter(pl.col("transformation").is_in(own))
        n_good = int(results["ok"].sum())
        found.append(
            ArchivedNetwork(
                network, name, state_of.get(network, "active"), len(own), len(tasks), n_good, len(results) - n_good
            )
        )
    return found


def _as_of(frames: Iterable[pl.DataFrame]) -> datetime:
    """Return the time of the newest row."""
    times = [frame[name].max() for frame in frames for name in _TIMES if name in frame.columns]
    return max(time for time in times if isinstance(time, datetime))


def _about(manifest: Manifest) -> str:
    n_results = sum(network.n_results for network in manifest.networks)
    n_transformations = sum(network.n_transformations for network in manifest.networks)
    return (
        f"{count(len(manifest.networks), 'network')} of alchemical free energy calculations with "
        f"{count(n_transformations, 'Transformation')} and {count(n_results, 'good result')}: networks, Tasks and "
        "their history, results, failures, provenance, and estimates with their uncertainties."
    )
