"""What an archive says about itself, in `archive.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from ..errors import ArchiveError, LakeVersionError
from ..schemas import FORMAT
from .deposit import pretty

__all__ = ["ARCHIVE_FORMAT", "MANIFEST", "ArchivedNetwork", "Manifest"]

#: Name of the file.
MANIFEST: Final = "archive.json"
#: Version of the layout of archives.
ARCHIVE_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ArchivedNetwork:
    """A network of an archive.

    Attributes
    ----------
    network : str
        ScopedKey.
    name : str or None
    state : str
        State when it was archived.
    n_transformations, n_tasks, n_results, n_failed : int
        Numbers of its Transformations, of their Tasks, and of good and failed results.
    """

    network: str
    name: str | None
    state: str
    n_transformations: int
    n_tasks: int
    n_results: int
    n_failed: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says about itself.

    Attributes
    ----------
    title : str
    as_of : str
        Time of the newest row, ISO 8601: twice the same archive of the same content.
    networks : sequence of ArchivedNetwork
    rows : mapping of str to int
        Number of rows by table.
    n_objects : int
        Number of result objects, outputs and files.
    left_out : mapping of str to str
        What was not archived, and why.
    package_version : str
        Version of alchemiscale-lake that wrote it.
    archive_format : int
    lake_format : int
        Format of the tables.
    """

    title: str
    as_of: str
    networks: Sequence[ArchivedNetwork]
    rows: Mapping[str, int]
    n_objects: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    package_version: str = ""
    archive_format: int = ARCHIVE_FORMAT
    lake_format: int = FORMAT

    def as_json(self) -> bytes:
        """Return the content of `archive.json`."""
        return pretty(asdict(self))

    @classmethod
    def parse(cls, data: bytes, source: str) -> Manifest:
        """Parse the content of `archive.json`.

        Parameters
        ----------
        data : bytes
        source : str
            Name of the archive, for messages.

        Raises
        ------
        ArchiveError
            If it is malformed.
        LakeVersionError
            If a newer version wrote it.
        """
        try:
            content = json.loads(data)
            versions = int(content["archive_format"]), int(content["lake_format"])
            if versions[0] > ARCHIVE_FORMAT or versions[1] > FORMAT:
                raise LakeVersionError(
                    f"{source} was written by alchemiscale-lake {content['package_version']}, with archive format "
                    f"{versions[0]} and tables of format {versions[1]}; this version reads up to {ARCHIVE_FORMAT} and "
                    f"{FORMAT}: upgrade alchemiscale-lake",
                    path=source,
                )
            networks = [ArchivedNetwork(**network) for network in content.pop("networks")]
            return cls(networks=networks, **content)
        except (ValueError, KeyError, TypeError) as e:
            raise ArchiveError(
                f"{source} is not a whole archive of alchemiscale-lake: its {MANIFEST} is malformed", path=source
            ) from e
