"""Declaration of a table: columns with units, a key, rules, a partitioning.

One file per table declares a `TableSchema`; its Arrow schema, the check before every write, test rows and the
documentation are derived from that declaration. Delta itself enforces none of it (a float written into an integer
column is silently truncated), so rows are checked here before every write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SchemaError
from ..plurals import count, verb
from ._few_rows import FewRows

__all__ = ["BINARY", "BOOL", "FLOAT", "INT", "STRING", "STRINGS", "TIME", "Column", "Rule", "TableSchema"]

STRING = pa.string()
INT = pa.int64()
FLOAT = pa.float64()
BOOL = pa.bool_()
BINARY = pa.binary()
#: Timestamps are UTC with microseconds, which Delta stores without a feature flag.
TIME = pa.timestamp("us", tz="UTC")
STRINGS = pa.list_(pa.string())


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        Ends in its unit where the value has one (`_kcal_mol`, `_s`, `_bytes`).
    type : pyarrow.DataType
    doc : str
        One line.
    nullable : bool
        Whether the value may be missing.
    choices : tuple of str
        The only values allowed, if given.
    since : int
        Format of the lake that the column came with, if it came later than its table; it is nullable then.
    """

    name: str
    type: pa.DataType
    doc: str
    nullable: bool = False
    choices: tuple[str, ...] = ()
    since: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition for every row; `holds` is a polars expression that is true for valid rows.

    Attributes
    ----------
    description : str
        Condition in words, for messages and documentation.
    holds : pl.Expr
        True for valid rows.
    """

    description: str
    holds: pl.Expr


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The declaration of one table.

    Attributes
    ----------
    name : str
        Name of the table.
    doc : str
        What one row is.
    columns : tuple of Column
        Columns in order.
    key : tuple of str
        Columns that identify a row.
    partition_by : tuple of str, default ("scope",)
        Columns by which files are partitioned; empty for none.
    rules : tuple of Rule
        Conditions for every row.
    since : int, default 1
        Format of the lake that the table came with.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ("scope",)
    rules: tuple[Rule, ...] = field(default=())
    #: Format of the lake that the table came with.
    since: int = 1
    _few: FewRows = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_few", FewRows(self.columns, [rule.holds for rule in self.rules]))
        required = [c.name for c in self.columns if c.since > self.since and not c.nullable]
        if required:
            raise SchemaError(
                f"column {required} of table '{self.name}' came later than the table, whose older rows lack it: "
                "declare it nullable",
                table=self.name,
                columns=required,
            )

    @property
    def arrow(self) -> pa.Schema:
        """Return the Arrow schema, in declared order."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def names(self) -> list[str]:
        """Return the column names, in declared order."""
        return [c.name for c in self.columns]

    def table(self, rows: pa.Table | pl.DataFrame | Sequence[Mapping[str, Any]]) -> pa.Table:
        """Check rows against this schema and return them as an Arrow table with exactly its types.

        Raises
        ------
        SchemaError
            If a required column is missing or null, or a column is unknown, of another type (values are never
            truncated to fit), outside its choices, or violates a rule.
        """
        arrow = self._as_arrow(rows)
        problems = [*self._null_problems(arrow), *self._choice_problems(arrow), *self._rule_problems(arrow)]
        if problems:
            raise SchemaError(
                f"{count(len(problems), 'problem')} in rows for table '{self.name}': " + "; ".join(problems),
                table=self.name,
                problems=problems,
            )
        return arrow

    def fits(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether a few rows certainly satisfy this schema; if not, `table` says what is wrong, if anything."""
        frame = self._few.frame(rows)
        return frame is not None and self._few.holds(frame)

    def typed(self, rows: pl.DataFrame) -> pa.Table:
        """Return rows that were checked before as an Arrow table with exactly its types.

        Raises
        ------
        SchemaError
            If a column is unknown or of another type.
        """
        return self._as_arrow(rows)

    def _as_arrow(self, rows: pa.Table | pl.DataFrame | Sequence[Mapping[str, Any]]) -> pa.Table:
        if isinstance(rows, pl.DataFrame):
            rows = rows.to_arrow()
        given = list(rows.column_names) if isinstance(rows, pa.Table) else _keys(rows)
        unknown = sorted(set(given) - set(self.names))
        if unknown:
            raise SchemaError(f"table '{self.name}' has no column {unknown}", table=self.name, columns=unknown)
        # _null_problems checks nullability and names the column; Arrow would only raise
        loose = pa.schema([pa.field(c.name, c.type) for c in self.columns])
        try:
            if isinstance(rows, pa.Table):
                for missing in (c for c in self.columns if c.name not in given):
                    rows = rows.append_column(missing.name, pa.nulls(len(rows), missing.type))
                return rows.select(self.names).cast(loose, safe=True)
            if (frame := self._few.frame(rows)) is not None:
                return frame.to_arrow().cast(loose, safe=True)
            arrays = [_array([row.get(c.name) for row in rows], c.type) for c in self.columns]
            return pa.Table.from_arrays(arrays, schema=loose)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as e:
            raise SchemaError(f"a value does not match table '{self.name}': {e}", table=self.name, cause=str(e)) from e

    def _null_problems(self, table: pa.Table) -> list[str]:
        counts = {c.name: table.column(c.name).null_count for c in self.columns if not c.nullable}
        return [f"column '{name}' must not be null ({count(n, 'row')})" for name, n in counts.items() if n]

    def _choice_problems(self, table: pa.Table) -> list[str]:
        problems = []
        for c in (c for c in self.columns if c.choices):
            values = table.column(c.name).drop_null()
            bad = values.filter(pc.invert(pc.is_in(values, value_set=_array(list(c.choices), c.type))))
            if len(bad):
                problems.append(f"column '{c.name}' is {bad[0].as_py()!r}, not one of {', '.join(c.choices)}")
        return problems

    def _rule_problems(self, table: pa.Table) -> list[str]:
        if not self.rules or not len(table):
            return []
        frame = pl.DataFrame(table)
        broken = frame.select((~rule.holds.fill_null(True)).sum().alias(str(i)) for i, rule in enumerate(self.rules))
        return [
            f"{rule.description} ({count(n, 'row')} {verb(n, 'breaks', 'break')} this)"
            for rule, n in zip(self.rules, broken.row(0), strict=True)
            if n
        ]

    def sample(self, n: int = 1, **overrides: Any) -> pa.Table:
        """Make `n` valid rows; `overrides` give a value, or a list of `n`, per column.

        Parameters
        ----------
        n : int, default 1
            Number of rows.
        **overrides : object
            By column: one value for all rows, or a list of n.
        """
        columns = {}
        for c in self.columns:
            given = overrides.get(c.name, _MISSING)
            if given is _MISSING:
                given = [_example(c, i) for i in range(n)]
            elif not isinstance(given, list):
                given = [given] * n
            columns[c.name] = _array(list(given), c.type)
        return self.table(pa.table(columns))

    def markdown(self) -> str:
        """Describe the table in Markdown for the documentation."""
        head = [f"## {self.name}", "", self.doc, ""]
        facts = [f"Key: {_code(self.key)}. Partitioned by: {_code(self.partition_by) or 'nothing'}."]
        if self.since > 1:
            facts[0] += f" Since format {self.since}; an older lake gets it with its first row."
        rules = [f"- {rule.description}" for rule in self.rules]
        body = ["", "| column | type | null | meaning |", "| --- | --- | --- | --- |"]
        body += [
            f"| `{c.name}` | {c.type} | {'yes' if c.nullable else ''} | {c.doc}"
            + (f" One of {_code(c.choices)}." if c.choices else "")
            + (f" Since format {c.since}; NULL in older rows." if c.since > self.since else "")
            + " |"
            for c in self.columns
        ]
        return "\n".join([*head, *facts, *(["", "Rules:", "", *rules] if rules else []), *body, ""])


_MISSING = object()


#: For values of exactly these types, polars makes the same column as Arrow, which imports pandas for that.
_PLAIN: Final[dict[pa.DataType, tuple[frozenset[type], pl.DataType]]] = {
    STRING: (frozenset({str}), pl.String()),
    INT: (frozenset({int}), pl.Int64()),
    FLOAT: (frozenset({float, int}), pl.Float64()),
    BOOL: (frozenset({bool}), pl.Boolean()),
    BINARY: (frozenset({bytes}), pl.Binary()),
    TIME: (frozenset({datetime}), pl.Datetime("us", "UTC")),
    STRINGS: (frozenset({list}), pl.List(pl.String)),
}


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    types, of_polars = _PLAIN.get(kind, (frozenset(), pl.Null()))
    if types and set(map(type, values)) <= {*types, type(None)}:
        try:
            return pl.Series(values, dtype=of_polars, strict=True).to_arrow().cast(kind)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            pass  # Arrow says what is wrong
    return _checked_array(values, kind)


def _checked_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_integer(kind):
        return pa.array(values, kind)
    # asked for integers, Arrow truncates 9.7 to 9; if it infers the type, it finds a float and the cast fails
    guessed = pa.array(values)
    if not (pa.types.is_integer(guessed.type) or pa.types.is_floating(guessed.type) or pa.types.is_null(guessed.type)):
        raise pa.ArrowTypeError(f"{next(v for v in values if v is not None)!r} is not a whole number")
    return guessed.cast(kind, safe=True)


def _keys(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({key for row in rows for key in row})


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _example(column: Column, i: int) -> Any:
    if column.choices:
        return column.choices[0]
    if column.name == "scope":
        return "org-campaign-project"
    if pa.types.is_timestamp(column.type):
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=i)
    if pa.types.is_list(column.type):
        return []
    if pa.types.is_boolean(column.type):
        return True
    if pa.types.is_binary(column.type):
        return b"x"
    if pa.types.is_integer(column.type):
        return i + 1
    if pa.types.is_floating(column.type):
        return 0.5
    return f"{column.name}-{i}"
