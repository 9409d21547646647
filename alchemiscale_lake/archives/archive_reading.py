"""What an archive says: its description, and its rows as tables of this version."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ..errors import ArchiveError
from ..ids import Scope, ScopedKey
from ..schemas import TABLES
from ..store.columns import nulls
from .archived_rows import ArchivedRows
from .container import ArchiveFiles
from .manifest import MANIFEST, Manifest

__all__ = ["new_scopes", "read_manifest", "read_tables"]


def read_manifest(path: str | Path) -> Manifest:
    """Return what an archive says about itself.

    Parameters
    ----------
    path : str or Path
        A zip file or a folder.

    Raises
    ------
    ArchiveError
        If it is not a whole archive.
    LakeVersionError
        If a newer version wrote it.
    """
    with ArchiveFiles(path) as archive:
        return Manifest.parse(archive.read(MANIFEST), str(path))


def read_tables(archive: ArchiveFiles) -> dict[str, pl.DataFrame]:
    """Return the rows of every table, with columns and tables that came later than the archive.

    Raises
    ------
    ArchiveError
        If a file is missing or damaged.
    SchemaError
        If a value does not fit its column.
    """
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


def new_scopes(manifest: Manifest, scope: Scope | str | None, source: str) -> dict[str, str]:
    """Return the Scopes of an archive that get another name, with these names.

    Parameters
    ----------
    manifest : Manifest
    scope : Scope or str or None
        Scope for all networks of the archive; None keeps the Scopes.
    source : str
        Name of the archive, for messages.

    Raises
    ------
    ArchiveError
        If the networks are in several Scopes.
    """
    if scope is None:
        return {}
    target = str(Scope.parse(scope).require_specific())
    old = {str(ScopedKey.parse(network.network).scope) for network in manifest.networks}
    if len(old) > 1:
        raise ArchiveError(
            f"the networks of {source} are in several Scopes ({', '.join(sorted(old))}), so they cannot all be "
            f"imported into {target}; import them without --scope",
            scopes=sorted(old),
        )
    return {one: target for one in old if one != target}
