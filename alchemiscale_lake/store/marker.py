"""`lake.json`, the marker of a lake: it states the format, and is written last when a lake is created.

The format is also in the table `migrations`, from which a lost or damaged marker is restored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ..errors import NotALakeError, NotFoundError
from ..schemas import FORMAT, TABLES
from .failures import collect, fail
from .location import Location
from .objects import ObjectStore
from .table import LakeTable

__all__ = ["MARKER", "Marker", "has_tables", "read_marker", "restore_marker", "write_marker"]

#: Path of the marker within a lake.
MARKER: Final = "lake.json"


@dataclass(frozen=True, slots=True)
class Marker:
    """Content of `lake.json`.

    Attributes
    ----------
    format : int
        Format version of the lake.
    made_by : str
        Version of alchemiscale-lake that created it.
    """

    format: int
    made_by: str


def write_marker(objects: ObjectStore, made_by: str) -> None:
    """Write the marker in this version's format; an existing marker is kept.

    Raises
    ------
    StorageError
    """
    objects.put_exclusive(MARKER, json.dumps({"format": FORMAT, "made_by": made_by}).encode())


def read_marker(location: Location) -> Marker | None:
    """Read the marker; None if there is none.

    Raises
    ------
    NotALakeError
        If it is damaged.
    StorageError
        If the storage does not answer.
    """
    try:
        if location.path is not None and not (location.path / MARKER).is_file():
            return None
        content = json.loads(ObjectStore(location).get(MARKER))
        return Marker(int(content["format"]), str(content.get("made_by")))
    except NotFoundError:
        return None
    except OSError as e:
        fail(f"cannot look for a lake in {location.url}", e, place=location.url)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        what = "is damaged; `alchemiscale-lake maintain --repair` restores it"
        if not has_tables(location):
            what = "does not belong to a lake, and there are no tables; give another location"
        raise NotALakeError(f"{MARKER} at {location.url} {what}", place=location.url) from e


def has_tables(location: Location) -> bool:
    """Return whether the tables of a lake exist here, with or without a marker.

    Raises
    ------
    StorageError
    """
    if location.path is not None:
        return (location.path / "tables" / "migrations" / "_delta_log").is_dir()
    return bool(ObjectStore(location).list("tables/migrations/_delta_log"))


def restore_marker(location: Location, *, dry_run: bool = False) -> str | None:
    """Restore a marker that is lost, damaged or wrong from the table `migrations`.

    Returns
    -------
    str or None
        What was wrong; None if nothing was, or no lake is known here.

    Raises
    ------
    NotALakeError
        If no format is known: creation of the lake never finished.
    DamagedError, StorageError
        If the table cannot be read.
    """
    try:
        found = read_marker(location)
        problem = "missing" if found is None else None
    except NotALakeError:
        found, problem = None, "damaged"
    if not has_tables(location):
        return None
    objects = ObjectStore(location)
    rows = collect(LakeTable(location, TABLES["migrations"], objects).scan(), "table 'migrations'").sort("format")
    if rows.is_empty():
        raise NotALakeError(
            f"the creation of the lake at {location.url} was interrupted; run `alchemiscale-lake init` again",
            place=location.url,
        )
    format_, made_by = rows.row(-1, named=True)["format"], rows.row(0, named=True)["package_version"]
    if found is not None and found.format != format_:
        problem = f"wrong: it has format {found.format}, the tables have {format_}"
    if problem is not None and not dry_run:
        objects.put(MARKER, json.dumps({"format": format_, "made_by": made_by}).encode())
    return problem
