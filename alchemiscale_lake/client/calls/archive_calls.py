"""Archives of networks."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...archives import Author, Deposit, write_archive
from ...caller import Caller
from ...store import Lake

__all__ = ["archive"]


def archive(
    lake: Lake,
    caller: Caller,
    *,
    networks: Sequence[str],
    objects: bool = True,
    outputs: bool = True,
    files: bool = False,
    scrub: Sequence[str] = (),
    deposit: Mapping[str, Any] | None = None,
) -> bytes:
    """Return an archive of networks as the content of a zip file.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    objects, outputs, files : bool
        Whether to include results as gufe wrote them, what units printed, and kept files.
    scrub : sequence of str
        Kinds of names to remove.
    deposit : mapping of str to object, optional
        Fields of `Deposit`; authors as mappings of the fields of `Author`.
    """
    about = None
    if deposit is not None:
        authors = [Author(**author) for author in deposit.get("authors", ())]
        related = [(relation, identifier) for relation, identifier in deposit.get("related", ())]
        about = Deposit(**{**deposit, "authors": authors, "related": related})
    with tempfile.TemporaryDirectory(prefix="alchemiscale-lake-archive-") as folder:
        written = write_archive(
            lake,
            networks,
            Path(folder) / "archive.zip",
            objects=objects,
            outputs=outputs,
            files=files,
            scrub=scrub,
            deposit=about,
            caller=caller,
        )
        return written.path.read_bytes()
