"""Reading of tables of edges and of experimental values for an import.

`table_repeats` decides which values are new. Nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..caller import Caller
from ..errors import ContentError, InvalidScopeError, ResultFileError
from ..ids import Scope
from ..networks.edge_table import EdgeTable, EdgeValue, LigandValue, read_edge_table
from ..networks.json_tables import table_text
from ..networks.measurements import TEMPERATURE_KELVIN, Duplicates, merged_note
from ..networks.nested import ObjectPool
from ..networks.result_files import RawFile, read_raw
from ..networks.table_objects import add_transformation
from ..store import Lake
from .assays import merged_assay
from .import_batch import Batch, ImportReading, PlannedResult, SourceFile, imported_network_key, object_path
from .table_repeats import TableRepeats
from .withdrawals import enter_assays

__all__ = ["read_tables", "write_assays"]

Edge = tuple[str, str, str, str]


def read_tables(
    lake: Lake,
    paths: Sequence[Path],
    scope: Scope,
    name: str | None,
    reading: ImportReading,
    *,
    temperature_kelvin: float = TEMPERATURE_KELVIN,
    duplicates: Duplicates = "refuse",
) -> None:
    """Read tables, and add their content to the reading.

    Parameters
    ----------
    lake : Lake
        Contains the tables that were imported before.
    paths : sequence of Path
    scope : Scope
        Specific, or with a wildcard for the project: then each system gets a Scope of its own.
    name : str or None
        Name of the network, or prefix for the names of several.
    reading : ImportReading
    temperature_kelvin : float
        Of experimental concentrations and p-values in rows that do not state theirs.
    duplicates : {"refuse", "geomean"}
        What to do with several experimental values of one ligand in one Scope.

    Raises
    ------
    InvalidScopeError
        If the Scope has a wildcard for which no system is given.
    """
    repeats = TableRepeats(lake)
    for path in paths:
        reading.n_files += 1
        try:
            raw = read_raw(path)
            text, left_out = table_text(raw.data, str(path))
            table = read_edge_table(text, str(path), temperature_kelvin=temperature_kelvin)
            planned = list(_planned(repeats, table, raw, scope, name))
        except (ResultFileError, ContentError) as e:
            reading.bad.append((str(path), e.message))
            continue
        for batch, source in planned:
            reading.batches.append(batch)
            reading.sources.append(source)
        reading.assays += _assays(table.ligands, scope, path)
        reading.notes += [*left_out, *table.notes]
    reading.notes += repeats.notes
    if duplicates == "geomean":
        reading.assays = _merged(reading.assays, reading.notes)
    problem = _clash(reading.assays)
    if problem:
        reading.bad.append((str(paths[0]), problem))


def write_assays(
    lake: Lake, rows: Iterable[dict[str, Any]], kind: str, *, caller: Caller, at: datetime
) -> tuple[int, int]:
    """Write experimental values that are new in the lake; return their number, and that of those that stay withdrawn.

    Parameters
    ----------
    lake : Lake
    rows : iterable of dict of str to object
        Rows of `assays`, without kind, author and time.
    kind : str
        Kind of the experimental values, such as `binding`.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    at : datetime
        Time of the import, UTC.
    """
    common = {"kind": kind, "entered_by": caller.name, "entered_at": at}
    return enter_assays(lake, [row | common for row in rows], caller=caller, again=False)


def _planned(
    repeats: TableRepeats, table: EdgeTable, raw: RawFile, scope: Scope, name: str | None
) -> Iterator[tuple[Batch, SourceFile]]:
    systems = dict.fromkeys(edge[0] for edge in table.edges)
    for system in systems:
        network = _network_name(name, system, raw.path, alone=len(systems) == 1)
        yield _plan(repeats, table, raw, system, network, _scope_of(scope, system or network))


def _plan(
    repeats: TableRepeats, table: EdgeTable, raw: RawFile, system: str, network: str, scope: Scope
) -> tuple[Batch, SourceFile]:
    at = datetime.fromtimestamp(raw.path.stat().st_mtime, UTC)
    pool = ObjectPool()
    values = [value for value in table.values if value.system == system]
    told = {value.edge: value for value in values}
    keys = {
        edge: add_transformation(pool, network, edge, told[edge].mapping_score if edge in told else None)
        for edge in table.edges
        if edge[0] == system
    }
    made = list(keys.values())
    key = f"{imported_network_key(network)}-{scope}"
    batch = Batch(scope, key, network, pool.objects, made, made, source=str(raw.path))
    for edge, transformation in keys.items():
        batch.known_better[transformation] = _columns(edge, told.get(edge))
    suffix = next((suffix for suffix in (".tsv", ".json") if suffix in raw.path.suffixes), ".csv")
    stored_at = object_path(scope, raw.digest, suffix)
    for one in repeats.settle(scope, network, values, source=str(raw.path), digest=raw.digest):
        transformation = keys[one.value.edge]
        batch.results.append(
            PlannedResult(scope, transformation, one.identity, one.record, stored_at, at, replaces=one.replaces)
        )
    n_failed = sum(value.failed for value in values)
    source = SourceFile(
        scope=scope,
        network=key,
        path=raw.path,
        digest=raw.digest,
        n_bytes=len(raw.data),
        format="edge_table",
        protocol_qualname=None,
        object_path=stored_at,
        n_good=len(values) - n_failed,
        n_failed=n_failed,
    )
    return batch, source


def _columns(edge: Edge, value: EdgeValue | None) -> dict[str, Any]:
    """Return columns of a Transformation that are in a table but not in its objects."""
    better: dict[str, Any] = {"charge_change": None if value is None else value.charge_change}
    # the environment of a whole edge is unknown
    return better | {"phase": "other"} if edge[3] == "direct" else better


def _network_name(name: str | None, system: str, path: Path, *, alone: bool) -> str:
    if name is None:
        return system or path.name.partition(".")[0]
    return name if alone else f"{name}/{system}"


def _scope_of(scope: Scope, system: str) -> Scope:
    if scope.specific:
        return scope
    if scope.campaign is None:
        raise InvalidScopeError(
            f"Scope {scope}: the systems of a table can only replace the project; write org-campaign-*",
            value=str(scope),
        )
    project = re.sub(r"[^A-Za-z0-9]+", "_", system).strip("_") or "imported"
    return Scope(scope.org, scope.campaign, project if project[0].isalpha() else f"p_{project}")


def _assays(ligands: Iterable[LigandValue], scope: Scope, path: Path) -> list[dict[str, Any]]:
    return [
        {
            "scope": str(_scope_of(scope, value.system)),
            "ligand": value.ligand,
            "value_kcal_mol": value.value_kcal_mol,
            "uncertainty_kcal_mol": value.uncertainty_kcal_mol,
            "source": path.name,
        }
        for value in ligands
    ]


def _merged(rows: Iterable[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """Merge the experimental values of each ligand in each Scope; add a note with their number."""
    of_ligand: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        of_ligand.setdefault((row["scope"], row["ligand"]), []).append(row)
    several = [len(group) for group in of_ligand.values() if len(group) > 1]
    if several:
        notes.append(merged_note(several))
    return [merged_assay(group) for group in of_ligand.values()]


def _clash(rows: Iterable[dict[str, Any]]) -> str | None:
    """Return a message on a ligand with two experimental values in one Scope, None if there is none."""
    seen: dict[tuple[str, str], float] = {}
    for row in rows:
        known = seen.setdefault((row["scope"], row["ligand"]), row["value_kcal_mol"])
        if known != row["value_kcal_mol"]:
            return (
                f"{row['source']}: ligand {row['ligand']!r} has several experimental values in Scope {row['scope']}, "
                "possibly of several systems: give each system its own Scope with --scope 'org-campaign-*'; or "
                "repeated measurements: --duplicates geomean takes their geometric mean"
            )
    return None
