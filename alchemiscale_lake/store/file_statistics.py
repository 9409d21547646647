"""Statistics of a data file in the Delta log, by which readers skip files.

Wrong statistics lose rows, and so do partial ones: pyarrow datasets compare a column without a range with null and
drop the file. So every column for which Delta keeps ranges has one, wide enough, or the file has none at all.
References: Delta transaction protocol, "Per-file Statistics".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["file_statistics"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer text is represented by a bound.
_LETTERS: Final = 32
_LAST_LETTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class _NoRangeError(Exception):
    """A column has values that no range can express."""


def file_statistics(rows: pa.Table) -> dict[str, Any]:
    """Return the number of rows, and the null count and range of each column.

    Parameters
    ----------
    rows : pyarrow.Table
        All rows of the file, without its partition columns.

    Returns
    -------
    dict
        `numRecords`; and `minValues`, `maxValues`, `nullCount`, unless a column has a NaN or text without an upper
        bound.
    """
    least, most, nulls = dict[str, Any](), dict[str, Any](), dict[str, int]()
    try:
        for field in rows.schema:
            column = rows.column(field.name)
            if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
                continue
            nulls[field.name] = column.null_count
            if column.null_count < len(rows):
                least[field.name], most[field.name] = _range(column)
    except _NoRangeError:
        return {"numRecords": len(rows)}
    return {"numRecords": len(rows), "minValues": least, "maxValues": most, "nullCount": nulls}


def _range(column: pa.ChunkedArray) -> tuple[Any, Any]:
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        raise _NoRangeError
    if pa.types.is_timestamp(column.type):
        # as numbers: Arrow imports pandas to make a time of Python, which costs a second
        low, high = pc.min_max(column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())).as_py().values()
        return _time(low), _time(high)
    low, high = pc.min_max(column).as_py().values()
    if isinstance(low, str):
        return low[:_LETTERS], _text_above(high)
    if isinstance(low, float) and not (math.isfinite(low) and math.isfinite(high)):
        raise _NoRangeError  # JSON has no infinity
    if not isinstance(low, int | float):
        raise _NoRangeError
    return low, high


def _text_above(text: str) -> str:
    """Return the shortest text not below `text`, in the order of code points, which is that of UTF-8."""
    if len(text) <= _LETTERS:
        return text
    letters = [ord(letter) for letter in text[:_LETTERS]]
    while letters:
        following = letters.pop() + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _LAST_LETTER:
            return "".join(map(chr, [*letters, following]))
    raise _NoRangeError


def _time(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
