"""Import of results: files of `openfe quickrun`, ProtocolDAGResults, and tables of edges.

Everything is read and validated before anything is written. A file counts once per Scope, identified by its content,
and a result once, identified by its calculation; so importing a folder again, while it grows or after a crash, adds
what is new. The files themselves are kept in the lake, compressed. gufe and openfe are only needed for the estimate of
a ProtocolDAGResult of a Protocol that is not openfe's own.

Files are read in `import_files`, tables in `import_tables`; the plan is in `import_batch`, rows and their order in
`import_writing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import zstandard

from ..caller import Caller
from ..errors import ResultFileError
from ..faults import fault_point
from ..ids import Scope
from ..networks import Network, read_network
from ..networks.edge_table import is_table
from ..networks.json_tables import is_json_table
from ..networks.measurements import TEMPERATURE_KELVIN, Duplicates
from ..networks.result_files import find_result_files, read_raw
from ..plurals import part
from ..statestore.submit import submit_network
from ..store import Lake, now_utc
from .assays import withdrawn_note
from .import_batch import ImportReading, SourceFile
from .import_files import FileImport, ImportProgress
from .import_tables import read_tables, write_assays
from .import_writing import Stored, Written, write_batches
from .standing_networks import check_standing_networks

__all__ = ["ImportPlan", "ImportReport", "import_planned", "import_results", "plan_import"]

_LEVEL: Final = 3
#: Files compressed and stored concurrently; each is in memory meanwhile.
_AT_ONCE: Final = 4
#: Files that are named one by one.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Outcome of an import.

    Attributes
    ----------
    networks : tuple of str
        ScopedKeys of the networks of the results.
    n_files, n_known_files : int
        Number of files, and of those whose content was already in the Scope.
    n_transformations : int
        Number of new Transformations.
    n_good, n_failed, n_known : int
        Numbers of new good results, new failed ones, and known ones (in files that had to be read).
    n_without_estimate : int
        Number of good results without an estimate: their Protocol gives none, or is needed to read it.
    n_assays : int
        Number of new experimental values.
    bad : tuple of (str, str)
        Files that were left out, with the reasons.
    notes : tuple of str
        Other messages.
    """

    networks: tuple[str, ...]
    n_files: int
    n_known_files: int
    n_transformations: int
    n_good: int
    n_failed: int
    n_known: int
    n_without_estimate: int
    n_assays: int
    bad: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Results that were read and validated, and not yet written.

    Attributes
    ----------
    reading : ImportReading
    scope : Scope
    network : str or None
        Given name of the network.
    to_submit : Network or None
        Network of the results, if it was given as a file.
    """

    reading: ImportReading
    scope: Scope
    network: str | None
    to_submit: Network | None


def import_results(
    lake: Lake,
    paths: str | Path | Iterable[str | Path],
    scope: Scope | str,
    *,
    network: str | None = None,
    network_file: Any = None,
    kind: str = "binding",
    temperature_kelvin: float = TEMPERATURE_KELVIN,
    duplicates: Duplicates = "refuse",
    skip_bad: bool = False,
    caller: Caller | None = None,
    progress: ImportProgress | None = None,
    processes: int = 1,
) -> ImportReport:
    """Import results.

    Parameters
    ----------
    lake : Lake
    paths : path or iterable of path
        Result files of `openfe quickrun` (JSON; plain, gzip or zstd), keyed-chain JSON of
        ProtocolDAGResults, folders of these, and tables of edges or of experimental values (.csv, .tsv).
    scope : Scope or str
        Target Scope. For a table with several systems, `org-campaign-*` gives each its own Scope.
    network : str, optional
        Name of the network, existing or new. By default, results of existing Transformations go to their networks,
        others to a new network named after the file or folder, and tables make networks named after their systems.
    network_file : optional
        Network of the files, in any form that `networks.read_network` accepts. It is submitted, and every file must
        belong to one of its Transformations. It does not apply to tables.
    kind : str
        Kind of experimental values: `binding`, `hydration` or `direct`.
    temperature_kelvin : float
        Of experimental concentrations and p-values in tables, in rows that do not state theirs.
    duplicates : {"refuse", "geomean"}
        What to do with several experimental values of one ligand: refuse them, or take the mean of the free energies,
        which is that of the geometric mean of the affinities, with their standard deviation as its uncertainty.
    skip_bad : bool
        Leave out files that cannot be imported, instead of raising.
    caller : Caller, optional
        User who imports; default: the user of this process.
    progress : callable, optional
        Called with the current step (`read` or `store`), the number of finished files, and the total.
    processes : int
        Number of reading processes; `networks.reading.read_all` has the requirements on a script for more than one.

    Raises
    ------
    ResultFileError
        If a file cannot be imported, or there is none. Nothing is written.
    InvalidNetworkError
        If the network file contains no network.
    InvalidScopeError
        If the Scope is malformed, or has a wildcard for which no system is given.
    """
    plan = plan_import(
        lake,
        paths,
        scope,
        network=network,
        network_file=network_file,
        temperature_kelvin=temperature_kelvin,
        duplicates=duplicates,
        skip_bad=skip_bad,
        progress=progress,
        processes=processes,
    )
    return import_planned(lake, plan, kind, caller=caller, progress=progress)


def plan_import(
    lake: Lake,
    paths: str | Path | Iterable[str | Path],
    scope: Scope | str,
    *,
    network: str | None = None,
    network_file: Any = None,
    temperature_kelvin: float = TEMPERATURE_KELVIN,
    duplicates: Duplicates = "refuse",
    skip_bad: bool = False,
    progress: ImportProgress | None = None,
    processes: int = 1,
) -> ImportPlan:
    """Read and validate results for an import; nothing is written. Parameters and errors are `import_results`'.

    Parameters
    ----------
    lake : Lake
    paths : path or iterable of path
        Result files, folders of these, and tables.
    scope : Scope or str
        As for `import_results`.
    network : str, optional
        Name of the network, existing or new.
    network_file : object, optional
        As for `import_results`.
    temperature_kelvin : float, default TEMPERATURE_KELVIN
        Of experimental concentrations and p-values in tables, in rows that do not state theirs.
    duplicates : Duplicates, default "refuse"
        As for `import_results`.
    skip_bad : bool, default False
        Leave out files that cannot be imported, instead of raising.
    progress : ImportProgress, optional
        Called with the current step, the number of finished files, and the total.
    processes : int, default 1
        Number of processes that read files.
    """
    wanted = Scope.parse(scope)
    sources = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    found = find_result_files(sources)
    tables = [path for path in found if is_table(path.name) or is_json_table(path)]
    others = [path for path in found if path not in tables]
    given = None if network_file is None else read_network(network_file)
    reading = ImportReading()
    if others:
        files = FileImport(lake, wanted.require_specific(), network, given, processes=processes)
        files.read(others, reading, progress or _silent, alone=sources == others)
    if tables:
        read_tables(
            lake, tables, wanted, network, reading, temperature_kelvin=temperature_kelvin, duplicates=duplicates
        )
    if reading.bad and not (skip_bad and len(reading.bad) < reading.n_files):
        raise _refusal(reading, skip_bad=skip_bad)
    if len(reading.left_out) + len(reading.bad) == reading.n_files:
        raise ResultFileError(
            "\n".join(["nothing was imported:", *reading.left_out[:_NAMED], *_more(reading.left_out)]),
            left_out=reading.left_out,
        )
    check_standing_networks(lake, reading, named=network is not None)
    return ImportPlan(reading, wanted, network, given if others else None)


def import_planned(
    lake: Lake,
    plan: ImportPlan,
    kind: str = "binding",
    *,
    caller: Caller | None = None,
    progress: ImportProgress | None = None,
) -> ImportReport:
    """Write what was planned.

    Parameters
    ----------
    lake : Lake
    plan : ImportPlan
    kind : str
        Kind of experimental values: `binding`, `hydration` or `direct`.
    caller : Caller, optional
        Who imports; default: the user of this process.
    progress : callable, optional
        As for `import_results`.
    """
    reading, tell, who, at = plan.reading, progress or _silent, caller or Caller.this_user(), now_utc()
    who.require("write", [plan.scope])
    lake.table("imports").create()  # missing in a lake made by an earlier version
    if plan.to_submit is not None:
        submit_network(lake, plan.to_submit, plan.scope, name=plan.network, caller=who)
    stored = _store(lake, reading.sources, tell)
    written = write_batches(lake, reading.batches, stored, caller=who, at=at)
    fault_point("import:before-files")
    rows = [_import_row(of_file, who, at) for of_file in _by_file(reading.sources)]
    if rows:
        lake.table("imports").append_new(rows)
    n_assays, n_withdrawn = write_assays(lake, reading.assays, kind, caller=who, at=at)
    if n_withdrawn:
        reading.notes.append(withdrawn_note(n_withdrawn))
    return _report(reading, written, n_assays)


def _store(lake: Lake, sources: Sequence[SourceFile], progress: ImportProgress) -> dict[str, Stored]:
    """Store the files in the lake, each once, a few at a time."""
    once = {source.object_path: source for source in sources}

    def store(source: SourceFile) -> Stored:
        raw = read_raw(source.path)
        if raw.digest != source.digest:
            raise ResultFileError(
                f"{source.path}: changed while it was being imported; import again", source=str(source.path)
            )
        data = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(raw.data)
        lake.objects.put_exclusive(source.object_path, data)
        return Stored(hashlib.sha256(data).hexdigest(), len(data))

    stored = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for done, (path, one) in enumerate(zip(once, threads.map(store, once.values()), strict=True), 1):
            stored[path] = one
            progress("store", done, len(once))
    return stored


def _by_file(sources: Iterable[SourceFile]) -> list[list[SourceFile]]:
    """Group the sources of one file in one Scope: the systems of a table."""
    files: dict[str, list[SourceFile]] = {}
    for source in sources:
        files.setdefault(source.object_path, []).append(source)
    return list(files.values())


def _import_row(of_file: Sequence[SourceFile], caller: Caller, at: datetime) -> dict[str, Any]:
    source, networks = of_file[0], {one.network for one in of_file}
    return {
        "scope": str(source.scope),
        "digest": source.digest,
        "network": source.network if len(networks) == 1 else None,
        "source": str(source.path),
        "format": source.format,
        "n_results": sum(one.n_good for one in of_file),
        "n_failed": sum(one.n_failed for one in of_file),
        "n_bytes": source.n_bytes,
        "protocol_qualname": source.protocol_qualname,
        "object_path": source.object_path,
        "imported_by": caller.name,
        "imported_at": at,
    }


def _report(reading: ImportReading, written: Written, n_assays: int) -> ImportReport:
    records = [result.record for batch in reading.batches for result in batch.results]
    return ImportReport(
        networks=tuple(reading.networks | dict.fromkeys(b.network for b in reading.batches if b.network is not None)),
        n_files=reading.n_files,
        n_known_files=reading.n_known_files,
        n_transformations=written.n_transformations,
        n_good=written.n_good,
        n_failed=written.n_failed,
        n_known=written.n_known,
        n_without_estimate=sum(record.ok and record.estimate_kcal_mol is None for record in records),
        n_assays=n_assays,
        bad=tuple(reading.bad),
        notes=(*reading.left_out, *reading.notes),
    )


def _refusal(reading: ImportReading, *, skip_bad: bool) -> ResultFileError:
    said = "\n".join([*(why for _, why in reading.bad[:_NAMED]), *_more(reading.bad)])
    # with --skip-bad, none is left
    advice = (
        ""
        if skip_bad or len(reading.bad) == reading.n_files
        else f", or skip {'it' if len(reading.bad) == 1 else 'them'} with --skip-bad"
    )
    return ResultFileError(
        f"{part(len(reading.bad), reading.n_files, 'file')} cannot be imported, and nothing was; correct "
        f"{'it' if len(reading.bad) == 1 else 'them'}{advice}:\n{said}",
        bad=reading.bad,
    )


def _more(lines: Sequence[object]) -> list[str]:
    return [f"... and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []


def _silent(what: str, done: int, total: int) -> None:
    """Report nothing."""
