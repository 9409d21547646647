"""Rows of tables of edges and ligands, for each kind of table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..cells import MISSING
from .edge_values import EdgeValue, LigandValue
from .measurements import Measured, Measurements
from .measures import ABSENT, is_absent
from .table_columns import TableColumns

__all__ = ["Found", "RowReader", "row_reader"]

PHASES: Final = ("complex", "solvent", "vacuum", "direct")
#: Texts in `gather --report raw` for values of whole edges, and for differences of two legs.
_WHOLE: Final = ("other", "binding", "hydration")
_FAILED: Final = frozenset({"error", "failed", "fail"})
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "t", "failed"})

#: Content of a row: an edge and its values; or the reason why the row is left out.
Found: TypeAlias = Iterator["EdgeValue | LigandValue | tuple[str, str, str, str] | str"]


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows of one kind of table; raises ValueError if a row cannot be read.

    Attributes
    ----------
    read : callable
        Takes the columns and a row.
    notes : callable
        Returns how values were taken, after the last row.
    """

    read: Callable[[TableColumns, Sequence[str]], Found]
    notes: Callable[[], list[str]] = list


def row_reader(columns: TableColumns, header: Sequence[str], temperature_kelvin: float) -> RowReader | None:
    """Return the reader of the kind of table that has this header; None if there is no such kind.

    Parameters
    ----------
    columns : TableColumns
    header : sequence of str
    temperature_kelvin : float
        Of concentrations and p-values in rows that do not state theirs.
    """
    if columns.ligands and columns.wide:
        return RowReader(_read_wide)
    if columns.ligands and "value" in columns.at:
        return RowReader(_Long().read)
    measurements = Measurements(header, temperature_kelvin)
    if "ligand" in columns.at and "absolute" in columns.at:
        return _absolute_reader(measurements)
    if "ligand" in measurements.at and (measurements.explicit or "computational" in columns.at):
        return RowReader(_Ligands(measurements).read, measurements.notes)
    return None


def _read_wide(columns: TableColumns, row: Sequence[str]) -> Found:
    system, ligand_a, ligand_b = columns.system(row), *_pair(columns, row)
    failed, charge, score = _features(columns, row)
    for (phase, repeat), at in sorted(columns.wide.items()):
        edge = (system, ligand_a, ligand_b, phase)
        yield edge
        broken = _is_failure(row, at.get("dg"))
        value = None if broken else columns.number(row, at.get("dg"))
        uncertainty = None if broken else columns.number(row, at.get("ddg"))
        if value is not None or broken:
            yield EdgeValue(*edge, repeat, value, _positive(uncertainty), failed or broken, charge, score, True)


def _is_failure(row: Sequence[str], at: int | None) -> bool:
    return at is not None and at < len(row) and row[at].strip().lower() in _FAILED


def _absolute_reader(measurements: Measurements) -> RowReader:
    """Return the reader of ligands with an absolute result, and an experimental value if the table has them."""
    computed, measured = _Long("absolute"), _Ligands(measurements)

    def read(columns: TableColumns, row: Sequence[str]) -> Found:
        yield from computed.read(columns, row)
        if measurements.explicit:
            yield from measured.read(columns, row)

    return RowReader(read, measurements.notes)


class _Long:
    """Reads rows with one value each; numbers the repeats if the table does not.

    Parameters
    ----------
    value : {"value", "absolute"}
        Column of the value: that of an edge, or the absolute result of the only ligand.
    """

    def __init__(self, value: Literal["value", "absolute"] = "value") -> None:
        self._value = value
        self._seen: dict[tuple[str, str, str, str], int] = {}
        self._kind = ""

    def read(self, columns: TableColumns, row: Sequence[str]) -> Found:
        if "computational" in columns.at and columns.text(row, "computational").lower() not in _TRUE:
            yield "experimental differences between ligands"
            return
        if columns.names_legs and columns.ligands and not any(row[at] for at in columns.ligands[1:] if at < len(row)):
            yield "rows about a single system, which are not edges"
            return
        phase = self._phase(columns, row)
        ligands = _pair(columns, row) if self._value == "value" else (ABSENT, _only(columns, row))
        system, ligand_a, ligand_b = columns.system(row), *ligands
        failed, charge, score = _features(columns, row)
        edge = (system, ligand_a, ligand_b, phase)
        yield edge
        cell = columns.text(row, self._value).lower()
        if cell in MISSING and not failed:
            yield "rows without a value"
            return
        value = None if cell in _FAILED | MISSING else columns.number(row, columns.at[self._value])
        told = columns.text(row, "repeat")
        repeat = _repeat(told) if told else self._seen.get(edge, 0)
        self._seen[edge] = repeat + 1
        uncertainty = None if cell in _FAILED else _uncertainty(columns, row)
        yield EdgeValue(*edge, repeat, value, uncertainty, failed or value is None, charge, score, bool(told))

    def _phase(self, columns: TableColumns, row: Sequence[str]) -> str:
        phase = columns.text(row, "phase").lower() or "direct"
        if phase not in PHASES and phase not in _WHOLE:
            raise ValueError(f"phase {phase!r} is not one of {', '.join(PHASES)}")
        if phase in PHASES:
            return phase
        self._kind = self._kind or phase
        if phase != self._kind:
            raise ValueError(f"{phase} is mixed with {self._kind}; give each in a separate table")
        return "direct"


def _uncertainty(columns: TableColumns, row: Sequence[str]) -> float | None:
    """Return the uncertainty; if it has two parts, their sum, as in cinnabar."""
    parts = [columns.number(row, columns.at.get(column)) for column in ("uncertainty", "more uncertainty")]
    told = [part for part in map(_positive, parts) if part is not None]
    return sum(told) if told else None


def _repeat(told: str) -> int:
    number = float(told)
    if not 0 <= number < 1e6:
        raise ValueError(f"repeat is {told!r}, which is too large")
    if number % 1:
        raise ValueError(f"repeat is {told!r}, not a whole number")
    return int(number)


class _Ligands:
    """Reads rows of one experimental value each."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements

    def read(self, columns: TableColumns, row: Sequence[str]) -> Found:
        if columns.text(row, "computational").lower() in _TRUE:
            yield "computed free energies of ligands, which follow from edges"
            return
        measured = self._measurements.read(row)
        if isinstance(measured, Measured):
            system = columns.system(row)
            yield LigandValue(system, measured.ligand, measured.value_kcal_mol, measured.uncertainty_kcal_mol)
        elif measured:
            yield "ligands without an experimental value"


def _pair(columns: TableColumns, row: Sequence[str]) -> tuple[str, str]:
    ligand_a, ligand_b = (row[at] if at < len(row) else "" for at in columns.ligands)
    if ligand_b and not ligand_a and columns.is_report:
        ligand_a = ABSENT
    for ligand in () if columns.is_report else (ligand_a, ligand_b):
        _refuse_absent(ligand)
    if not ligand_a or not ligand_b:
        remark = "" if ligand_a else "; absolute results need the columns `ligand` and `absolute DG (kcal/mol)`"
        raise ValueError(f"a ligand has no name{remark}")
    if ligand_a == ligand_b:
        raise ValueError(f"an edge connects {ligand_a!r} to itself")
    return ligand_a, ligand_b


def _only(columns: TableColumns, row: Sequence[str]) -> str:
    ligand = columns.text(row, "ligand")
    if not ligand:
        raise ValueError("a ligand has no name")
    _refuse_absent(ligand)
    return ligand


def _refuse_absent(ligand: str) -> None:
    if is_absent(ligand):
        raise ValueError(f"a ligand is called {ligand!r}, which stands for no ligand; rename it")


def _features(columns: TableColumns, row: Sequence[str]) -> tuple[bool, int | None, float | None]:
    # openfe defines it as the charge of A minus that of B
    charge = columns.number(row, columns.at.get("charge"))
    score = columns.number(row, columns.at.get("score"))
    failed = columns.text(row, "failed").lower() in _TRUE
    return failed, None if charge is None or charge % 1 else -int(charge), score


def _positive(uncertainty: float | None) -> float | None:
    if uncertainty is not None and uncertainty < 0:
        raise ValueError(f"an uncertainty is negative ({uncertainty})")
    return uncertainty
