"""Archives: networks with all that belongs to them as one file that opens anywhere, written, read and imported."""

from __future__ import annotations

from .archive_import import ImportedArchive, import_archive
from .archive_reading import read_manifest
from .archive_writing import Archived, write_archive
from .deposit import Author, Deposit
from .manifest import ArchivedNetwork, Manifest
from .scrubbing import SCRUBBED

__all__ = [
    "SCRUBBED",
    "Archived",
    "ArchivedNetwork",
    "Author",
    "Deposit",
    "ImportedArchive",
    "Manifest",
    "import_archive",
    "read_manifest",
    "write_archive",
]
