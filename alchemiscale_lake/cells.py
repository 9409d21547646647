"""Cells of tables as text: CSV and TSV, written so that every text is read back unchanged.

A TSV cell is written as it is; if it contains control characters, starts or ends with a space, or starts with a
quotation mark, as a JSON string. A CSV cell is quoted by the rules of CSV; spaces in a quoted cell are kept. A line
whose first cell is unquoted and starts with `#` may be a comment: the reader of the table decides.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .errors import ContentError
from .printable import one_line

__all__ = ["MISSING", "TableRow", "csv_line", "table_rows", "tsv_line"]

#: Representations of a missing value, in lower case.
MISSING: Final = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})
#: Limit of the csv module.
_LONGEST_CELL: Final = 131_072
_TO_QUOTE: Final = re.compile(r'[,;\t"\r\n]')


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table.

    Attributes
    ----------
    number : int
        Line on which it ends.
    cells : list of str
        Cells, unquoted ones without surrounding spaces.
    marked : bool
        Whether it starts with an unquoted `#`.
    spaced : mapping of int to str
        Unquoted cells that have surrounding spaces, as written, by position.
    """

    number: int
    cells: list[str]
    marked: bool
    spaced: Mapping[int, str] = field(default_factory=dict)

    @property
    def unmarked(self) -> list[str]:
        """Return the cells without the `#`."""
        return [self.cells[0].lstrip("#").strip(), *self.cells[1:]] if self.marked else self.cells


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV, with its end."""
    return ",".join(_csv_cell(cell, first=k == 0) for k, cell in enumerate(cells)) + "\n"


def tsv_line(cells: Iterable[str]) -> str:
    """Return a line of TSV that is safe to print, with its end."""
    return "\t".join(_tsv_cell(cell, first=k == 0) for k, cell in enumerate(cells)) + "\n"


def _csv_cell(text: str, *, first: bool) -> str:
    if _TO_QUOTE.search(text) or text != text.strip() or (first and text.startswith("#")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _tsv_cell(text: str, *, first: bool) -> str:
    safe = one_line(text) == text
    if safe and text == text.strip() and not text.startswith('"') and not (first and text.startswith("#")):
        return text
    return json.dumps(text, ensure_ascii=not safe)


def table_rows(text: str, source: str) -> Iterator[TableRow]:
    """Yield the non-empty rows of a table; the first line that is not a comment determines the delimiter.

    Parameters
    ----------
    text : str
    source : str
        Origin of the text, for messages.

    Raises
    ------
    ContentError
        If a line cannot be split into cells of less than 128 KiB.
    """
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    heads = [line for line in lines if line.strip()]
    plain = [line for line in heads if not line.startswith("#")]
    head = (plain or heads or [""])[0]
    delimiter = max("\t,;", key=head.count)
    found = _tsv_rows(lines, source) if delimiter == "\t" else _csv_rows(lines, delimiter, source)
    for row in found:
        if any(row.cells):
            yield row


def _tsv_rows(lines: Iterable[str], source: str) -> Iterator[TableRow]:
    for number, line in enumerate(lines, 1):
        cells = line.rstrip("\r\n").split("\t")
        if len(line) > _LONGEST_CELL and max(map(len, cells)) > _LONGEST_CELL:
            raise _not_a_table(source, number, f"field larger than field limit ({_LONGEST_CELL})")
        texts = [_tsv_text(cell.strip()) for cell in cells]
        spaced = {k: cell for k, cell in enumerate(cells) if cell.strip() == texts[k] != cell}
        yield TableRow(number, texts, line.lstrip().startswith("#"), spaced)


def _tsv_text(cell: str) -> str:
    """Return the text of a cell: a JSON string, one quoted by a spreadsheet, or plain text."""
    if len(cell) < 2 or not cell.startswith('"') or not cell.endswith('"'):
        return cell
    try:
        return str(json.loads(cell, strict=False))
    except ValueError:
        inner = cell[1:-1]
        return cell if '"' in inner.replace('""', "") else inner.replace('""', '"')


def _csv_rows(lines: list[str], delimiter: str, source: str) -> Iterator[TableRow]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    before = 0
    try:
        for cells in reader:
            raw = lines[before] if reader.line_num == before + 1 else "".join(lines[before : reader.line_num])
            before = reader.line_num
            written: Sequence[str | None]
            if '"' in raw:
                ends, written = _quoted_ends(raw, delimiter, cells)
                cells = [_trimmed(cell, end) for cell, end in zip(cells, ends, strict=True)]
            else:
                cells, written = [cell.strip() for cell in cells], raw.rstrip("\r\n").split(delimiter)
            spaced = {
                k: text
                for k, (text, cell) in enumerate(zip(written, cells, strict=False))  # an empty line has no cells
                if text is not None and text != cell
            }
            yield TableRow(reader.line_num, cells, raw.lstrip().startswith("#"), spaced)
    except csv.Error as e:
        raise _not_a_table(source, reader.line_num, str(e)) from e


def _trimmed(cell: str, end: str | None) -> str:
    """Return a cell without surrounding spaces; a quoted one only without those after its `end`."""
    return cell.strip() if end is None else cell.removesuffix(end) + end.rstrip()


def _quoted_ends(raw: str, delimiter: str, cells: Sequence[str]) -> tuple[list[str | None], list[str | None]]:
    """Return the text after the closing quote of each quoted cell of a row, and each unquoted cell as written.

    Either is None for the other kind of cell.
    """
    pattern = re.compile(
        rf' *"(?:[^"]|"")*"([^{delimiter}\r\n]*)(?:{delimiter}|\r?\n|\r|$)'
        rf"|([^{delimiter}\r\n]*)(?:{delimiter}|\r?\n|\r|$)"
    )
    ends: list[str | None] = []
    written: list[str | None] = []
    at = 0
    while len(ends) < len(cells) and (cell := pattern.match(raw, at)):
        ends.append(cell[1])
        written.append(cell[2])
        at = cell.end()
    if len(ends) == len(cells):
        return ends, written
    return [None] * len(cells), [None] * len(cells)


def _not_a_table(source: str, number: int, why: str) -> ContentError:
    return ContentError(f"{source}:{number}: not a table ({why}); give a CSV or TSV file", source=source)
