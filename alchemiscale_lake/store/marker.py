"""`lake.json`, the marker of a lake: it states the format, and is written last when a lake is created.

The format is also in the table `migrations`, from which a lost or damaged marker is restored.
"""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import asdict, dataclass
from typing import Final

from ..errors import DamagedMarkerError, LakeVersionError, MissingMarkerError, NotALakeError, NotFoundError
from ..schemas import FORMAT, TABLES
from .location import Location
from .objects import ObjectStore
from .storage_errors import collect, fail
from .table import LakeTable

__all__ = [
    "MARKER",
    "Marker",
    "has_tables",
    "package_version",
    "put_marker",
    "read_marker",
    "restore_marker",
    "supported_marker",
    "write_marker",
]

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
    migrated_by : str or None
        Version that gave it its format, if that was a migration.
    unfinished_from : int or None
        Format that its tables still have in part, during a migration that changes existing tables.
    """

    format: int
    made_by: str
    migrated_by: str | None = None
    unfinished_from: int | None = None

    @property
    def sound_format(self) -> int:
        """Return the format of which every change is complete."""
        return self.format if self.unfinished_from is None else self.unfinished_from

    @property
    def needs(self) -> str:
        """Return the version of alchemiscale-lake that the format came from."""
        return self.migrated_by or self.made_by

    def after_migration(self, format_: int) -> Marker:
        """Return the marker of the same lake after this version has brought it to a format."""
        return Marker(format_, self.made_by, package_version())


def package_version() -> str:
    """Return the version of alchemiscale-lake that is running."""
    return importlib.metadata.version("alchemiscale-lake")


def write_marker(objects: ObjectStore) -> None:
    """Write the marker of a new lake; an existing marker is kept.

    Raises
    ------
    StorageError
    """
    objects.put_exclusive(MARKER, _as_json(Marker(FORMAT, package_version())))


def put_marker(objects: ObjectStore, marker: Marker) -> None:
    """Replace the marker.

    Parameters
    ----------
    objects : ObjectStore
        Objects of the lake.
    marker : Marker
        New content.

    Raises
    ------
    StorageError
    """
    objects.put(MARKER, _as_json(marker))


def read_marker(location: Location) -> Marker | None:
    """Read the marker; None if there is none.

    Raises
    ------
    NotALakeError
        If it does not belong to a lake.
    DamagedMarkerError
        If it is damaged.
    StorageError
        If the storage does not answer.
    """
    try:
        if location.path is not None and not (location.path / MARKER).is_file():
            return None
        return _parsed(ObjectStore(location).get(MARKER))
    except NotFoundError:
        return None
    except OSError as e:
        fail(f"cannot look for a lake in {location.url}", e, place=location.url)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        if not has_tables(location):
            raise NotALakeError(
                f"{MARKER} at {location.url} does not belong to a lake, and there are no tables; give another location",
                place=location.url,
            ) from e
        raise DamagedMarkerError(
            f"{MARKER} at {location.url} is damaged; the tables are there: "
            f"`alchemiscale-lake maintain --repair --lake {location.argument}` restores it",
            place=location.url,
        ) from e


def supported_marker(location: Location) -> Marker:
    """Read the marker of a lake that this version can use or migrate.

    Raises
    ------
    NotALakeError
        If there is no lake.
    MissingMarkerError, DamagedMarkerError
        If there are tables, but no marker, or a damaged one.
    LakeVersionError
        If the format is newer.
    StorageError
    """
    marker = read_marker(location)
    if marker is None:
        if has_tables(location):
            raise MissingMarkerError(
                f"the lake at {location.url} has no {MARKER}: it is being created right now, or the file was lost; "
                f"`alchemiscale-lake maintain --repair --lake {location.argument}` restores it",
                place=location.url,
            )
        raise NotALakeError(
            f"there is no lake at {location.url}; create one with `alchemiscale-lake init` "
            "or by submitting a network, or give another --lake",
            place=location.url,
        )
    if marker.format > FORMAT:
        raise LakeVersionError(
            f"the lake at {location.url} has format {marker.format} of alchemiscale-lake {marker.needs}; this is "
            f"alchemiscale-lake {package_version()}, which supports formats up to {FORMAT}: install "
            + ("a newer build of it" if marker.needs == package_version() else f"version {marker.needs} or newer"),
            place=location.url,
            format=marker.format,
            needs=marker.needs,
        )
    return marker


def _parsed(data: bytes) -> Marker:
    content = json.loads(data)
    number, unfinished, by = int(content["format"]), content.get("unfinished_from"), content.get("migrated_by")
    if number < 1:
        raise ValueError(number)
    return Marker(
        number,
        str(content.get("made_by")),
        None if by is None else str(by),
        None if unfinished is None else int(unfinished),
    )


def _as_json(marker: Marker) -> bytes:
    return json.dumps({name: value for name, value in asdict(marker).items() if value is not None}).encode()


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

    Parameters
    ----------
    location : Location
        Place of the lake.
    dry_run : bool, default False
        Only report; write nothing.

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
    except DamagedMarkerError:
        found, problem = None, "damaged"
    except NotALakeError:
        return None
    if not has_tables(location):
        return None
    objects = ObjectStore(location)
    rows = collect(LakeTable(location, TABLES["migrations"], objects).scan(), "table 'migrations'").sort("format")
    if rows.is_empty():
        raise NotALakeError(
            f"the creation of the lake at {location.url} was interrupted; run `alchemiscale-lake init` again",
            place=location.url,
        )
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    if found is not None and found.unfinished_from is not None:
        return None  # `migrate` continues it
    if found is not None and found.format != last["format"]:
        problem = f"wrong: it has format {found.format}, the tables have {last['format']}"
    if problem is not None and not dry_run:
        by = last["package_version"] if len(rows) > 1 else None
        put_marker(objects, Marker(last["format"], first["package_version"], by))
    return problem
