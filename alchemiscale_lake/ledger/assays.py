"""Import of experimental values: one row of `assays` per ligand of a CSV or TSV file.

A file is imported completely or not at all, and importing it again changes nothing. Comparison of estimates with these
values is in `query` and `report`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from ..cells import Row, table_rows
from ..content import decode_table, read_file
from ..errors import ContentError, SchemaError
from ..ids import Scope
from ..networks.marked_rows import is_comment, sure_names
from ..schemas import TABLES
from ..store import Lake, collect, now_utc
from ..suggestions import did_you_mean
from ..units import KCAL_PER_KJ, kt_kcal_mol
from .user import user_name

__all__ = ["import_assays", "unmatched_assays"]

#: Maximum number of ligands listed in a message.
_NAMED: Final = 10

#: Temperature for converting pIC50 and pKi to free energies.
TEMPERATURE_KELVIN: Final = 298.15

#: Common names of columns, without unit, case and punctuation; the first match counts.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ligand": ("ligand", "name", "ligand name", "compound", "molecule"),
    "value": (
        "value",
        "exp dg",
        "expt dg",
        "dg exp",
        "dg expt",
        "exp",
        "expt",
        "experiment",
        "experimental value",
        "dg",
    ),
    "pic50": ("pic50", "exp pic50", "pki", "exp pki", "pkd", "exp pkd"),
    "uncertainty": (
        "exp ddg",
        "expt ddg",
        "exp uncertainty",
        "experimental uncertainty",
        "dg exp uncertainty",
        "exp ddg uncertainty",
        "uncertainty",
        "error",
        "ddg",
    ),
    "pic50 uncertainty": ("pic50 uncertainty", "pki uncertainty", "pkd uncertainty"),
    "smiles": ("smiles",),
    "source": ("source", "reference", "doi"),
}
#: Only this many characters of a header cell are searched, since the search for its unit must be fast.
_HEADER_LENGTH: Final = 200
_UNIT: Final = re.compile(r"[ _(\[]*(kcal|kj)[ _/.]*mol(?:\^?-1)?[)\]]*$")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Positions of the columns of a file, and the factors that convert their numbers to kcal/mol."""

    at: Mapping[str, int]
    factors: Mapping[str, float]

    def text(self, row: Sequence[str], column: str) -> str | None:
        """Return a cell's text, None if it is empty or missing."""
        at = self.at.get(column)
        return (row[at] or None) if at is not None and at < len(row) else None

    def number(self, row: Sequence[str], column: str) -> float | None:
        """Return a cell's number in kcal/mol (for a pIC50, with the opposite sign), None if empty."""
        text = self.text(row, column)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{column} is {text!r}, not a number")
        return value * self.factors[column]


def import_assays(
    lake: Lake,
    path: str | Path,
    scope: Scope | str,
    kind: str = "binding",
    *,
    source: str | None = None,
    entered_by: str | None = None,
) -> int:
    """Import experimental free energies of ligands.

    Parameters
    ----------
    lake : Lake
    path : path
        CSV or TSV with a header. Columns: `ligand` (or `name`) as in the network; `value_kcal_mol` (also `DG
        (kcal/mol)`, `exp DG (kcal/mol)`, `dG_exp`, `expt_DG`, or one in kJ/mol) or `pic50`; optionally
        `uncertainty_kcal_mol`, `smiles` and `source`. Columns marked as experimental take precedence.
    scope : Scope or str
        Specific Scope the values are used in.
    kind : str
        `binding`, `hydration` or `direct`.
    source : str, optional
        Source of values without one of their own; default: the file's name.
    entered_by : str, optional
        Default: the user of this process.

    Returns
    -------
    int
        Number of values that are new in the lake.

    Raises
    ------
    SchemaError
        If the file is not such a table; every bad line is listed. Nothing is written.
    InvalidScopeError
        If the Scope is malformed or has a wildcard.

    Notes
    -----
    A pIC50 (or pKi) becomes -R T ln(10) pIC50 at 298.15 K.
    """
    scope = Scope.parse(scope).require_specific()
    path = Path(path)
    kinds = next(c.choices for c in TABLES["assays"].columns if c.name == "kind")
    if kind not in kinds:
        raise SchemaError(f"kind of an assay is {kind!r}, not one of {', '.join(kinds)}", value=kind)
    common = {
        "scope": str(scope),
        "kind": kind,
        "entered_by": entered_by or user_name(),
        "entered_at": now_utc(),
    }
    # accents have two encodings; use the one of the network
    spelt = {unicodedata.normalize("NFC", name): name for name in _ligands(lake, scope)}
    rows = [common | row for row in _read_values(path, source or path.name)]
    for row in rows:
        name = unicodedata.normalize("NFC", str(row["ligand"]))
        row["ligand"] = spelt.get(name, row["ligand"])
    return lake.table("assays").append_new(rows)


def _ligands(lake: Lake, scope: Scope | str) -> set[str]:
    ends = lake.table("transformations").scan().filter(pl.col("scope") == str(scope))
    names = collect(ends.select("ligand_a_name", "ligand_b_name"), "ligands")
    return set(names["ligand_a_name"].drop_nulls()) | set(names["ligand_b_name"].drop_nulls())


def unmatched_assays(lake: Lake, scope: Scope | str) -> str | None:
    """Return a message on experimental values of a Scope that match no ligand there, with suggestions.

    None if all match, or the Scope has no ligands yet.
    """
    ligands = _ligands(lake, scope)
    rows = lake.table("assays").scan().filter(pl.col("scope") == str(scope))
    assays = collect(rows.select("ligand").unique(), "assays")
    unknown = sorted(set(assays["ligand"]) - ligands)
    if not ligands or not unknown:
        return None
    told = [f"{name!r}{did_you_mean(name, ligands).replace('; did', ' (did').replace('?', '?)')}" for name in unknown]
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return f"{len(unknown)} experimental values fit no ligand of {scope}: {', '.join(told[:_NAMED])}{more}"


def _read_values(path: Path, source: str) -> list[dict[str, str | float | None]]:
    rows = _rows(path)
    columns = _find_columns(rows[0].unmarked if rows else [], f"{path}:{rows[0].number if rows else 1}")
    names = sure_names(rows[1:], [columns.at["ligand"]])
    values: dict[str, dict[str, str | float | None]] = {}
    problems = []
    for row in rows[1:]:
        try:
            if not is_comment(row, names):
                _add(values, _read_row(columns, row.cells, source))
        except ValueError as e:
            problems.append(f"{path}:{row.number}: {e}")
    if problems:
        shown = "\n".join(problems[:10])
        more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise SchemaError(
            f"{len(problems)} bad line(s), nothing was imported; correct them and import again:\n{shown}{more}",
            path=str(path),
            problems=problems,
        )
    if not values:
        raise SchemaError(f"{path}: no values below the header", path=str(path))
    return list(values.values())


def _add(values: dict[str, dict[str, str | float | None]], value: dict[str, str | float | None]) -> None:
    before = values.setdefault(str(value["ligand"]), value)
    if before["value_kcal_mol"] != value["value_kcal_mol"]:
        raise ValueError(f"ligand {value['ligand']!r} has another value above; keep one line per ligand")


def _read_row(columns: _Columns, row: Sequence[str], source: str) -> dict[str, str | float | None]:
    ligand = columns.text(row, "ligand")
    if ligand is None:
        raise ValueError("no name in the ligand column")
    value, uncertainty = columns.number(row, "value"), columns.number(row, "uncertainty")
    if value is None:
        value = columns.number(row, "pic50")
        from_pic50 = columns.number(row, "pic50 uncertainty")
        uncertainty = uncertainty if from_pic50 is None else from_pic50
    if value is None:
        raise ValueError(f"no value for ligand {ligand!r}; take the line out if it was not measured")
    if uncertainty is not None and uncertainty < 0:
        raise ValueError(f"the uncertainty of ligand {ligand!r} is negative")
    return {
        "ligand": ligand,
        "value_kcal_mol": value,
        "uncertainty_kcal_mol": uncertainty,
        "smiles": columns.text(row, "smiles"),
        "source": columns.text(row, "source") or source,
    }


def _rows(path: Path) -> list[Row]:
    try:
        return list(table_rows(decode_table(read_file(path), str(path)), str(path)))
    except ContentError as e:
        raise SchemaError(e.message, path=str(path)) from e


def _find_columns(header: Sequence[str], place: str) -> _Columns:
    plain, units = [], []
    for cell in header:
        text = cell.strip().lower()[:_HEADER_LENGTH]
        unit = _UNIT.search(text)
        units.append(unit.group(1) if unit else None)
        plain.append(re.sub(r"[^a-z0-9]+", " ", text[: unit.start()] if unit else text).strip())
    at: dict[str, int] = {}
    for column, names in _NAMES.items():
        known = [name for name in names if name in plain]
        if column == "uncertainty" and "value" in at and plain[at["value"]] != "dg" and "dg" in plain:
            known = [name for name in known if "exp" in name]  # the others belong to a computed value
        if known:
            at[column] = plain.index(known[0])
    missing = [] if "ligand" in at else ["a column 'ligand'"]
    missing += [] if "value" in at or "pic50" in at else ["a column 'value_kcal_mol'"]
    if missing:
        raise SchemaError(
            f"{place}: the header needs {' and '.join(missing)}; it has {', '.join(header) or 'nothing'}", place=place
        )
    slope = kt_kcal_mol(TEMPERATURE_KELVIN) * math.log(10.0)
    factors = {column: KCAL_PER_KJ if units[i] == "kj" else 1.0 for column, i in at.items()}
    if "value" not in at and "uncertainty" in at and units[at["uncertainty"]] is None:
        factors["uncertainty"] = slope  # without a unit, it has that of the value beside it
    return _Columns(at, factors | {"pic50": -slope, "pic50 uncertainty": slope})
