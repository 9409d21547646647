"""Conversion of a DuckDB relation to polars, whatever its types.

polars lacks some of DuckDB's types, and panics on dates that Python cannot express. Such columns are returned as text,
in DuckDB's notation.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import duckdb
import polars as pl

__all__ = ["Relation", "frame_of", "relation_of"]

#: Rows in DuckDB, so that other rooms can name the type without importing duckdb.
Relation: TypeAlias = duckdb.DuckDBPyRelation

#: Also inside a list, struct or map.
_WITHOUT_EQUAL: Final = re.compile(r"\b(INTERVAL|UNION|BIT|UHUGEINT|BIGNUM|GEOMETRY|VARIANT|TIME WITH TIME ZONE)\b")
#: Years 1 to 9999, as days and seconds since 1970: the range of Python's dates.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_S: Final = 86_400
_PER_SECOND: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}


def frame_of(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """Return the rows of a relation.

    Columns with a type that polars lacks (intervals, unions, ...), and those with a date that Python cannot express
    (`infinity`), are returned as text.
    """
    odd = [i for i, kind in enumerate(relation.types) if _WITHOUT_EQUAL.search(_type_alone(str(kind)))]
    frame: pl.DataFrame = _as_text(relation, odd).pl()
    beyond = [i for i, column in enumerate(frame.get_columns()) if _is_beyond(column)]
    return _as_text(relation, [*odd, *beyond]).pl() if beyond else frame


def relation_of(frame: pl.DataFrame) -> Relation:
    """Return rows as a relation of DuckDB, with a connection of its own."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return connection.from_arrow(frame.to_arrow())


def _type_alone(kind: str) -> str:
    """Return the type without user-defined text: names of fields, values of enums."""
    return re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", kind)


def _as_text(relation: duckdb.DuckDBPyRelation, positions: list[int]) -> duckdb.DuckDBPyRelation:
    if not positions:
        return relation
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in relation.columns]
    # by position, because names may repeat
    shown = [
        f"cast(#{i + 1} as varchar) as {name}" if i in positions else f"#{i + 1} as {name}"
        for i, name in enumerate(quoted)
    ]
    return relation.project(", ".join(shown))


def _is_beyond(values: pl.Series) -> bool:
    """Return whether a date in here, at any depth, is outside Python's range."""
    kind = values.dtype
    if isinstance(kind, (pl.List, pl.Array)):
        return _is_beyond(values.explode(empty_as_null=True))
    if isinstance(kind, pl.Struct):
        return any(_is_beyond(values.struct.field(field.name)) for field in kind.fields)
    if isinstance(kind, pl.Date):
        factor = 1
    elif isinstance(kind, pl.Datetime):
        factor = _DAY_S * _PER_SECOND[kind.time_unit]
    else:
        return False
    numbers = values.to_physical().drop_nulls()
    # compare as Python integers: days of the last year do not fit 64 bits of nanoseconds
    extremes = [int(n) for n in (numbers.min(), numbers.max()) if n is not None]  # type: ignore[arg-type]
    return any(not _FIRST_DAY * factor <= n < (_LAST_DAY + 1) * factor for n in extremes)
