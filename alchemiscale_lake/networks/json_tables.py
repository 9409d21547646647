"""Tables in JSON, converted to CSV for `edge_table`: records, and the files of openfe-benchmarks.

Records are the output of `gather -o FILE.json`: a list of dicts with the same names. openfe-benchmarks has edges with
the values of their repeats (`computational_results.json`), and experimental values by ligand.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import zstandard

from .. import content
from ..cells import csv_line
from ..errors import ResultFileError
from .imported import energy_kcal_mol
from .result_files import head_of

__all__ = ["is_json_table", "table_text"]

_HEAD_BYTES: Final = 4096
_BEGINS: Final = re.compile(rb'\s*(\[\s*\{|\{\s*"d?dg"\s*:\s*\[|\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{\s*"dg"\s*:)')
_LEGS: Final = ("complex", "solvent", "vacuum")


def is_json_table(path: Path) -> bool:
    """Return whether the content of a file starts like a table in JSON."""
    if not path.name.removesuffix(".gz").removesuffix(".zst").endswith(".json"):
        return False
    try:
        return _BEGINS.match(head_of(path, _HEAD_BYTES)) is not None
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return False  # reading it reports why


def table_text(data: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    """Return a table as CSV or TSV, and notes on omitted content.

    Parameters
    ----------
    data : bytes
        Content of a table: text, or one of the JSON forms.
    source : str
        Path of the file, for messages.

    Raises
    ------
    ContentError
        If it is damaged, or in an unsupported encoding.
    ResultFileError
        If a value in JSON is not a number or an energy.
    """
    if not _BEGINS.match(data[:_HEAD_BYTES]):
        return content.decode_table(data, source), ()
    value = content.parse_json(content.decode_text(data, source), source)
    try:
        if isinstance(value, list):
            return _csv(value), ()
        if "ddg" in value or "dg" in value:
            return _benchmark(value, source)
        return _csv([_measured(name, fields) for name, fields in value.items()]), ()
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise ResultFileError(f"{source}: the JSON table cannot be read ({e})", source=source) from e


def _csv(records: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for record in records for name in record))
    rows = [[_text(record.get(name)) for name in columns] for record in records]
    return "".join(map(csv_line, [columns, *rows]))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _benchmark(value: Mapping[str, Any], source: str) -> tuple[str, tuple[str, ...]]:
    edges = value.get("ddg") or []
    n_ligands = len(value.get("dg") or [])
    if not edges:
        raise ValueError(f"free energies of ligands ({n_ligands}) and no edges; free energies are computed from edges")
    notes = [f"{source}: left out: computed free energies of ligands, which follow from edges ({n_ligands})"]
    return _csv([_edge(edge) for edge in edges]), tuple(notes if n_ligands else ())


def _edge(edge: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {name: edge[name] for name in ("ligand_a", "ligand_b")}
    record |= {name: edge.get(name) for name in ("system_group", "system_name")}
    repeats = {
        f"{leg}_repeat_{k}_DG (kcal/mol)": energy_kcal_mol(value)
        for leg in _LEGS
        for k, value in enumerate(edge.get(f"dgs_{leg}") or [])
    }
    if not repeats:
        raise ValueError(f"no values of legs (dgs_complex) for {edge['ligand_a']} to {edge['ligand_b']}")
    return record | repeats


def _measured(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ligand": name,
        "exp DG (kcal/mol)": energy_kcal_mol(fields["dg"]),
        "exp dDG (kcal/mol)": energy_kcal_mol(fields.get("uncertainty", fields.get("dg_uncertainty"))),
        "smiles": fields.get("canonical_smiles"),
        "source": fields.get("reference"),
    }
