"""Import of experimental values: one row of `assays` per ligand of a CSV or TSV file.

A file is imported completely or not at all, and importing it again changes nothing. Comparison of estimates with these
values is in `query` and `report`.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

import polars as pl

from ..caller import Caller
from ..cells import TableRow, table_rows
from ..content import read_file
from ..errors import ContentError, NotFoundError, ResultFileError, SchemaError
from ..ids import Scope
from ..networks.json_tables import table_text
from ..networks.marked_rows import is_comment, sure_names
from ..networks.measurements import TEMPERATURE_KELVIN, Duplicates, Measured, Measurements, merged, merged_note
from ..networks.measures import MEASURES
from ..networks.spaced_names import spaced_names_note
from ..plurals import count, verb
from ..schemas import TABLES
from ..store import Lake, collect, now_utc
from ..suggestions import did_you_mean, did_you_mean_file
from ..texts import storable
from .withdrawals import current_assays, enter_assays

__all__ = ["check_assays", "import_assays", "merged_assay", "unmatched_assays", "unused_assays"]

#: Maximum number of ligands listed in a message.
_NAMED: Final = 10
_Row: TypeAlias = dict[str, Any]


def import_assays(
    lake: Lake,
    path: str | Path,
    scope: Scope | str,
    kind: str = "binding",
    *,
    source: str | None = None,
    caller: Caller | None = None,
    temperature_kelvin: float = TEMPERATURE_KELVIN,
    duplicates: Duplicates = "refuse",
    tell: Callable[[str], None] | None = None,
    again: bool = True,
) -> int:
    """Import experimental free energies of ligands.

    Parameters
    ----------
    lake : Lake
    path : path
        CSV or TSV with a header. Columns: `ligand` (or `name`) as in the network; `value_kcal_mol` (also `DG
        (kcal/mol)`, `exp DG (kcal/mol)`, `dG_exp`, `expt_DG`, or one in kJ/mol), or `pic50`, `pKi`, `Ki (nM)`,
        `Kd (nM)`, `IC50 (nM)` and others (`networks.measurements`); optionally `uncertainty_kcal_mol`, `smiles` and
        `source`. Columns marked as experimental take precedence.
    scope : Scope or str
        Specific Scope the values are used in.
    kind : str
        `binding`, `hydration` or `direct`.
    source : str, optional
        Source of values without one of their own; default: the file's name.
    caller : Caller, optional
        Default: the user of this process.
    temperature_kelvin : float
        Of concentrations and p-values, unless a column `temperature` states theirs.
    duplicates : {"refuse", "geomean"}
        What to do with several values of one ligand: refuse them, or take the mean of the free energies, which is that
        of the geometric mean of the affinities, with their standard deviation as its uncertainty.
    tell : callable, optional
        Called with how values were taken and which were left out, with counts.
    again : bool, default True
        Whether values that were withdrawn become current again; else `tell` is called with their number.

    Returns
    -------
    int
        Number of values that are now current and were not before.

    Raises
    ------
    SchemaError
        If the file is not such a table; every bad line is listed. Nothing is written.
    InvalidScopeError
        If the Scope is malformed or has a wildcard.

    Notes
    -----
    A pIC50 (or pKi) becomes -R T ln(10) pIC50, a concentration K becomes R T ln(K / 1 M). An IC50 is taken for a Ki.
    Bounds such as `>1000` are left out.
    """
    scope = Scope.parse(scope).require_specific()
    caller = caller or Caller.this_user()
    caller.require("write", [scope])
    path = Path(path)
    kinds = next(c.choices for c in TABLES["assays"].columns if c.name == "kind")
    if kind not in kinds:
        raise SchemaError(f"kind of an assay is {kind!r}, not one of {', '.join(kinds)}", value=kind)
    common = {
        "scope": str(scope),
        "kind": kind,
        "entered_by": caller.name,
        "entered_at": now_utc(),
    }
    # accents have two encodings; use the one of the network
    spelt = {unicodedata.normalize("NFC", name): name for name in _ligands(lake, scope)}
    read = _read_values(path, source or path.name, temperature_kelvin, duplicates, tell or _silent)
    rows = [common | row for row in read]
    for row in rows:
        name = unicodedata.normalize("NFC", str(row["ligand"]))
        row["ligand"] = spelt.get(name, row["ligand"])
    n_entered, n_withdrawn = enter_assays(lake, rows, caller=caller, again=again)
    if n_withdrawn:
        (tell or _silent)(withdrawn_note(n_withdrawn))
    return n_entered


def check_assays(path: str | Path) -> None:
    """Raise if a file is not a table that `import_assays` reads, with the same errors; nothing is written."""
    found = Path(path)
    if not found.exists():
        raise NotFoundError(f"there is no file {path}{did_you_mean_file(path) or '; check the path'}", path=str(path))
    _read_values(found, found.name, TEMPERATURE_KELVIN, "refuse", _silent)


def withdrawn_note(n: int) -> str:
    """Return that imported values stay withdrawn."""
    return f"{count(n, 'experimental value')} {verb(n, 'stays', 'stay')} withdrawn; `assays FILE` enters them again"


def _ligands(lake: Lake, scope: Scope | str) -> set[str]:
    ends = lake.table("transformations").scan().filter(pl.col("scope") == str(scope))
    names = collect(ends.select("ligand_a_name", "ligand_b_name"), "ligands")
    return set(names["ligand_a_name"].drop_nulls()) | set(names["ligand_b_name"].drop_nulls())


def unmatched_assays(lake: Lake, scope: Scope | str) -> str | None:
    """Return a message on experimental values of a Scope that match no ligand there, with suggestions.

    None if all match, or the Scope has no ligands yet.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    """
    ligands = _ligands(lake, scope)
    unknown = sorted(set(current_assays(lake, scope)["ligand"]) - ligands) if ligands else []
    if not unknown:
        return None
    told = [f"{name!r}{did_you_mean(name, ligands).replace('; did', ' (did').replace('?', '?)')}" for name in unknown]
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return (
        f"{count(len(unknown), 'experimental value')} {verb(len(unknown), 'matches', 'match')} no ligand of "
        f"{scope}: {', '.join(told[:_NAMED])}{more}; correct the names and import again, or withdraw such a value: "
        f"alchemiscale-lake assays --scope {scope} --withdraw {shlex.quote(unknown[0])}"
    )


def unused_assays(lake: Lake, scope: Scope | str, kind: str) -> str | None:
    """Return why experimental values of a kind are not used in a Scope yet; None if they are.

    Either the Scope has no network, or its networks measure something else.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    kind : str
        Kind of the experimental values, such as `binding`.
    """
    rows = collect(
        lake.table("transformations").scan().select("scope", "phase", "protocol_qualname").unique(), "Transformations"
    )
    own = rows.filter(pl.col("scope") == str(scope))
    if own.is_empty():
        return f"{scope} has no network yet{did_you_mean(str(scope), rows['scope'].unique().to_list())}"
    measured = {MEASURES[name].kind for name in own["protocol_qualname"] if name in MEASURES}
    phases = set(own.filter(~pl.col("protocol_qualname").is_in(list(MEASURES)))["phase"])
    if "complex" in phases:
        measured.add("binding")
    elif "vacuum" in phases:
        measured.add("hydration")
    if not measured or kind in measured or "other" in phases:
        return None
    other = " and ".join(sorted(measured))
    return f"the networks of {scope} measure {other}, and use no values of kind {kind}: import them with --kind {other}"


def _read_values(
    path: Path, source: str, temperature_kelvin: float, duplicates: Duplicates, tell: Callable[[str], None]
) -> list[_Row]:
    rows = _rows(path)
    start = _header(rows)
    measurements = _columns(rows[start : start + 1], path, temperature_kelvin)
    names = sure_names(rows[start + 1 :], [measurements.at["ligand"]])
    values: dict[str, list[_Row]] = {}
    problems = []
    n_comments = 0
    for row in rows[start + 1 :]:
        try:
            if is_comment(row, names):
                n_comments += 1
            else:
                _add(values, measurements.read(row.cells), source, duplicates)
        except ValueError as e:
            problems.append(f"{path}:{row.number}: {e}")
    if problems:
        shown = "\n".join(problems[:10])
        more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise SchemaError(
            f"{count(len(problems), 'invalid line')}, nothing was imported; correct the file and import "
            f"again:\n{shown}{more}",
            path=str(path),
            problems=problems,
        )
    notes = measurements.notes()
    if not values:
        raise SchemaError("; ".join([f"{path}: no values below the header", *notes]), path=str(path))
    if spaced := spaced_names_note(rows[start + 1 :], _of_names(measurements)):
        notes.append(spaced)
    if n_comments:
        notes.append(f"left out: lines that begin with #, taken for comments ({n_comments})")
    for note in notes:
        tell(f"{path}: {note}")
    if several := [len(rows) for rows in values.values() if len(rows) > 1 and duplicates == "geomean"]:
        tell(f"{path}: {merged_note(several)}")
    return [merged_assay(rows) for rows in values.values()]


def _of_names(measurements: Measurements) -> list[tuple[int, ...]]:
    """Return the positions of columns with names: ligands, and sources, by which values are withdrawn."""
    return [(measurements.at[column],) for column in ("ligand", "source") if column in measurements.at]


def merged_assay(rows: Sequence[_Row]) -> _Row:
    """Return one row of `assays` for all measurements of a ligand; the first if all have the same value."""
    if len({row["value_kcal_mol"] for row in rows}) == 1:
        return rows[0]
    value, uncertainty = merged([(row["value_kcal_mol"], row["uncertainty_kcal_mol"]) for row in rows])
    sources = "; ".join(dict.fromkeys(str(row["source"]) for row in rows))
    return rows[0] | {"value_kcal_mol": value, "uncertainty_kcal_mol": uncertainty, "source": storable(sources)}


def _add(values: dict[str, list[_Row]], measured: Measured | str, source: str, duplicates: Duplicates) -> None:
    if not isinstance(measured, Measured):
        if measured:
            raise ValueError(f"no value for ligand {measured!r}; remove the line if it was not measured")
        return
    before = values.setdefault(measured.ligand, [])
    if duplicates == "refuse" and before and before[0]["value_kcal_mol"] != measured.value_kcal_mol:
        raise ValueError(
            f"ligand {measured.ligand!r} already has a value in an earlier line; keep one line per ligand, or take the "
            "geometric mean with --duplicates geomean"
        )
    before.append(asdict(measured) | {"source": measured.source or source})


def _silent(_: str) -> None:
    """Ignore a note."""


def _rows(path: Path) -> list[TableRow]:
    try:
        return list(table_rows(table_text(read_file(path), str(path))[0], str(path)))
    except (ContentError, ResultFileError) as e:
        raise SchemaError(e.message, path=str(path)) from e


def _header(rows: Sequence[TableRow]) -> int:
    """Return the place of the header: the first row that is not a comment, else a comment above that reads as one."""
    first = next((k for k, row in enumerate(rows) if not row.marked), 0)
    places: list[int] = [first, *range(first)]
    for k in places:
        if k < len(rows) and "ligand" in (found := Measurements(rows[k].unmarked)).at and found.has_values:
            return k
    return first


def _columns(rows: Sequence[TableRow], path: Path, temperature_kelvin: float) -> Measurements:
    header = rows[0].unmarked if rows else []
    measurements = Measurements(header, temperature_kelvin)
    missing = [] if "ligand" in measurements.at else ["a column 'ligand'"]
    missing += [] if measurements.has_values else ["a column 'value_kcal_mol'"]
    if missing:
        place = f"{path}:{rows[0].number if rows else 1}"
        raise SchemaError(
            f"{place}: the header needs {' and '.join(missing)}; it has {', '.join(header) or 'nothing'}", place=place
        )
    return measurements
