"""A Delta table whose paths readers find as they are, and the list of its files."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

__all__ = ["DecodedTable", "listed_files"]


class DecodedTable(DeltaTable):
    """A Delta table with plain paths and keys where deltalake has percent-encoded URIs.

    polars and DuckDB read them literally, and would not find a folder with a space in its name.
    """

    @property
    def table_uri(self) -> str:
        """Place of the table."""
        return unquote(super().table_uri)

    def file_uris(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return the places of the data files.

        Parameters
        ----------
        *args, **kwargs
            As of `deltalake.DeltaTable.file_uris`, which differ between its versions.
        """
        return [unquote(uri) for uri in super().file_uris(*args, **kwargs)]


def listed_files(delta: DeltaTable) -> pl.DataFrame:
    """Return one row per data file of a snapshot: its path, size, partition, and the ranges of its columns."""
    # not by way of pyarrow, which imports pandas to look at it
    return pl.DataFrame(delta.get_add_actions(flatten=True))
