"""Columns of tables of edges and ligands: recognised by common names, each with its unit of energy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ..cells import MISSING
from ..units import KCAL_PER_KJ

__all__ = ["ABSOLUTE", "TableColumns", "energy_unit", "plain_name"]

_WIDE: Final = re.compile(r"(complex|solvent|vacuum) (?:repeat|replica|replicate|rep|run) ?(\d{1,6}) (d?dg)")
_UNIT: Final = re.compile(r"[ _(\[]*(kcal|kj)[ _/.]*mol(?:\^?-1)?[)\]]*$")
#: Only this many characters of a header cell are searched, since the search for its unit must be fast.
_HEADER_LENGTH: Final = 200
_LIGANDS: Final = (
    ("ligand a", "ligand b"), ("ligand i", "ligand j"), ("labela", "labelb"), ("label a", "label b"),
    ("liga", "ligb"), ("lig a", "lig b"), ("ligand1", "ligand2"), ("ligand 1", "ligand 2"), ("lig 1", "lig 2"),
)  # fmt: skip
#: Absolute results of a ligand.
ABSOLUTE: Final = ("absolute dg", "abs dg", "dg absolute", "dg abs", "absolute value", "abfe", "ahfe")
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "phase": ("phase", "leg", "environment"),
    "repeat": ("repeat", "replica", "replicate", "rep"),
    "value": (
        "value", "dg i j", "ddg i j", "dg", "ddg", "calc ddg", "calc dg", "ddg bind", "bennett ddg", "pred ddg",
    ),
    "uncertainty": (
        "uncertainty", "mbar uncertainty", "std dev uncertainty", "error", "sd", "stdev", "stdev ddg bind",
        "calc dddg", "calc dddg mbar", "calc ddg uncertainty", "ddg uncertainty", "dg uncertainty",
        "bennett std error", "pred ddg std error", "std error", "absolute dg uncertainty", "absolute uncertainty",
    ),
    "absolute": ABSOLUTE,
    "more uncertainty": ("calc dddg additional",),
    "failed": ("failed",),
    "kind": ("kind",),
    "group": ("system group", "group", "partner id"),
    "system": ("system name", "system", "target", "network", "dataset", "dataset name"),
    "source": ("source",),
    "computational": ("computational",),
    "charge": ("alchemical charge difference",),
    "score": ("lomap score", "mapping score", "score"),
    "ligand": ("ligand name", "ligand", "name", "compound", "label"),
}  # fmt: skip

#: Columns of names that the rows of one system share.
_OF_SYSTEMS: Final = ("group", "system", "kind", "source")
#: Values of reports with ligands i and j.
_OF_REPORTS: Final = ("dg i j", "ddg i j")
#: Columns of the named query `latest_edges`.
_OF_QUERY: Final = frozenset({"legs", "missing legs", "status"})


class TableColumns:
    """Positions of the columns of a table, and their units of energy.

    Parameters
    ----------
    header : sequence of str

    Attributes
    ----------
    at : dict of str to int
        Position of each known column.
    ligands : tuple of int
        Positions of the two ligands of an edge; empty if there are none.
    wide : dict of (str, int) to dict
        Positions of `dg` and `ddg` by phase and repeat.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.plain = [plain_name(cell) for cell in header]
        self.factor = [KCAL_PER_KJ if energy_unit(cell) == "kj" else 1.0 for cell in header]
        self.at: dict[str, int] = {}
        for column, names in _NAMES.items():
            position = next((self.plain.index(name) for name in names if name in self.plain), None)
            if position is not None:
                self.at[column] = position
        pairs = [pair for pair in _LIGANDS if pair[0] in self.plain and pair[1] in self.plain]
        self.ligands = tuple(map(self.plain.index, pairs[0])) if pairs else ()
        self.wide: dict[tuple[str, int], dict[str, int]] = {}
        for position, name in enumerate(self.plain):
            found = _WIDE.fullmatch(name)
            if found:
                self.wide.setdefault((found.group(1), int(found.group(2))), {})[found.group(3)] = position

    @property
    def names_legs(self) -> bool:
        """Return whether this is a report of raw results, by its column `leg`."""
        return "leg" in self.plain

    @property
    def is_report(self) -> bool:
        """Return whether this is a report of ours or of openfe, in which absolute results have no first ligand."""
        at = self.at.get("value")
        return at is not None and (self.plain[at] in _OF_REPORTS or _OF_QUERY.issubset(self.plain))

    def text(self, row: Sequence[str], column: str) -> str:
        """Return a cell's text, empty if there is none.

        Parameters
        ----------
        row : sequence of str
            Cells of the row.
        column : str
            Kind of column, such as `value`; a key of `at`.
        """
        at = self.at.get(column)
        return "" if at is None or at >= len(row) else row[at]

    def number(self, row: Sequence[str], at: int | None) -> float | None:
        """Return a number in kcal/mol, None for an empty cell; raise ValueError for any other text.

        Parameters
        ----------
        row : sequence of str
            Cells of the row.
        at : int or None
            Index of the column; None if the table lacks it.
        """
        cell = "" if at is None or at >= len(row) else row[at].strip()
        if cell.lower() in MISSING:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{cell!r} in column {self.plain[at or 0]!r} is not a number")
        return value * self.factor[at or 0]

    def system(self, row: Sequence[str]) -> str:
        """Return the system of a row within the table."""
        return "/".join(part for part in (self.text(row, column) for column in self._of_systems) if part)

    @property
    def names(self) -> list[tuple[int, ...]]:
        """Return the positions of columns with names: those of ligands together, and each that names a system."""
        ligands = self.ligands or tuple(self.at[column] for column in ("ligand",) if column in self.at)
        return [ligands, *((self.at[column],) for column in self._of_systems if column in self.at)]

    @property
    def _of_systems(self) -> tuple[str, ...]:
        return _OF_SYSTEMS if "computational" in self.at else _OF_SYSTEMS[:-1]


def plain_name(cell: str) -> str:
    """Return a header cell without unit, case and punctuation."""
    text = cell.strip().lower()[:_HEADER_LENGTH]
    unit = _UNIT.search(text)
    return re.sub(r"[^a-z0-9]+", " ", text[: unit.start()] if unit else text).strip()


def energy_unit(cell: str) -> str | None:
    """Return the unit in a header cell, `kcal` or `kj`."""
    unit = _UNIT.search(cell.strip().lower()[:_HEADER_LENGTH])
    return unit.group(1) if unit else None
