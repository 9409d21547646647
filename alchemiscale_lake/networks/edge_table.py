"""Tables of edges with repeats, as commonly published: CSV or TSV with a header.

Two forms, distinguished by their columns. *Wide*: a row per edge, with columns such as `complex_repeat_0_DG
(kcal/mol)` and `complex_repeat_0_dDG (kcal/mol)`. *Long*: a row per value, with `value` and `uncertainty`, and
optionally `phase` and `repeat`; without a phase, a value belongs to the whole edge. Both have two ligand columns;
columns that name a system split the rows into networks. A third kind of table, of ligands with experimental values or
absolute results, is recognised by its single ligand column. cinnabar's CSV has two blocks, of the third kind and the
second.

A line that starts with `#` is a row if it can be read as one, since ligands may have such names. Rows are read in
`edge_rows`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..cells import TableRow, table_rows
from ..errors import ContentError, ResultFileError
from ..plurals import part, verb
from .edge_rows import RowReader, row_reader
from .edge_values import EdgeTable, EdgeValue, LigandValue
from .marked_rows import is_comment, sure_names
from .measurements import TEMPERATURE_KELVIN
from .spaced_names import spaced_names_note
from .table_columns import TableColumns

__all__ = ["EdgeTable", "EdgeValue", "LigandValue", "is_table", "read_edge_table"]

#: Maximum number of problems listed in a message.
_NAMED: Final = 10
_LEGS: Final = (
    "legs of Protocols that run several (ABFE, AHFE, SepTop), which decouple their ligand, with standard state "
    "corrections as rows. Only the Protocol combines them: give the result files, or the report `gather --report raw` "
    "of the lake that has them"
)
_CORRECTION: Final = "standard_state_correction"
_COMMENTS: Final = "lines that begin with #, taken for comments"
_BLOCK: Final = re.compile(r"#+\s*(experiment|calculat|relative)\w*\s+block", re.IGNORECASE)
#: Columns of the blocks of cinnabar's CSV, which are identified by position.
_EXPERIMENTAL: Final = ("Ligand", "expt_DG", "expt_dDG")
_CALCULATED: Final = ("Ligand1", "Ligand2", "calc_DDG", "calc_dDDG(MBAR)", "calc_dDDG(additional)")


def is_table(name: str) -> bool:
    """Return whether a file is a table, by its name."""
    return name.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".txt"))


def read_edge_table(text: str, source: str, *, temperature_kelvin: float = TEMPERATURE_KELVIN) -> EdgeTable:
    """Read a table.

    Parameters
    ----------
    text : str
    source : str
        Path of the file, for messages.
    temperature_kelvin : float
        Of experimental concentrations and p-values in rows that do not state theirs.

    Raises
    ------
    ResultFileError
        If columns are missing or a cell cannot be read; all bad lines are listed.
    """
    try:
        rows = list(table_rows(text, source))
    except ContentError as e:
        raise ResultFileError(e.message, **e.facts) from e
    table = _Reading(source)
    for piece in _parts(rows, source, temperature_kelvin):
        table.read(piece)
    return table.done()


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows below one header."""

    columns: TableColumns
    reader: RowReader
    rows: list[TableRow]


def _parts(rows: list[TableRow], source: str, kelvin: float) -> Iterator[_Part]:
    """Yield the rows below each header: one part, or the blocks of cinnabar's CSV."""
    starts = [(k, found[1].lower()) for k, row in enumerate(rows) if (found := _begins_block(row))]
    if not starts:
        yield _sole_part(rows, source, kelvin)
        return
    ends = [k for k, _ in starts[1:]] + [len(rows)]
    for (start, kind), end in zip(starts, ends, strict=True):
        header = _EXPERIMENTAL if kind == "experiment" else _CALCULATED
        part = _part(header, rows[start + 1 : end], kelvin)
        assert part is not None
        yield part


def _begins_block(row: TableRow) -> re.Match[str] | None:
    return _BLOCK.match(row.cells[0]) if row.marked else None


def _sole_part(rows: list[TableRow], source: str, kelvin: float) -> _Part:
    """Use the first row that is not a comment as the header, else a comment before it that reads as one."""
    first = next((k for k, row in enumerate(rows) if not row.marked), len(rows))
    plain = rows[first].cells if first < len(rows) else []
    candidates = [(plain, first), *((rows[k].unmarked, k) for k in reversed(range(first)))]
    for header, k in candidates:
        part = _part(header, [*rows[:k], *rows[k + 1 :]] if k == first else rows[k + 1 :], kelvin)
        if part is not None:
            if any(part.columns.text(row.cells, "phase").lower().startswith(_CORRECTION) for row in part.rows):
                raise ResultFileError(f"{source}: {_LEGS}", source=source)
            return part
    raise _not_edges(plain or (rows[0].cells if rows else []), source)


def _part(header: Sequence[str], rows: list[TableRow], kelvin: float) -> _Part | None:
    columns = TableColumns(header)
    reader = row_reader(columns, header, kelvin)
    return None if reader is None else _Part(columns, reader, rows)


def _not_edges(header: Sequence[str], source: str) -> ResultFileError:
    columns = TableColumns(header)
    if columns.names_legs and "ligand" in columns.at:
        why = _LEGS
    elif "ligand" in columns.at and any(name.startswith(("dg mle", "dg")) for name in columns.plain):
        why = (
            "computed free energies of ligands, which are computed here from edges: give the edges (`gather --report "
            "raw` or `ddg`). Absolute results (of ABFE or AHFE) need a column `absolute DG (kcal/mol)`; experimental "
            "values go to `alchemiscale-lake assays`, or need a column `exp DG (kcal/mol)`"
        )
    else:
        why = (
            "not a table of edges: it needs two columns of ligands (ligand_i, ligand_j) and either "
            "`value_kcal_mol` or columns such as `complex_repeat_0_DG (kcal/mol)`; or `ligand` and, for absolute "
            "results, `absolute DG (kcal/mol)` or, for experimental values, `exp DG (kcal/mol)`. It has: "
            f"{', '.join(header) or 'nothing'}"
        )
    return ResultFileError(f"{source}: {why}", source=source)


@dataclass(slots=True)
class _Reading:
    """Content of a table, as read so far."""

    source: str
    edges: dict[tuple[str, str, str, str], None] = field(default_factory=dict)
    values: list[EdgeValue] = field(default_factory=list)
    ligands: list[LigandValue] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    #: Values by leg and repeat number, with their lines.
    numbered: dict[tuple[object, ...], tuple[EdgeValue, int]] = field(default_factory=dict)

    def read(self, part: _Part) -> None:
        columns = part.columns.names
        names = sure_names(part.rows, columns[0])
        if note := spaced_names_note(part.rows, columns):
            self.notes.append(f"{self.source}: {note}")
        for row in part.rows:
            try:
                if is_comment(row, names):
                    self.left_out[_COMMENTS] += 1
                    continue
                for found in part.reader.read(part.columns, row.cells):
                    self._take(found, row.number)
            except ValueError as e:
                self.problems.append(f"{self.source}:{row.number}: {e}")
        self.notes += [f"{self.source}: {note}" for note in part.reader.notes()]

    def _take(self, found: EdgeValue | LigandValue | tuple[str, str, str, str] | str, line: int) -> None:
        if isinstance(found, str):
            self.left_out[found] += 1
        elif isinstance(found, LigandValue):
            self.ligands.append(found)
        elif not isinstance(found, EdgeValue):
            self.edges[found] = None
        elif not found.numbered:
            self.values.append(found)
        else:
            known, before = self.numbered.setdefault((*found.edge, found.repeat), (found, line))
            if known is found:
                self.values.append(found)
            elif _numbers(known) == _numbers(found):
                self.left_out["duplicate values with the same repeat number"] += 1
            else:
                raise ValueError(
                    f"repeat {found.repeat} of {found.ligand_a} to {found.ligand_b} ({found.phase}) has another value "
                    f"on line {before}; give repeats different numbers, or omit the column"
                )

    def done(self) -> EdgeTable:
        if self.problems or not (self.edges or self.ligands):
            more = f"\n... and {len(self.problems) - _NAMED} more" if len(self.problems) > _NAMED else ""
            why = f"no rows below the header{self._said()}"
            said = "\n".join(self.problems[:_NAMED]) + more if self.problems else f"{self.source}: {why}"
            raise ResultFileError(said, source=self.source, problems=self.problems)
        notes = [*self.notes, *(f"{self.source}: left out: {what} ({n})" for what, n in self.left_out.items())]
        empty = len(self.edges.keys() - {value.edge for value in self.values})
        if empty:
            notes.append(f"{self.source}: {part(empty, len(self.edges), 'leg')} {verb(empty, 'has', 'have')} no value")
        return EdgeTable(self.source, tuple(self.edges), tuple(self.values), tuple(self.ligands), tuple(notes))

    def _said(self) -> str:
        notes = [note.removeprefix(f"{self.source}: ") for note in self.notes]
        return "".join(f"; {said}" for said in (*notes, *(f"{what} ({n})" for what, n in self.left_out.items())))


def _numbers(value: EdgeValue) -> tuple[float | None, float | None, bool]:
    return value.value_kcal_mol, value.uncertainty_kcal_mol, value.failed
