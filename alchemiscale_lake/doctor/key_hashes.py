"""Comparison of keys across tables by 64-bit hashes, so that memory holds eight bytes per row and no key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ..plurals import count
from ..store import collect

__all__ = ["EXAMPLES", "described", "hash_of", "keys_of", "missing"]

#: Keys that a finding names.
EXAMPLES: Final = 3
_HASH: Final = "__hash"

Tables = Mapping[str, pl.LazyFrame]


def hash_of(*columns: str | pl.Expr) -> pl.Expr:
    """Return the hash of some columns together; null if one of them is."""
    text = pl.concat_str([pl.col(c) if isinstance(c, str) else c for c in columns], separator="\0")
    return pl.when(text.is_not_null()).then(text.hash())


def keys_of(frame: pl.LazyFrame, *columns: str | pl.Expr) -> pl.LazyFrame:
    """Return the hashes of a table's keys.

    Parameters
    ----------
    frame : polars.LazyFrame
        Scan of the table.
    *columns : str or polars.Expr
        Columns of the key.
    """
    return frame.select(hash_of(*columns).alias(_HASH))


def missing(
    frame: pl.LazyFrame, columns: Sequence[str | pl.Expr], known: Sequence[pl.LazyFrame], shown: pl.Expr
) -> tuple[int, list[str]]:
    """Count the rows whose key is not known; return also some examples.

    Parameters
    ----------
    frame : polars.LazyFrame
        Rows that refer to something.
    columns : sequence of str or polars.Expr
        Their columns with the reference; a null refers to nothing.
    known : sequence of polars.LazyFrame
        Keys that exist, from `keys_of`.
    shown : polars.Expr
        What to show of a row.
    """
    referring = frame.select(hash_of(*columns).alias(_HASH), shown.cast(pl.String).alias("shown"))
    there = pl.concat(known)
    lacking = referring.filter(pl.col(_HASH).is_not_null()).join(there, on=_HASH, how="anti")
    found = collect(
        lacking.select(n=pl.len(), shown=pl.col("shown").unique().bottom_k(EXAMPLES)), "keys", streaming=True
    )
    names = sorted(found["shown"].drop_nulls().to_list())
    return (int(found["n"][0]), names[:EXAMPLES]) if len(found) else (0, [])


def described(n: int, what: str, examples: Sequence[str]) -> str:
    """Describe a number of things with some examples.

    Parameters
    ----------
    n : int
    what : str
        The thing, singular.
    examples : sequence of str

    Examples
    --------
    >>> described(4, "row", ["a", "b", "c"])
    '4 rows: a, b, c, ...'
    """
    more = ", ..." if n > len(examples) else ""
    return f"{count(n, what)}: {', '.join(examples)}{more}" if examples else count(n, what)
