"""Tables of edges with repeats, as people publish them: CSV or TSV with a header.

Two forms, told by their columns. *Wide*: a row per edge, with columns such as
`complex_repeat_0_DG (kcal/mol)` and `complex_repeat_0_dDG (kcal/mol)`. *Long*: a row per value, with
`value` and `uncertainty`, and where known `phase` and `repeat`; without a phase a value is the edge itself.
Both have two columns of ligands; columns that name a system part the rows into networks. A third kind of
table, of ligands with experimental values, is told by its one column of ligands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..content import csv_rows
from ..errors import ContentError, ResultFileError
from ..units import KCAL_PER_KJ

__all__ = ["EdgeTable", "EdgeValue", "LigandValue", "is_table", "read_edge_table"]

PHASES: Final = ("complex", "solvent", "vacuum", "direct")

_WIDE: Final = re.compile(r"(complex|solvent|vacuum) (?:repeat|replica|replicate|rep|run) ?(\d{1,6}) (d?dg)")
_UNIT: Final = re.compile(r"[ _(\[]*(kcal|kj)[ _/.]*mol(?:\^?-1)?[)\]]*$")
#: Of a longer header cell only the beginning counts: a search for its unit must not take long.
_HEADER_LENGTH: Final = 200
_LIGANDS: Final = (("ligand a", "ligand b"), ("ligand i", "ligand j"), ("labela", "labelb"), ("liga", "ligb"))
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "phase": ("phase", "leg", "environment"),
    "repeat": ("repeat", "replica", "replicate", "rep"),
    "value": ("value", "dg i j", "ddg i j", "dg", "ddg", "calc ddg", "calc dg", "ddg bind"),
    "uncertainty": (
        "uncertainty", "mbar uncertainty", "std dev uncertainty", "error", "sd", "stdev", "stdev ddg bind",
        "calc dddg", "calc ddg uncertainty", "ddg uncertainty", "dg uncertainty",
    ),
    "failed": ("failed",),
    "group": ("system group", "group", "partner id"),
    "system": ("system name", "system", "target", "network", "dataset", "dataset name"),
    "charge": ("alchemical charge difference",),
    "score": ("lomap score", "mapping score", "score"),
    "ligand": ("ligand name", "ligand", "name", "compound"),
    "experiment": ("exp dg", "expt dg", "dg exp", "dg expt", "exp", "expt"),
    "experiment uncertainty": ("exp ddg", "expt ddg", "exp uncertainty", "dg exp uncertainty"),
}  # fmt: skip
_MISSING: Final = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})
_FAILED: Final = frozenset({"error", "failed", "fail"})
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "t", "failed"})


@dataclass(frozen=True, slots=True)
class EdgeValue:
    """One repeat of one leg, or of an edge as a whole.

    Attributes
    ----------
    system : str
        Which set of the table it belongs to; empty if the table has but one.
    phase : str
        `complex`, `solvent`, `vacuum` or `direct`.
    charge_change : int or None
        Charge of ligand B less that of A.
    failed : bool
        Whether the table says that it does not count.
    """

    system: str
    ligand_a: str
    ligand_b: str
    phase: str
    repeat: int
    value_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    failed: bool
    charge_change: int | None
    mapping_score: float | None


@dataclass(frozen=True, slots=True)
class LigandValue:
    """One experimental value."""

    system: str
    ligand: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None


@dataclass(frozen=True, slots=True)
class EdgeTable:
    """What a table holds: edges, or experimental values of ligands.

    Attributes
    ----------
    edges : tuple of (system, ligand_a, ligand_b, phase)
        Every leg the table speaks of, also those without a value.
    """

    source: str
    edges: tuple[tuple[str, str, str, str], ...]
    values: tuple[EdgeValue, ...]
    ligands: tuple[LigandValue, ...]


#: What a row holds: that there is an edge, and its values.
Found: TypeAlias = Iterator[EdgeValue | LigandValue | tuple[str, str, str, str]]


class _Columns:
    """Where the columns of a table are, and in which unit of energy."""

    def __init__(self, header: Sequence[str]) -> None:
        self.plain: list[str] = []
        self.factor: list[float] = []
        for cell in header:
            text = cell.strip().lower()[:_HEADER_LENGTH]
            unit = _UNIT.search(text)
            self.factor.append(KCAL_PER_KJ if unit and unit.group(1) == "kj" else 1.0)
            self.plain.append(re.sub(r"[^a-z0-9]+", " ", text[: unit.start()] if unit else text).strip())
        self.at = {
            column: self.plain.index(next(name for name in names if name in self.plain))
            for column, names in _NAMES.items()
            if any(name in self.plain for name in names)
        }
        pairs = [pair for pair in _LIGANDS if pair[0] in self.plain and pair[1] in self.plain]
        self.ligands = tuple(map(self.plain.index, pairs[0])) if pairs else ()
        self.wide: dict[tuple[str, int], dict[str, int]] = {}
        for position, name in enumerate(self.plain):
            found = _WIDE.fullmatch(name)
            if found:
                self.wide.setdefault((found.group(1), int(found.group(2))), {})[found.group(3)] = position

    def text(self, row: Sequence[str], column: str) -> str:
        at = self.at.get(column)
        return "" if at is None or at >= len(row) else row[at].strip()

    def number(self, row: Sequence[str], at: int | None) -> float | None:
        """Return a number in kcal/mol, None for an empty cell; raise ValueError for any other text."""
        cell = "" if at is None or at >= len(row) else row[at].strip()
        if cell.lower() in _MISSING:
            return None
        value = float(cell)
        return value * self.factor[at or 0] if math.isfinite(value) else None

    def system(self, row: Sequence[str]) -> str:
        return "/".join(part for part in (self.text(row, "group"), self.text(row, "system")) if part)


def is_table(name: str) -> bool:
    """Whether a file's name says that it is a table."""
    return name.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".txt"))


def read_edge_table(text: str, source: str) -> EdgeTable:
    """Read a table.

    Parameters
    ----------
    text : str
    source : str
        Path of the file, for messages.

    Raises
    ------
    ResultFileError
        If columns are missing or a cell cannot be read; all bad lines are named.
    """
    rows = _rows(text, source)
    _, header = next(rows, (0, []))
    columns = _Columns(header)
    read = _reader(columns, header, source)
    edges: dict[tuple[str, str, str, str], None] = {}
    values: list[EdgeValue] = []
    ligands: list[LigandValue] = []
    problems = []
    for number, row in rows:
        try:
            for found in read(columns, row):
                if isinstance(found, LigandValue):
                    ligands.append(found)
                elif isinstance(found, EdgeValue):
                    values.append(found)
                else:
                    edges[found] = None
        except ValueError as e:
            problems.append(f"{source}:{number}: {e}")
    if problems or not (edges or ligands):
        more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
        said = "\n".join(problems[:10]) + more if problems else f"{source}: no rows below the header"
        raise ResultFileError(said, source=source, problems=problems)
    return EdgeTable(source, tuple(edges), tuple(values), tuple(ligands))


def _reader(columns: _Columns, header: Sequence[str], source: str) -> Callable[[_Columns, Sequence[str]], Found]:
    """Return what reads a row of this kind of table."""
    if columns.ligands and columns.wide:
        return _read_wide
    if columns.ligands and "value" in columns.at:
        return _Long().read
    if "ligand" in columns.at and "experiment" in columns.at:
        return _read_ligand
    raise ResultFileError(
        f"{source}: no table of edges: it needs two columns of ligands (ligand_i, ligand_j) and either "
        "`value_kcal_mol` or columns such as `complex_repeat_0_DG (kcal/mol)`; or, for experimental values, "
        f"`ligand` and `exp DG (kcal/mol)`. It has: {', '.join(header) or 'nothing'}",
        source=source,
    )


def _read_wide(columns: _Columns, row: Sequence[str]) -> Found:
    system, ligand_a, ligand_b = columns.system(row), *_pair(columns, row)
    failed, charge, score = _features(columns, row)
    for (phase, repeat), at in sorted(columns.wide.items()):
        yield system, ligand_a, ligand_b, phase
        value = columns.number(row, at.get("dg"))
        uncertainty = columns.number(row, at.get("ddg"))
        if value is not None:
            yield EdgeValue(
                system, ligand_a, ligand_b, phase, repeat, value, _positive(uncertainty), failed, charge, score
            )


class _Long:
    """Reads rows of one value each; counts the repeats where the table does not."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str, str], int] = {}

    def read(self, columns: _Columns, row: Sequence[str]) -> Found:
        system, ligand_a, ligand_b = columns.system(row), *_pair(columns, row)
        failed, charge, score = _features(columns, row)
        phase = columns.text(row, "phase").lower() or "direct"
        if phase not in PHASES:
            raise ValueError(f"phase {phase!r} is none of {', '.join(PHASES)}")
        edge = (system, ligand_a, ligand_b, phase)
        yield edge
        cell = columns.text(row, "value").lower()
        if cell in _MISSING and not failed:
            return
        value = None if cell in _FAILED | _MISSING else columns.number(row, columns.at["value"])
        uncertainty = None if cell in _FAILED else columns.number(row, columns.at.get("uncertainty"))
        told = columns.text(row, "repeat")
        repeat = _repeat(told) if told else self._seen.get(edge, 0)
        self._seen[edge] = repeat + 1
        failed = failed or value is None
        yield EdgeValue(*edge, repeat, value, _positive(uncertainty), failed, charge, score)


def _repeat(told: str) -> int:
    number = float(told)
    if not 0 <= number < 1e6:
        raise ValueError(f"repeat is {told!r}, not a small number")
    return int(number)


def _read_ligand(columns: _Columns, row: Sequence[str]) -> Found:
    ligand = columns.text(row, "ligand")
    value = columns.number(row, columns.at["experiment"])
    if not ligand:
        raise ValueError("no name in the ligand column")
    if value is not None:
        uncertainty = columns.number(row, columns.at.get("experiment uncertainty"))
        yield LigandValue(columns.system(row), ligand, value, _positive(uncertainty))


def _pair(columns: _Columns, row: Sequence[str]) -> tuple[str, str]:
    ligand_a, ligand_b = ((row[at].strip() if at < len(row) else "") for at in columns.ligands)
    if not ligand_a or not ligand_b:
        raise ValueError("a ligand has no name")
    if ligand_a == ligand_b:
        raise ValueError(f"an edge leads from {ligand_a!r} to itself")
    return ligand_a, ligand_b


def _features(columns: _Columns, row: Sequence[str]) -> tuple[bool, int | None, float | None]:
    # openfe counts the charge of A less that of B
    charge = columns.number(row, columns.at.get("charge"))
    score = columns.number(row, columns.at.get("score"))
    failed = columns.text(row, "failed").lower() in _TRUE
    return failed, None if charge is None or charge % 1 else -int(charge), score


def _positive(uncertainty: float | None) -> float | None:
    if uncertainty is not None and uncertainty < 0:
        raise ValueError(f"an uncertainty is negative ({uncertainty})")
    return uncertainty


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of the lines that have any."""
    lines = text.removeprefix("\ufeff").splitlines()
    heads = [line for line in lines if line.strip() and not line.startswith("#")]
    delimiter = max("\t,;", key=lambda mark: heads[0].count(mark)) if heads else ","
    try:
        for number, row in csv_rows(lines, delimiter, source):
            if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                yield number, row
    except ContentError as e:
        raise ResultFileError(e.message, **e.facts) from e
