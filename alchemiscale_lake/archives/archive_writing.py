"""Archives: networks of a lake as one zip file or folder that opens anywhere.

Tables are Parquet, objects are stored as they are in the lake. Nothing but the content decides on the bytes: the same
networks archived twice give the same file.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from ..caller import Caller
from ..errors import ArchiveError, InvalidScopeError
from ..ids import Scope, ScopedKey
from ..networks.stored_results import scope_of_object
from ..plurals import count
from ..report.campaign_page import campaign_page
from ..report.file_names import file_stem
from ..schemas import FORMAT, TABLES
from ..store import Lake
from ..store.marker import package_version
from .archived_rows import LEFT_OUT, ArchivedRows
from .container import ArchiveWriter
from .current import current_answers
from .deposit import Deposit, pretty
from .guide import guide
from .lake_objects import LakeObjects, kept_file
from .manifest import MANIFEST, ArchivedNetwork, Manifest
from .scrubbing import Scrubber, renamed

__all__ = ["Archived", "write_archive"]

_LEVEL: Final = 9
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
    read = LakeObjects(lake, frames, results=objects, outputs=outputs, scrubber=scrubber)
    kept = dict(frames["result_files"].select("object_path", "digest").iter_rows()) if files else {}
    n_objects, n_wanted = 0, len(read) + len(kept)
    with ArchiveWriter(path) as archive:
        contents = itertools.chain(
            ((at, [data]) for at, data in read), ((at, kept_file(lake, at, digest)) for at, digest in kept.items())
        )
        for n_objects, (at, chunks) in enumerate(contents, start=1):
            archive.add_chunks(f"objects/{_in_archive(at, scrubber)}", chunks)
            if progress is not None:
                progress("archived", n_objects, n_wanted)
        frames["gufe_objects"] = pl.concat([frames["gufe_objects"], read.shared_elsewhere()])
        left_out = {f"table `{name}`": why for name, why in LEFT_OUT.items()} | read.left_out
        if not objects:
            left_out["result objects"] = "not asked for"
        if not files and len(frames["result_files"]):
            left_out["files kept from executions"] = "not asked for"
        unscrubbed = sum(scrubber.finds(data, key) is not None for key, data in _definitions(frames))
        if unscrubbed:
            left_out["scrubbing of gufe objects"] = f"{unscrubbed} contain such names, and calculations need them"
        manifest = _manifest(frames, n_objects, left_out, deposit or Deposit(), scrubber)
        _add_tables(archive, lake, rows, frames, scrubber, manifest, deposit or Deposit())
        archive.add(MANIFEST, manifest.as_json())
    return Archived(Path(path), archive.n_bytes, manifest)


def _definitions(frames: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, bytes]]:
    return frames["gufe_objects"].select("key", "keyed_dict").iter_rows()


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

    return Scrubber(
        scrub,
        scopes=[*scopes, *_mentioned_scopes(frames)],
        hosts=values(("hostname",)),
        users=values(_USERS),
        scope_names=scope_names,
    )


def _mentioned_scopes(frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the Scopes that results, Tasks and networks were copied from."""
    keys = {*frames["tasks"]["origin"].drop_nulls(), *frames["networks"]["made_from"].explode().drop_nulls()}
    found = {str(ScopedKey.from_str(key).scope) for key in keys}
    for path in frames["results"]["object_path"].drop_nulls():
        if path.startswith("attempts/"):
            with contextlib.suppress(InvalidScopeError):
                found.add(str(Scope.from_str(scope_of_object(path))))
    return sorted(found)


def _manifest(
    frames: Mapping[str, pl.DataFrame],
    n_objects: int,
    left_out: Mapping[str, str],
    deposit: Deposit,
    scrubber: Scrubber,
) -> Manifest:
    networks = _networks(frames)
    names = [network.name or network.network for network in networks]
    manifest = Manifest(
        title=deposit.title or f"Free energy calculations: {', '.join(names)}",
        as_of=_as_of(frames.values()).isoformat(),
        networks=networks,
        rows={name: len(frame) for name, frame in frames.items()},
        n_objects=n_objects,
        left_out=left_out,
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
